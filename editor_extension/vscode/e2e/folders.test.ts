// What may be open: nothing, an empty folder, one file, two folders, a notebook, a folder that is not trusted.
import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { Editor } from "./editor.ts";
import { folderWith, SERVER, scratch, write } from "./surroundings.ts";
import { type Wishes, Workbench } from "./workbench.ts";

const SUM = "def add(a, b):\n";
const CELL = { cell_type: "code", execution_count: null, metadata: {}, outputs: [], source: ["def add(a, b):"] };
const NOTEBOOK = { cells: [CELL], metadata: { language_info: { name: "python" } }, nbformat: 4, nbformat_minor: 5 };

describe("what may be open", () => {
  let workbench: Workbench;
  let editor: Editor;

  async function start(wishes: Wishes): Promise<void> {
    workbench = await Workbench.start(wishes);
    editor = new Editor(workbench);
  }
  afterEach(async (test) => {
    await workbench.pictureOfFailure(test);
    await workbench.close();
  });

  async function completes(): Promise<void> {
    await editor.toEnd();
    await editor.type("    return ");
    assert.match(await editor.waitForGhost(), /a \+ b/);
  }

  it("nothing: no server is started until there is a document", async () => {
    await start({});
    assert.equal(await workbench.state(), "waiting for a file");
    await workbench.runCommand("Create: New File...");
    await workbench.choose("Text File");
    await workbench.reach("ready");
    await editor.toEnd();
    await editor.type("def add(a, b):\n    return ");
    assert.match(await editor.waitForGhost(), /a \+ b/);
  });

  it("an empty folder", async () => {
    await start({ open: folderWith({}) });
    await workbench.reach("ready");
  });

  it("two folders, in both of which suggestions appear", async () => {
    const [first, second] = [folderWith({ "one.py": SUM }, "first"), folderWith({ "two.py": SUM }, "second")];
    const file = join(scratch(), "both.code-workspace");
    write(file, JSON.stringify({ folders: [{ path: first }, { path: second }] }));
    await start({ open: file });
    await workbench.reach("ready");
    await workbench.file("two.py");
    await completes();
    await workbench.file("one.py");
    await completes();
  });

  it("a notebook", async () => {
    await start({ open: folderWith({ "sums.ipynb": JSON.stringify(NOTEBOOK) }) });
    await workbench.reach("ready");
    await workbench.quickOpen("sums.ipynb");
    await workbench.page.locator(".notebookOverlay .cell .monaco-editor .view-lines").first().click();
    await editor.press("Control+End");
    await editor.type("\nreturn ");
    assert.match(await editor.waitForGhost(), /a \+ b/);
  });

  it("a folder that is not trusted cannot name the program", async () => {
    const folder = folderWith({
      "sums.py": SUM,
      ".vscode/settings.json": JSON.stringify({ "restLsp.command": ["/nowhere/evil"] }),
    });
    await start({ open: folder, trusted: false, machine: { "restLsp.command": SERVER } });
    await workbench.reach("ready");
    assert.ok(!workbench.log().includes("evil"));
  });
});
