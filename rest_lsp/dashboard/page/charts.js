// Charts by uPlot, each in a figure with its readings in words, for mouse, keyboard and screen reader alike.

import { element, table } from "./dom.js";
import { moment } from "./format.js";

const COLOURS = ["--c1", "--c2", "--c3"];
const HEIGHT = 180;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * `series` are {label, format, points, bars, line}; `x` is {label, format} or nothing for time; `log` is the y axis.
 * `draw(xs, columns, step)` shows other data; `restyle()` takes over other colours.
 */
export class Chart {
  constructor(place, { title, about, series, x = null, log = false, range = null }) {
    Object.assign(this, { title, series, x, log, range });
    this.plotted = null;
    this.data = null;
    this.plot = element("div", { class: "plot", tabindex: "0", role: "img", "aria-label": title, onkeydown: (event) => this.read(event) });
    this.reading = element("ul", { class: "reading", "aria-live": "polite" });
    this.values = element("div", { class: "values", tabindex: "0", role: "region", "aria-label": `Values: ${title}` });
    const details = element("details", { ontoggle: () => this.list() }, element("summary", {}, "Values"), this.values);
    this.details = details;
    place.append(element("figure", {}, element("figcaption", {}, title), element("p", { class: "about" }, about), this.plot, this.reading, details));
    new ResizeObserver(() => this.plotted?.setSize({ width: this.plot.clientWidth, height: HEIGHT })).observe(this.plot);
  }

  draw(xs, columns, step = 0) {
    this.data = [xs, ...columns];
    this.step = step;
    if (this.plotted === null) this.restyle();
    else this.plotted.setData(this.data);
    this.tell(null);
    this.list();
  }

  restyle() {
    if (this.data === null) return;
    this.plotted?.destroy();
    this.plotted = new uPlot(this.options(), this.data, this.plot);
  }

  options() {
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const write = (_, splits) => splits.map((value) => (value === null ? null : this.series[0].format(value)));
    return {
      width: this.plot.clientWidth || 300,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { setScale: false, x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: this.x === null }, y: { distr: this.log ? 3 : 1, range: this.range ?? undefined } },
      axes: [axis, { ...axis, size: 62, values: write }],
      series: [{}, ...this.series.map((each, at) => this.line(each, colour(COLOURS[at])))],
      hooks: { setCursor: [(plotted) => this.tell(plotted.cursor.idx)] },
    };
  }

  line(each, stroke) {
    return {
      label: each.label,
      stroke,
      width: each.points ? 0 : 2,
      fill: each.bars ? stroke : undefined,
      dash: each.dash,
      spanGaps: true,
      paths: each.bars ? uPlot.paths.bars({ size: [0.7, 40] }) : each.points ? () => null : undefined,
      points: { show: each.points || undefined, size: each.points ? 8 : 4, fill: stroke },
    };
  }

  read(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || this.data === null || !this.data[0].length) return;
    event.preventDefault();
    const last = this.data[0].length - 1;
    const at = Math.min(last, Math.max(0, (this.plotted.cursor.idx ?? last + (step < 0)) + step));
    this.plotted.setCursor({ left: this.plotted.valToPos(this.data[0][at], "x"), top: HEIGHT / 2 });
    this.tell(at);
  }

  name(at) {
    const value = this.data[0][at];
    return this.x === null ? moment(value, this.step) : this.x.format(value);
  }

  /** The values under the cursor, else over time the newest that are known, and else those where most is known. */
  tell(cursor) {
    const isAtRest = cursor === null || cursor === undefined;
    const at = isAtRest && this.x !== null ? this.fullest() : cursor;
    const isNamed = at !== null && at !== undefined;
    const pick = (column) => (isNamed ? column[at] : column.findLast((value) => value !== null)) ?? null;
    const items = this.series.map((each, number) =>
      element("li", {}, element("span", { class: `swatch s${number}` }), `${each.label} ${each.format(pick(this.data[number + 1]))}`),
    );
    const name = isNamed ? [element("li", {}, this.x === null ? this.name(at) : `${this.x.label} ${this.name(at)}`)] : [];
    this.reading.replaceChildren(...name, ...items);
    if (isAtRest) this.plot.setAttribute("aria-label", `${this.title}: ${[...name, ...items].map((item) => item.textContent).join(", ")}`);
  }

  /** The last place where as many values are known as anywhere. */
  fullest() {
    const known = this.data[0].map((_, at) => this.data.slice(1).filter((column) => column[at] !== null).length);
    const at = known.lastIndexOf(Math.max(...known));
    return at < 0 ? null : at;
  }

  list() {
    if (!this.details.open || this.data === null) return;
    const heads = [this.x === null ? "Time" : this.x.label, ...this.series.map((each) => `#${each.label}`)];
    const known = this.data[0].map((_, at) => at).filter((at) => this.data.slice(1).some((column) => column[at] !== null));
    const rows = known.map((at) => [this.name(at), ...this.series.map((each, number) => each.format(this.data[number + 1][at]))]);
    this.values.replaceChildren(table(this.title, heads, rows));
  }
}
