// What a person can switch, ask and choose: every command of the extension, and a setting that changes while the server runs.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { Editor } from "./editor.ts";
import { folderWith } from "./surroundings.ts";
import { until } from "./waiting.ts";
import { Workbench } from "./workbench.ts";

const SUMMARY = `def describe(numbers: list[int]) -> dict[str, float]:
    """Return the count, the total, the mean, the smallest and the largest."""
`;

/** Enough keys that the cost of a key is that of typing, and not that of code which runs for the first time. */
const PASSAGE = `return summary
# ${"The total is divided by the count, and nothing is divided where there is nothing. ".repeat(4)}
`;

describe("commands and settings", () => {
  const folder = folderWith({ "summary.py": SUMMARY });
  let workbench: Workbench;
  let editor: Editor;

  before(async () => {
    workbench = await Workbench.start({ open: folder });
    editor = new Editor(workbench);
    await workbench.reach("ready");
    await workbench.file("summary.py");
    await editor.toEnd();
    await editor.type("    ");
    await editor.waitForGhost();
  });
  afterEach((test) => workbench.pictureOfFailure(test));
  after(() => workbench?.close());

  async function suggestNow(): Promise<string> {
    await editor.press("Escape");
    await editor.waitForNoGhost();
    await workbench.command("Suggest Now");
    return editor.waitForGhost();
  }

  /** The server may read the setting at once or load its model anew; a request that comes meanwhile is answered with nothing. */
  async function changeMultiline(value: string, hasSeveralLines: boolean): Promise<void> {
    await workbench.setting("restLsp.completion.multiline", value);
    const follows = async () => {
      await editor.press("Escape");
      await editor.waitForNoGhost();
      await workbench.command("Suggest Now");
      const ghost = await editor.waitForGhost(20_000).catch(() => "");
      return ghost !== "" && ghost.includes("\n") === hasSeveralLines;
    };
    await until(`suggestions with multiline = ${value}`, follows, 180_000);
  }

  it("has a menu in the status bar", async () => {
    await workbench.page.locator("[id$='restLsp.status']").click();
    await workbench.row("Explain last suggestion").waitFor();
    await workbench.picture("menu");
    await editor.press("Escape");
  });

  it("suggests nothing while switched off, says why, and offers to switch on", async () => {
    await workbench.command("Switch Suggestions On or Off");
    await workbench.reach("paused");
    await editor.waitForNoGhost();
    await workbench.command("Suggest Now");
    await workbench.notification("Suggestions are switched off.").getByText("Switch On").click();
    await workbench.reach("ready");
    await suggestNow();
  });

  it("suggests nothing in a language that is switched off", async () => {
    await workbench.command("Switch Suggestions On or Off for a Language");
    await workbench.reach("off for python");
    await editor.waitForNoGhost();
    await workbench.command("Switch Suggestions On or Off for a Language");
    await workbench.reach("ready");
    await suggestNow();
  });

  it("sleeps for a while, and wakes when told to", async () => {
    await workbench.command("Snooze Suggestions");
    await workbench.choose("15 minutes");
    await workbench.reach(/^paused until \d+:\d\d$/);
    await workbench.picture("snoozed");
    await workbench.command("Snooze Suggestions");
    await workbench.choose("End snooze");
    await workbench.reach("ready");
  });

  it("follows a setting without a restart", async () => {
    assert.ok((await suggestNow()).includes("\n"));
    const before = workbench.serverProcess();
    await changeMultiline("never", false);
    await changeMultiline("auto", true);
    assert.equal(workbench.serverProcess(), before);
  });

  it("lists models with their sizes", async () => {
    await workbench.command("Choose Model");
    await workbench.row(/qwen2\.5-coder-1\.5b.*1\.1 GB/).waitFor();
    await workbench.row(/qwen2\.5-coder-0\.5b.*491 MB.*on this machine/).waitFor();
    await workbench.picture("models");
    await workbench.choose(/qwen2\.5-coder-0\.5b/);
    await workbench.reach("ready");
  });

  it("refreshes the index", async () => {
    await workbench.command("Refresh Index of the Workspace");
    await workbench.reach("ready");
  });

  it("shows statistics, with what it costs the editor itself", async () => {
    await workbench.file("summary.py");
    await editor.toEnd();
    await editor.type(PASSAGE);
    await workbench.command("Show Statistics");
    await until("the report", async () => (await editor.activeFile()).startsWith("statistics"));
    await workbench.picture("statistics");
    console.log(await editor.lineWith("time per key"));
    await workbench.closeEditor();
  });

  it("runs the doctor", async () => {
    await workbench.command("Run Doctor");
    await until("the report", async () => (await editor.activeFile()).startsWith("doctor"));
    await workbench.picture("doctor");
    await workbench.closeEditor();
  });

  it("copies what a bug report needs, without code", async () => {
    await workbench.command("Copy Debug Info");
    await workbench.notification("on the clipboard").waitFor();
    const text = await workbench.page.evaluate(() => navigator.clipboard.readText());
    const info = JSON.parse(text.replaceAll("```json", "").replaceAll("```", ""));
    assert.equal(info.phase.status.state, "ready");
    assert.equal(info.server.settings.completion.multiline, "auto");
    assert.ok(!text.includes("describe(numbers"));
  });

  it("shows its log, its settings and its first steps", async () => {
    await workbench.command("Show Log");
    await workbench.page.locator(".output-view, .panel .output").first().waitFor();
    await workbench.command("Open Settings");
    await workbench.page.locator(".settings-editor .setting-item").first().waitFor();
    await workbench.picture("settings");
    await workbench.command("Get Started");
    await workbench.page.locator(".gettingStartedContainer", { hasText: "Take a suggestion" }).waitFor();
    await workbench.picture("walkthrough");
  });

  it("restarts the server", async () => {
    const before = workbench.serverProcess();
    await workbench.command("Restart Server");
    await until("another process", () => {
      const now = workbench.serverProcess();
      return now !== undefined && now !== before;
    });
    await workbench.reach("ready");
  });

  it("activates fast", async () => {
    await workbench.runCommand("Developer: Show Running Extensions");
    const row = workbench.page.locator(".runtime-extensions-editor .monaco-list-row", { hasText: "rest_lsp" });
    await until("the extension in the list", async () => {
      await workbench.page.locator(".runtime-extensions-editor").hover();
      await workbench.page.mouse.wheel(0, 200);
      return (await row.count()) > 0;
    });
    const [, time] = /Activation:\s*(\d+)/.exec((await row.first().textContent()) ?? "") ?? [];
    console.log(`activation: ${time} ms`);
    assert.ok(time !== undefined);
  });
});
