// The dashboard in a tab: the same page as in a browser, alive, in the editor's colours, with a process that ends with it.
// It reads a record that is there already, and needs no model.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import type { FrameLocator } from "playwright-core";
import { folderWith, PYTHON, REPOSITORY, scratch } from "./surroundings.ts";
import { until } from "./waiting.ts";
import { Workbench } from "./workbench.ts";

const RECORD = `
import sys, time
from pathlib import Path
from rest_lsp.history.writer import Appender
from tests import histories
now = time.time()
appender = Appender(Path(sys.argv[1]) / "history" / "history.sqlite", 1 << 30)
appender.append(list(histories.history(1, 300, first=now - 80_000, last=now - 60)))
appender.close()
`;

/** A cache folder without a model, and with a record of completions. */
function cacheWithRecord(): string {
  const cache = join(scratch(), "cache");
  execFileSync(PYTHON, ["-c", RECORD, cache], { cwd: REPOSITORY });
  return cache;
}

describe("the dashboard", () => {
  let workbench: Workbench;
  let page: FrameLocator;
  const requested = new Set<string>();

  before(async () => {
    const environment = { REST_LSP_MODEL_CACHE_DIR: cacheWithRecord(), REST_LSP_MODEL_OFFLINE: "true" };
    workbench = await Workbench.start({ open: folderWith({ "sums.py": "x = 1\n" }), environment });
    workbench.page.on("request", (request) => requested.add(new URL(request.url()).hostname));
    page = workbench.page.frameLocator("iframe.webview.ready").frameLocator("iframe#active-frame");
    await workbench.reach("error");
  });
  afterEach((test) => workbench.pictureOfFailure(test));
  after(() => workbench?.close());

  const tabs = () => workbench.page.locator(".tab", { hasText: "rest_lsp dashboard" });
  const live = () => page.locator("#live", { hasText: /^Live\./ });
  const theme = () => page.locator("html").getAttribute("data-theme");
  const process_ = () => until("the dashboard's process", () => workbench.dashboardProcess());
  const noProcess = () => until("no process", () => workbench.dashboardProcess() === undefined);

  it("opens in a tab and shows what was recorded, with the tree of the last completion", async () => {
    await workbench.command("Show Dashboard");
    await live().waitFor();
    await page.locator("[data-pass]").first().waitFor();
    assert.equal(await page.locator("#theme").isVisible(), false);
    await page.locator("#totals").scrollIntoViewIfNeeded();
    await workbench.picture("dashboard");
  });

  it("is there once", async () => {
    const before = await process_();
    await workbench.command("Show Dashboard");
    assert.equal(await tabs().count(), 1);
    assert.equal(await process_(), before);
  });

  it("has the colours of the editor, also when they change", async () => {
    assert.equal(await theme(), "dark");
    await workbench.setting("workbench.colorTheme", "Default Light Modern");
    await until("the light page", async () => (await theme()) === "light");
    await workbench.picture("dashboard-light");
  });

  it("stays alive when the server is restarted, and comes back when its own process is killed", async () => {
    const before = await process_();
    await workbench.command("Restart Server");
    await until("the server", () => workbench.serverProcess());
    await live().waitFor();
    assert.equal(await process_(), before);
    process.kill(before, "SIGKILL");
    await until("another process", async () => ![undefined, before].includes(workbench.dashboardProcess()));
    await live().waitFor();
  });

  it("ends its process with its tab", async () => {
    await workbench.closeEditor();
    await noProcess();
  });

  it("comes back with the window, and with it its process goes", async () => {
    await workbench.command("Show Dashboard");
    await live().waitFor();
    const before = await process_();
    await until("the tab in what the window remembers", () => workbench.remembers("restLsp.dashboard"));
    await workbench.page.reload();
    // The window may remember another tab as the one in front; one behind it is drawn when it is looked at.
    await tabs().click();
    await until("another process", async () => ![undefined, before].includes(workbench.dashboardProcess()));
    await live().waitFor();
    await until("the end of the former", () => !workbench.isRunning(before));
  });

  it("is there once, also when the window remembers a tab that nobody has looked at since", async () => {
    await workbench.file("sums.py");
    await until("the file in front", () => workbench.remembers("sums.py"));
    await workbench.page.reload();
    await workbench.reach("error");
    await workbench.page.locator('.tab.active[data-resource-name="sums.py"]').waitFor();
    await workbench.command("Show Dashboard");
    await live().waitFor();
    assert.equal(await tabs().count(), 1);
  });

  it("asks nobody but the workbench", () => {
    // What has that ending, files of the tab, is answered by the workbench itself; what has no host is data.
    const others = [...requested].filter((host) => !["127.0.0.1", ""].includes(host));
    assert.deepEqual(
      others.filter((host) => !host.endsWith(".vscode-resource.vscode-cdn.net")),
      [],
    );
  });
});
