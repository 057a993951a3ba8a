// At a glance, over time, and how well drafts are judged.

import { Chart } from "./charts.js";
import { bar, element, table } from "./dom.js";
import { bytes, count, duration, ms, percent, quotient, ratio } from "./format.js";

const shares = (above, below) => (data) => data.series[above].map((value, at) => quotient(value, data.series[below][at]));

const OVER_TIME = [
  {
    title: "Tokens per forward pass",
    about: "1 is plain decoding; the rest was drafted and accepted.",
    series: [{ label: "tokens per pass", format: ratio, of: shares("tokens", "passes") }],
  },
  {
    title: "Time saved",
    about: "Against plain decoding at the pace of the same passes. An estimate; negative where drafts cost more than they brought.",
    series: [{ label: "saved", format: duration, bars: true, of: (data) => data.series.saved_ms }],
  },
  {
    title: "Acceptance",
    about: "Drafted tokens that the model would have written itself, and takings per suggestion shown.",
    series: [
      { label: "drafted tokens", format: percent, of: shares("accepted", "drafted") },
      { label: "suggestions", format: percent, of: shares("taken", "shown") },
    ],
  },
  {
    title: "Waiting time",
    about: "From request to answer where the model was asked; log scale.",
    log: true,
    series: ["p50", "p95", "p99"].map((name) => ({ label: name, format: ms, of: (data) => data.waits[name].series })),
  },
  {
    title: "Cache hits",
    about: "Prompt tokens that the KV cache still knew, and requests that an earlier suggestion answered.",
    series: [
      { label: "KV cache", format: percent, of: shares("reused", "prompt_tokens") },
      { label: "suggestions", format: percent, of: shares("from_cache", "requests") },
    ],
  },
  {
    title: "Memory",
    about: "Of all serving processes together: resident, of which the KV caches; indexes, mapped from disk. What windows share counts once.",
    series: [
      { label: "process", format: bytes, of: (data) => data.memory.memory },
      { label: "KV cache", format: bytes, of: (data) => data.memory.kv },
      { label: "indexes", format: bytes, of: (data) => data.memory.store },
    ],
  },
];

export class Overview {
  constructor(page) {
    this.page = page;
    this.charts = OVER_TIME.map((described) => new Chart(page.charts, described));
    this.calibration = new Chart(page.judgement, {
      title: "Calibration",
      about: "What drafted tokens promised, against the share that was accepted. On the line, a promise is kept.",
      x: { label: "Promised", format: percent },
      range: [0, 1],
      series: [
        { label: "kept", format: percent, points: true },
        { label: "as promised", format: percent, dash: [4, 4] },
      ],
    });
    this.cost = new Chart(page.judgement, {
      title: "Cost of a pass",
      about: "T(n), milliseconds to verify n tokens: measured once on this machine, and in real passes since.",
      x: { label: "Tokens in the pass", format: count },
      series: [
        { label: "real passes", format: ms, points: true },
        { label: "measured", format: ms },
      ],
    });
  }

  show(data) {
    for (const [at, described] of OVER_TIME.entries()) {
      this.charts[at].draw(data.at, described.series.map((each) => each.of(data)), data.step);
    }
    this.page.totals.replaceChildren(...tiles(data).map(([name, value, small]) => element("div", {}, element("dt", {}, name), element("dd", {}, value), element("dd", { class: "small" }, small))));
    this.calibration.draw(...calibration(data.promises));
    this.cost.draw(...costs(data));
    this.page.sources.replaceChildren(files(data.sources));
    this.page.kinds.replaceChildren(kinds(data.kinds));
  }

  restyle() {
    for (const chart of [...this.charts, this.calibration, this.cost]) chart.restyle();
  }
}

function tiles({ totals, waits }) {
  const speed = quotient(totals.decode_ms + totals.saved_ms, totals.decode_ms);
  return [
    ["Tokens per pass", ratio(quotient(totals.tokens, totals.passes)), `${count(totals.tokens)} tokens in ${count(totals.passes)} passes`],
    ["Time saved", duration(totals.saved_ms), `decoding ${ratio(speed)}× as fast as plain, an estimate`],
    ["Drafted tokens accepted", percent(quotient(totals.accepted, totals.drafted)), `${count(totals.accepted)} of ${count(totals.drafted)}`],
    ["Suggestions taken", count(totals.taken), `${count(totals.shown)} shown, ${count(totals.characters)} characters not typed`],
    ["Waiting, median", ms(waits.p50.total), `p95 ${ms(waits.p95.total)}, p99 ${ms(waits.p99.total)}`],
    ["Prompt from KV cache", percent(quotient(totals.reused, totals.prompt_tokens)), `${count(totals.reused)} of ${count(totals.prompt_tokens)} tokens`],
    ["Requests", count(totals.requests), `${count(totals.asked)} asked the model, ${count(totals.from_cache)} answered from before`],
  ];
}

function calibration(promises) {
  const found = [{ promised: 0, kept: null }, ...promises, { promised: 1, kept: null }];
  const xs = found.map((each) => each.promised);
  return [xs, [found.map((each) => each.kept), xs]];
}

function costs(data) {
  const session = data.sessions.find((each) => each.state.step_cost);
  const model = session?.state.model;
  const curve = new Map(Object.values(session?.state.step_cost ?? {}).at(-1) ?? []);
  const real = new Map(data.costs.filter((each) => !model || each.model === model).map((each) => [each.rows, each.ms]));
  const xs = [...new Set([...curve.keys(), ...real.keys()])].sort((a, b) => a - b);
  return [xs, [xs.map((x) => real.get(x) ?? null), xs.map((x) => curve.get(x) ?? null)]];
}

function files(sources) {
  const most = Math.max(1, ...sources.map((each) => each.tokens));
  const rows = sources.map((each, at) => [count(at + 1), { content: each.path, kind: "path" }, count(each.tokens), percent(quotient(each.tokens, each.drafted)), bar([each.tokens / most, "part"])]);
  return table("Files by accepted tokens that were read in them, by whole days", ["#Rank", "File", "#Tokens", "#Accepted", "=Share"], rows);
}

function kinds(found) {
  const rows = found.map((each) => [each.source, count(each.tokens), count(each.drafted), percent(quotient(each.tokens, each.drafted))]);
  return table("Kinds of sources", ["Source", "#Accepted tokens", "#Drafted", "#Accepted"], rows);
}
