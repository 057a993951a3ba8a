// A notebook in the workbench: what the server sees of the cells around.  The server is the real one with a session that
// needs no model: it repeats what stands behind the last `say:` before the cursor.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { Editor } from "./editor.ts";
import { folderWith, PYTHON, REPOSITORY } from "./surroundings.ts";
import { Workbench } from "./workbench.ts";

function markdown(source: string): object {
  return { cell_type: "markdown", metadata: {}, source: [source] };
}

function code(source: string): object {
  return { cell_type: "code", execution_count: null, metadata: {}, outputs: [], source: [source] };
}

describe("a notebook", () => {
  const notebook = {
    cells: [markdown("# Sums"), code("say:ledger"), code(""), code("print(1)"), markdown("say:prose"), code("")],
    metadata: { language_info: { name: "python" } },
    nbformat: 4,
    nbformat_minor: 5,
  };
  const folder = folderWith({ "sums.ipynb": JSON.stringify(notebook) });
  let workbench: Workbench;
  let editor: Editor;

  before(async () => {
    workbench = await Workbench.start({
      open: folder,
      machine: { "restLsp.command": [PYTHON, "-m", "tests.e2e.fake_server"] },
      environment: { PYTHONPATH: REPOSITORY },
    });
    editor = new Editor(workbench);
    await workbench.reach("ready");
    await workbench.quickOpen("sums.ipynb");
  });
  afterEach((test) => workbench.pictureOfFailure(test));
  after(() => workbench?.close());

  /** Puts the cursor at the end of a code cell. */
  async function toCell(number: number): Promise<void> {
    await workbench.page.locator(".notebookOverlay .cell .monaco-editor .view-lines").nth(number).click();
    await editor.press("Control+End");
  }

  async function sources(): Promise<string[]> {
    const { cells } = JSON.parse(await editor.saved(join(folder, "sums.ipynb")));
    return cells.map((cell: { source: string[] }) => cell.source.join(""));
  }

  it("is read from its first cell to the cursor, and the answer stays in its cell", async () => {
    await toCell(1);
    await workbench.command("Suggest Now");
    assert.equal(await editor.waitForGhost(), "ledger");
    await workbench.picture("notebook");
    await editor.press("Tab");
    assert.deepEqual(await sources(), ["# Sums", "say:ledger", "ledger", "print(1)", "say:prose", ""]);
  });

  it("is read with its Markdown", async () => {
    await toCell(3);
    await workbench.command("Suggest Now");
    assert.equal(await editor.waitForGhost(), "prose");
  });

  it("is followed while cells are edited", async () => {
    await toCell(0);
    await editor.type("_of_may");
    await toCell(1);
    await editor.press("Control+a");
    await editor.press("Delete");
    await workbench.command("Suggest Now");
    assert.equal(await editor.waitForGhost(), "ledger_of_may");
  });
});
