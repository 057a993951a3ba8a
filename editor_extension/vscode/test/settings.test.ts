import { describe, expect, it } from "vitest";
import manifest from "../package.json";
import { type Inspected, nested, serverKeys, togglesNeeded, withLanguage } from "../src/logic/settings";

const ON = { enabled: true, disabledLanguages: [] };

describe("what the server is told", () => {
  it("knows the server's settings from package.json, and leaves its own out", () => {
    const keys = serverKeys(manifest.contributes.configuration);
    expect(keys).toContain("restLsp.completion.multiline");
    expect(keys.filter((key) => key.split(".").length !== 3)).toEqual([]);
  });

  it("sends only what somebody set, nested by section, the narrowest scope first", () => {
    const values: Record<string, Inspected> = {
      "restLsp.completion.topK": { globalValue: 20, workspaceValue: 5 },
      "restLsp.completion.seed": {},
      "restLsp.model.cacheDir": { globalValue: null },
      "restLsp.drafting.enabled": { globalValue: false },
    };
    expect(nested(Object.keys(values), (key) => values[key])).toEqual({
      completion: { topK: 5 },
      drafting: { enabled: false },
    });
  });
});

describe("switches", () => {
  it("adds and removes a language", () => {
    expect(withLanguage(["python"], "c", true)).toEqual(["c", "python"]);
    expect(withLanguage(["c", "python"], "c", false)).toEqual(["python"]);
  });

  it("needs no command when the server agrees", () => {
    expect(togglesNeeded(ON, { state: "ready", enabled: true, disabledLanguages: [] })).toEqual([]);
  });

  it("brings a server that has just started in line", () => {
    const switches = { enabled: false, disabledLanguages: ["markdown"] };
    expect(togglesNeeded(switches, { state: "ready", enabled: true, disabledLanguages: ["c"] })).toEqual([
      [null, false],
      ["markdown", false],
      ["c", true],
    ]);
  });

  it("asks nothing of a server that does not report its switches", () => {
    expect(togglesNeeded({ enabled: false, disabledLanguages: ["c"] }, { state: "ready" })).toEqual([]);
  });
});
