// A draft tree, drawn: one row per node in depth-first order, edges at the left, what is known of it at the right.

import { element, svg } from "./dom.js";
import { percent } from "./format.js";

const STEP = 16;
const LINE = 22;
const RADIUS = 4.5;

/** Node numbers so that each follows its parent or a finished subtree. */
export function depthFirst(nodes) {
  const children = new Map();
  nodes.forEach((node, number) => children.set(node.parent, [...(children.get(node.parent) ?? []), number]));
  const order = [];
  const walk = (parent) => {
    for (const number of children.get(parent) ?? []) {
      order.push(number);
      walk(number);
    }
  };
  walk(-1);
  return order;
}

/** Rows are as high as their words need, so edges follow them whenever the tree's width changes. */
export function drawTree(nodes, label) {
  const order = depthFirst(nodes);
  const rows = new Map([[-1, element("li", {}, "last token")], ...order.map((number) => [number, describe(nodes[number], number)])]);
  const x = (number) => RADIUS + 2 + STEP * (number < 0 ? 0 : nodes[number].depth);
  for (const [number, row] of rows) row.style.paddingLeft = `${x(number) + RADIUS + 8}px`;
  const drawing = svg("svg", { "aria-hidden": "true" });
  const list = element("ol", { class: "tree", "aria-label": label }, ...rows.values());
  rows.get(-1).prepend(drawing);
  const y = (number) => rows.get(number).offsetTop + LINE / 2;
  const draw = () => {
    drawing.setAttribute("width", Math.max(...[...rows.keys()].map(x)) + RADIUS + 2);
    drawing.setAttribute("height", list.clientHeight);
    drawing.replaceChildren(...lines(nodes, order, x, y));
  };
  new ResizeObserver(draw).observe(list);
  return list;
}

function lines(nodes, order, x, y) {
  const state = (number) => (number < 0 ? "root" : nodes[number].accepted ? "accepted" : "");
  // Accepted edges come last, so that they lie on top.
  const edges = [...order].sort((a, b) => nodes[a].accepted - nodes[b].accepted).map((number) => {
    const parent = nodes[number].parent;
    return svg("path", { class: `edge ${state(number)}`, d: `M${x(parent)} ${y(parent)}V${y(number)}H${x(number)}` });
  });
  const dots = [-1, ...order].map((number) => svg("circle", { class: `node ${state(number)}`, cx: x(number), cy: y(number), r: RADIUS }));
  return [...edges, ...dots];
}

function describe(node, number) {
  const place = node.path ? `${node.path}${node.line === null ? "" : `:${node.line + 1}`}` : "";
  const text = node.text === null ? null : element("span", { class: "text" }, ` ${JSON.stringify(node.text)}`);
  return element(
    "li",
    { class: node.accepted ? "accepted" : null, "data-node": number },
    element("span", { class: "mark" }, node.accepted ? "✓" : "·"),
    `${percent(node.probability)}${node.accepted ? " accepted" : ""}`,
    text,
    ` ${place ? `${place} (${node.source})` : node.source}`,
  );
}
