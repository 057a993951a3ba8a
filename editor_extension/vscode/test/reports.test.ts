import { describe, expect, it } from "vitest";
import { isUnknownCommand } from "../src/logic/protocol";
import {
  doctorReport,
  doubts,
  explanationTitle,
  modelItems,
  sourceItems,
  statisticsReport,
} from "../src/logic/reports";
import { KeystrokeTiming, percentile } from "../src/logic/timing";

describe("explanations", () => {
  const explanation = {
    tokens: 12,
    forwards: 4,
    accepted: 8,
    sources: [
      { path: "a.py", line: 0, tokens: 1 },
      { path: "src/b.py", line: 41, tokens: 7 },
    ],
  };

  it("names the largest source first, with its line as people count", () => {
    expect(sourceItems(explanation).map((item) => [item.label, item.description])).toEqual([
      ["src/b.py:42", "7 tokens"],
      ["a.py:1", "1 token"],
    ]);
  });

  it("says what drafting saved", () => {
    expect(explanationTitle(explanation)).toBe("8 of 12 tokens were drafted; the model ran 4 times");
  });
});

describe("models", () => {
  const small = {
    name: "small",
    description: "For a laptop",
    bytes: 491_400_064,
    present: true,
    fits: true,
    current: true,
  };
  const large = {
    name: "large",
    description: "For a GPU",
    bytes: 1.1e9,
    present: false,
    fits: false,
    note: "Too large.",
  };

  it("says size, presence and fit", () => {
    const [first, second] = modelItems([small, large]);
    expect(first).toMatchObject({ label: "$(check) small", description: "491 MB · on this machine" });
    expect(second?.description).toBe("1.1 GB · to be fetched · too large for this machine");
  });

  it("asks before it fetches or takes what does not fit", () => {
    expect(doubts(small)).toBe("");
    expect(doubts(large)).toBe("Too large.");
    expect(doubts({ ...large, note: null })).toBe("It must be fetched first.");
  });
});

describe("reports", () => {
  it("lists what is wrong first, with its fix", () => {
    const report = doctorReport([
      { name: "python", state: "ok", text: "3.11" },
      { name: "model", state: "failed", text: "is missing", fix: "Pull it." },
    ]);
    expect(report.split("\n").slice(2, -1)).toEqual(["✗ model   is missing", "          Pull it.", "✓ python  3.11"]);
  });

  it("shows the numbers that are there and passes over those that are not", () => {
    const report = statisticsReport({ requests: 7, suggestions: { shown: 3 } }, new KeystrokeTiming().summary());
    expect(report).toContain("Requests  7\nShown     3\n");
    expect(report).not.toContain("Taken whole");
  });

  it("knows a command that the server does not have", () => {
    expect(isUnknownCommand(Object.assign(new Error("Method Not Found"), { code: -32601 }))).toBe(true);
    expect(isUnknownCommand(new Error("No such file"))).toBe(false);
  });
});

describe("timing", () => {
  it("adds up what one key costs, and starts anew with the next", () => {
    let now = 0;
    const timing = new KeystrokeTiming(() => ({ clock: 2 * now, processor: now }));
    const work = (milliseconds: number) => timing.measure(() => (now += milliseconds));
    timing.key();
    work(1);
    work(2);
    timing.key();
    work(5);
    expect(timing.summary()).toEqual({
      keys: 2,
      p50: { clock: 6, processor: 3 },
      p95: { clock: 10, processor: 5 },
    });
    const report = statisticsReport({}, timing.summary());
    expect(report).toContain("time per key  6 ms, 95 % up to 10 ms (at work 3 ms, up to 5 ms)");
  });

  it("is 0 of nothing", () => {
    expect(percentile([], 95)).toBe(0);
    expect(percentile([3, 1, 2], 50)).toBe(2);
  });
});
