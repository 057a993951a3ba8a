// The server as a process: killed, wrongly named, not there, without a model.
import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { Editor } from "./editor.ts";
import { folderWith, SERVER, scratch } from "./surroundings.ts";
import { until } from "./waiting.ts";
import { type Wishes, Workbench } from "./workbench.ts";

/** Programs are looked for nowhere, also not where a login shell would; and no Python knows the tested server. */
const NOTHING_INSTALLED = { PATH: scratch(), PYTHONPATH: "", VSCODE_CLI: "1" };

describe("the server", () => {
  let workbench: Workbench;

  async function start(wishes: Wishes = {}): Promise<void> {
    workbench = await Workbench.start({ open: folderWith({ "sums.py": "def add(a, b):\n" }), ...wishes });
  }
  afterEach(async (test) => {
    await workbench.pictureOfFailure(test);
    await workbench.close();
  });

  async function completes(): Promise<void> {
    const editor = new Editor(workbench);
    await workbench.file("sums.py");
    await editor.toEnd();
    await editor.type("    return ");
    assert.match(await editor.waitForGhost(), /a \+ b/);
  }

  it("comes back when it is killed", async () => {
    await start();
    await workbench.reach("ready");
    const killed = await until("the server's process", () => workbench.serverProcess());
    process.kill(killed, "SIGKILL");
    await until("another process", () => ![undefined, killed].includes(workbench.serverProcess()));
    await workbench.reach("ready");
    await completes();
  });

  it("goes on when the shared process is killed", async () => {
    await start();
    await workbench.reach("ready");
    const [front, killed] = [workbench.serverProcess(), await until("the daemon", () => workbench.daemonProcess())];
    process.kill(killed, "SIGKILL");
    await until("another daemon", () => ![undefined, killed].includes(workbench.daemonProcess()));
    await workbench.reach("ready");
    await completes();
    assert.equal(workbench.serverProcess(), front);
  });

  it("suggests by itself when the model is there, to who typed before", async () => {
    await start();
    const editor = new Editor(workbench);
    await workbench.file("sums.py");
    await editor.toEnd();
    await editor.type("    return ");
    const typedIn = await workbench.state();
    assert.match(await editor.waitForGhost(), /a \+ b/);
    assert.ok(typedIn.startsWith("loading") || typedIn === "starting", `typed while ${typedIn}`);
  });

  it("is not started from a wrong path, says so once, and starts when the setting is corrected", async () => {
    await start({ machine: { "restLsp.command": ["/nowhere/rest-lsp", "serve"] } });
    await workbench.reach("error");
    const message = workbench.notification("/nowhere/rest-lsp cannot be started: there is no such program.");
    await message.getByText("Open Settings").waitFor();
    await workbench.picture("wrong-path");
    assert.equal(await message.count(), 1);
    await workbench.page.locator("[id$='restLsp.status']").click();
    await workbench.row("Restart server").waitFor();
    await workbench.page.keyboard.press("Escape");
    await workbench.setting("restLsp.command", SERVER, "Remote");
    await workbench.reach("ready");
    await completes();
  });

  it("is given up when a program is named that is no server, with that program's words", async () => {
    await start({ machine: { "restLsp.command": [SERVER[0], "-c", "raise SystemExit('this is no server')"] } });
    await workbench.reach("error");
    await workbench.notification("this is no server").getByText("Open Settings").waitFor();
  });

  it("is offered to be installed where there is none; without Python it says what is needed", async () => {
    await start({ machine: {}, environment: NOTHING_INSTALLED });
    await workbench.reach("no server");
    await workbench.picture("no-server");
    await workbench.notification("no server was found").getByText("Install", { exact: true }).click();
    const dialog = workbench.page.locator(".monaco-dialog-box");
    await dialog.getByText("about 1 GB").waitFor();
    await workbench.picture("consent");
    await dialog.getByRole("button", { name: "Install" }).click();
    await workbench.notification("No Python was found. Install Python 3.10 or later").waitFor();
    await workbench.reach("no server");
  });

  it("says which model is missing when it must not fetch it", async () => {
    const environment = { XDG_CACHE_HOME: join(scratch(), "cache"), REST_LSP_MODEL_OFFLINE: "true" };
    await start({ environment });
    await workbench.reach("error");
    await workbench
      .notification(/qwen2\.5-coder.*is not/)
      .first()
      .waitFor();
    await workbench.picture("no-model");
  });
});
