// A draft tree, drawn: one row per node in depth-first order, edges at the left, what is known of it at the right.

import { element, svg } from "./dom.js";
import { percent } from "./format.js";

const STEP = 16;
const ROW = 22;
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

export function drawTree(nodes, label) {
  const order = depthFirst(nodes);
  const row = new Map(order.map((number, at) => [number, at + 1]));
  row.set(-1, 0);
  const x = (number) => RADIUS + 2 + STEP * (number < 0 ? 0 : nodes[number].depth);
  const y = (number) => ROW * (row.get(number) + 0.5);
  const width = RADIUS * 2 + 8 + STEP * Math.max(0, ...nodes.map((node) => node.depth));
  const state = (number) => (number < 0 ? "root" : nodes[number].accepted ? "accepted" : "");
  // Accepted edges come last, so that they lie on top.
  const edges = [...order].sort((a, b) => nodes[a].accepted - nodes[b].accepted).map((number) => {
    const parent = nodes[number].parent;
    return svg("path", { class: `edge ${state(number)}`, d: `M${x(parent)} ${y(parent)}V${y(number)}H${x(number)}` });
  });
  const dots = [-1, ...order].map((number) => svg("circle", { class: `node ${state(number)}`, cx: x(number), cy: y(number), r: RADIUS }));
  const drawing = svg("svg", { width, height: ROW * (order.length + 1), "aria-hidden": "true" }, ...edges, ...dots);
  const rows = order.map((number) => describe(nodes[number], number));
  const list = element("ol", { class: "tree", "aria-label": label, tabindex: "0" }, element("li", {}, "last token"), ...rows);
  for (const item of list.children) item.style.paddingLeft = `${width + 4}px`;
  list.firstElementChild.prepend(drawing);
  return list;
}

function describe(node, number) {
  const place = node.path ? `${node.path}${node.line === null ? "" : `:${node.line + 1}`}` : "";
  const text = node.text === null ? null : element("span", { class: "text" }, ` ${JSON.stringify(node.text)}`);
  return element(
    "li",
    {
      class: node.accepted ? "accepted" : null,
      title: [place, node.source].filter(Boolean).join(", "),
      "data-node": number,
      "data-parent": node.parent,
      "data-depth": node.depth,
      "data-probability": node.probability,
      "data-accepted": node.accepted,
      "data-source": node.source,
      "data-place": place,
    },
    element("span", { class: "mark" }, node.accepted ? "✓" : "·"),
    `${percent(node.probability)}${node.accepted ? " accepted" : ""}`,
    text,
    `  ${place || node.source}${place ? ` (${node.source})` : ""}`,
  );
}
