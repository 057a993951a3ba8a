// Statistics, checks and explanations in words.  Takes whatever a server sends and passes over what it does not know.
import type { Check, Explanation, Model, Source } from "./protocol";
import type { TimingSummary } from "./timing";

type Fields = Readonly<Record<string, unknown>>;

/** The statistics of this session as text in columns. */
export function statisticsReport(stats: Fields, timing: TimingSummary): string {
  const taken = fields(stats["suggestions"]);
  const outcomes = Object.entries(fields(stats["outcomes"]) ?? {});
  return [
    "Statistics of this session",
    "",
    ...columns([
      ["Requests", number(stats["requests"])],
      ...outcomes.map(([name, count]): Row => [`  ${name.replaceAll("_", " ")}`, number(count)]),
      ["Shown", number(taken?.["shown"])],
      ["Taken whole", number(taken?.["accepted_whole"])],
      ["Taken by word", number(taken?.["accepted_word"])],
      ["Taken by line", number(taken?.["accepted_line"])],
      ["Characters not typed", number(taken?.["characters_not_typed"])],
      ["Median wait", number(stats["median_wait_ms"], "ms")],
      ["Tokens", number(stats["tokens"])],
      ["Tokens per pass of the model", number(stats["tokens_per_forward"])],
      ["Editor's own time per key", timing.keys === 0 ? undefined : timePerKey(timing)],
    ]),
    "",
    "All that the server counted",
    "",
    JSON.stringify(stats, null, 2),
    "",
  ].join("\n");
}

function timePerKey({ p50, p95 }: TimingSummary): string {
  return `${p50.clock} ms, 95 % up to ${p95.clock} ms (at work ${p50.processor} ms, up to ${p95.processor} ms)`;
}

/** The checks of the doctor as text, what is wrong first. */
export function doctorReport(checks: readonly Check[]): string {
  const marks = { failed: "✗", warning: "!", ok: "✓" } as const;
  const order = ["failed", "warning", "ok"] as const;
  const sorted = order.flatMap((state) => checks.filter((check) => check.state === state));
  const width = Math.max(0, ...checks.map((check) => check.name.length));
  const lines = sorted.flatMap((check) => [
    `${marks[check.state]} ${check.name.padEnd(width)}  ${check.text}`,
    ...(check.fix ? [`  ${" ".repeat(width)}  ${check.fix}`] : []),
  ]);
  return ["What a suggestion needs", "", ...lines, ""].join("\n");
}

/** A sentence above the list of sources. */
export function explanationTitle(explanation: Explanation): string {
  const drafted = `${explanation.accepted} of ${explanation.tokens} tokens were drafted`;
  return `${drafted}; the model ran ${explanation.forwards} times`;
}

export interface SourceItem {
  readonly label: string;
  readonly description: string;
  readonly source: Source;
}

/** One line for each place that a suggestion came from, the largest share first. */
export function sourceItems(explanation: Explanation): SourceItem[] {
  return [...explanation.sources]
    .sort((left, right) => right.tokens - left.tokens)
    .map((source) => ({
      label: `${source.path}:${source.line + 1}`,
      description: source.tokens === 1 ? "1 token" : `${source.tokens} tokens`,
      source,
    }));
}

export interface ModelItem {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  readonly model: Model;
}

/** One entry for each model: what it is, how large, whether it fits and is here. */
export function modelItems(models: readonly Model[]): ModelItem[] {
  return models.map((model) => ({
    label: `${model.current ? "$(check) " : ""}${model.name}`,
    description: [
      typeof model.bytes === "number" ? size(model.bytes) : "",
      model.present ? "on this machine" : "to be fetched",
      model.fits === false ? "too large for this machine" : "",
    ]
      .filter((part) => part !== "")
      .join(" · "),
    detail: [model.description, model.note ?? ""].filter((part) => part !== "").join(". "),
    model,
  }));
}

/** What to think of before this model is used, or nothing. */
export function doubts(model: Model): string {
  return model.present && model.fits !== false ? "" : (model.note ?? "It must be fetched first.");
}

/** "491 MB". */
export function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

type Row = readonly [name: string, value: string | undefined];

function columns(rows: readonly Row[]): string[] {
  const known = rows.filter(([, value]) => value !== undefined);
  const width = Math.max(0, ...known.map(([name]) => name.length));
  return known.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

function number(value: unknown, unit = ""): string | undefined {
  return typeof value === "number" ? `${value.toLocaleString("en-US")} ${unit}`.trim() : undefined;
}

function fields(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}
