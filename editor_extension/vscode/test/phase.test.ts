import { describe, expect, it } from "vitest";
import { menuItems } from "../src/logic/menu";
import { type Phase, present } from "../src/logic/phase";
import type { ServerStatus } from "../src/logic/protocol";

const ON = { enabled: true, disabledLanguages: [] };

function running(status: Partial<ServerStatus>): Phase {
  return { kind: "running", status: { state: "ready", ...status } };
}

describe("the status item", () => {
  it.each<[string, Phase, string]>([
    ["waits", { kind: "idle" }, "waiting for a file"],
    ["looks", { kind: "searching" }, "looking for the server"],
    ["found none", { kind: "missing" }, "no server"],
    ["installs", { kind: "installing", step: "fetching packages (torch)" }, "installing: fetching packages (torch)"],
    ["starts", { kind: "starting" }, "starting"],
    ["is stopped", { kind: "stopped" }, "stopped"],
    ["has failed", { kind: "failed", reason: "No such program.", fix: "" }, "error"],
    ["downloads", running({ state: "loading", progress: "downloading 40 %", percent: 40 }), "downloading 40 %"],
    ["loads, in words of an older server", running({ state: "loading", percent: 40 }), "loading 40 %"],
    ["loads", running({ state: "loading" }), "loading"],
    ["indexes", running({ state: "indexing", progress: "1,204 of 3,010 files" }), "indexing 1,204 of 3,010 files"],
    ["is ready", running({}), "ready"],
    ["fetches another model", running({ progress: "downloading 7 %" }), "downloading 7 %"],
    ["is busy", running({ state: "busy" }), "busy"],
    ["is paused", running({ state: "paused", enabled: false }), "paused"],
    ["sleeps", running({ state: "paused", snoozedUntil: 0 }), "paused until 9:05"],
    ["has lost its model", running({ state: "error", reason: "No model.", fix: "Pull it." }), "error"],
  ])("says that it %s", (_, phase, label) => {
    expect(present(phase, ON, "python", () => "9:05").label).toBe(label);
  });

  it("is off for the language of the editor alone", () => {
    const switches = { enabled: true, disabledLanguages: ["markdown"] };
    expect(present(running({}), switches, "markdown").label).toBe("off for markdown");
    expect(present(running({}), switches, "python").label).toBe("ready");
  });

  it("shows a state that comes with every key as an icon alone", () => {
    expect(present(running({ state: "busy" }), ON).text).toBe("$(loading~spin) rest_lsp");
    expect(present(running({}), ON).text).toBe("$(check) rest_lsp");
  });

  it("gives reason and fix of an error", () => {
    const shown = present(running({ state: "error", reason: "No model.", fix: "Pull it." }), ON);
    expect(shown).toMatchObject({ detail: "No model. Pull it.", severity: "error" });
  });

  it("warns of an index that failed while suggestions go on", () => {
    expect(present(running({ reason: "The index is broken." }), ON)).toMatchObject({
      label: "ready",
      severity: "warning",
    });
  });
});

describe("the menu", () => {
  const commands = (phase: Phase, switches = ON) => menuItems(phase, switches, "python").map((item) => item.command);

  it("offers what the server can do while it runs", () => {
    expect(commands(running({}))).toEqual([
      "restLsp.toggle",
      "restLsp.toggleLanguage",
      "restLsp.snooze",
      "restLsp.explain",
      "restLsp.chooseModel",
      "restLsp.reindex",
      "restLsp.dashboard",
      "restLsp.stats",
      "restLsp.doctor",
      "restLsp.copyDebugInfo",
      "restLsp.showLog",
      "restLsp.restart",
      "restLsp.openSettings",
      "restLsp.openWalkthrough",
    ]);
  });

  it("offers to install where there is no server, and nothing that needs one", () => {
    expect(commands({ kind: "missing" })).toEqual([
      "restLsp.install",
      "restLsp.showLog",
      "restLsp.restart",
      "restLsp.openSettings",
      "restLsp.openWalkthrough",
    ]);
  });

  it("does not offer to snooze what is off", () => {
    expect(commands(running({}), { enabled: false, disabledLanguages: [] })).not.toContain("restLsp.snooze");
  });

  it("names what a choice does", () => {
    const labels = menuItems(running({}), { enabled: true, disabledLanguages: ["python"] }, "python");
    expect(labels.map((item) => item.label)).toContain("$(check) Switch on for python");
  });
});
