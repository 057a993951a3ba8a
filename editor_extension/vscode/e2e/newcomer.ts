// The first minutes of a new user, in full: nothing is installed, no model is here, perhaps no network.  It fetches about 1 GB and
// needs root for a server without a network, so it is run by hand:
// e2e/run.sh DIRECTORY e2e/newcomer.ts
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { Editor } from "./editor.ts";
import { folderWith, SERVER, scratch } from "./surroundings.ts";
import { Workbench } from "./workbench.ts";

const MINUTES = 60_000;

describe("a new user", () => {
  let workbench: Workbench;
  let editor: Editor;

  before(async () => {
    const environment = { PYTHONPATH: "", XDG_CACHE_HOME: join(scratch(), "cache") };
    workbench = await Workbench.start({
      open: folderWith({ "sums.py": "def add(a, b):\n" }),
      machine: {},
      environment,
    });
    editor = new Editor(workbench);
  });
  afterEach((test) => workbench.pictureOfFailure(test));
  after(() => workbench?.close());

  it("is offered the server, agrees, and sees it being installed", async () => {
    await workbench.reach("no server");
    await workbench.notification("no server was found").getByText("Install", { exact: true }).click();
    await workbench.page.locator(".monaco-dialog-box").getByRole("button", { name: "Install" }).click();
    await workbench.reach(/^installing: fetching packages \(/, 5 * MINUTES);
    await workbench.picture("newcomer-installing");
    await workbench.reach(/^(starting|loading|downloading)/, 15 * MINUTES);
  });

  it("types, and sees the model being downloaded", async () => {
    await workbench.file("sums.py");
    await editor.toEnd();
    await editor.type("    return ");
    await workbench.reach(/^downloading \d+ %$/, 5 * MINUTES);
    await workbench.picture("newcomer-downloading");
  });

  it("gets the first suggestion without another key", async () => {
    assert.match(await editor.waitForGhost(15 * MINUTES), /a \+ b/);
    await workbench.picture("newcomer-suggestion");
    console.log((await workbench.states()).join("\n"));
  });
});

describe("a new user without a network", () => {
  it("is told which model is missing and what to do", async () => {
    const machine = { "restLsp.command": ["unshare", "--net", ...SERVER] };
    const environment = { XDG_CACHE_HOME: join(scratch(), "cache") };
    const workbench = await Workbench.start({ open: folderWith({ "sums.py": "" }), machine, environment });
    try {
      await workbench.reach("error", 5 * MINUTES);
      const message = workbench.notification("qwen2.5-coder-0.5b");
      console.log(await message.first().textContent());
      await workbench.picture("newcomer-no-network");
    } finally {
      await workbench.close();
    }
  });
});
