// Suggestions in flask, with the packaged extension, the real server and the real model.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { Editor } from "./editor.ts";
import { flask, write } from "./surroundings.ts";
import { until } from "./waiting.ts";
import { Workbench } from "./workbench.ts";

// The beginning of a function that flask/helpers.py has, so that the suggestion is drafted from there.
const COPY = `from __future__ import annotations

import os


def get_load_dotenv(default: bool = True) -> bool:
    """Get whether the user has disabled loading default dotenv files by
    setting :envvar:\`FLASK_SKIP_DOTENV\`. The default is \`\`True\`\`, load
    the files.

    :param default: What to return if the env var isn't set.
    """
    val = os.environ.get("FLASK_SKIP_DOTENV")

    if not val:
`;
const SUMMARY = `def describe(numbers: list[int]) -> dict[str, float]:
    """Return the count, the total, the mean, the smallest and the largest."""
`;

describe("suggestions in flask", () => {
  const folder = flask();
  const path = (name: string) => join(folder, "src", "flask", name);
  let workbench: Workbench;
  let editor: Editor;

  before(async () => {
    write(path("loading.py"), COPY);
    write(path("summary.py"), SUMMARY);
    workbench = await Workbench.start({ open: folder });
    editor = new Editor(workbench);
  });
  afterEach((test) => workbench.pictureOfFailure(test));
  after(() => workbench?.close());

  it("loads, indexes, gets ready, and says so", async () => {
    await workbench.reach("ready");
    const states = await workbench.states();
    assert.ok(
      states.some((state) => /^loading/.test(state)),
      `no loading in ${states}`,
    );
    assert.ok(
      states.some((state) => /^indexing [\d,]+ of [\d,]+ files$/.test(state)),
      `no indexing in ${states}`,
    );
  });

  it("shows what follows; Tab takes it, and the saved file holds it", async () => {
    await workbench.file("loading.py");
    await editor.toEnd();
    await editor.type("        return ");
    const ghost = await editor.waitForGhost();
    await workbench.picture("suggestion");
    await editor.press("Tab");
    await editor.waitForNoGhost();
    assert.equal(await editor.saved(path("loading.py")), `${COPY}        return ${ghost}`);
  });

  it("is busy while it writes", async () => {
    assert.ok((await workbench.states()).includes("busy"));
  });

  it("explains where it came from, and opens the place", async () => {
    await editor.type("\n");
    await editor.type("return val.");
    await editor.waitForGhost();
    await workbench.command("Explain Last Suggestion");
    const source = workbench.row("src/flask/helpers.py:").first();
    await source.waitFor();
    await workbench.picture("explanation");
    const label = await source.locator(".label-name").first().textContent();
    const line = Number(/helpers\.py:(\d+)$/.exec(label ?? "")?.[1]);
    await source.click();
    await until("the source's file", async () => (await editor.activeFile()) === "helpers.py");
    assert.equal(await editor.line(), line);
    const drafted = readFileSync(path("helpers.py"), "utf8").split("\n");
    assert.match(drafted.slice(line - 3, line + 2).join("\n"), /val/);
  });

  it("shows several lines; Tab takes them all", async () => {
    await workbench.file("summary.py");
    await editor.toEnd();
    await editor.type("    ");
    const ghost = await editor.waitForGhost();
    await workbench.picture("several-lines");
    assert.ok(ghost.split("\n").length > 2, `one line only: ${ghost}`);
    await editor.press("Tab");
    await editor.waitForNoGhost();
    assert.equal(await editor.saved(path("summary.py")), `${SUMMARY}    ${ghost}`);
  });

  it("is taken by word and by line", async () => {
    await editor.press("Control+a");
    await editor.press("Delete");
    await editor.type(SUMMARY.replace("\n    ", "\n").trimEnd());
    await editor.type("\n");
    await workbench.command("Suggest Now");
    const ghost = await editor.waitForGhost();
    await editor.press("Control+ArrowRight");
    const [word = ""] = ghost.split(" ");
    await until("the word", async () => (await editor.saved(path("summary.py"))).includes(`    ${word}`));
    await until("the rest of it", async () => ghost.endsWith(await editor.waitForGhost()));
    await editor.press("Control+Alt+ArrowRight");
    const [first = ""] = ghost.split("\n");
    await until("the line", async () => (await editor.saved(path("summary.py"))).includes(`    ${first}`));
  });
});
