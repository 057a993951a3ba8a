// Elements from data.  Text is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Rows of cells under heads; a head that begins with "#" is of numbers, one with "=" of bars that show them once more. */
export function table(caption, heads, rows) {
  const kinds = heads.map((head) => ({ "#": "n", "=": "gauge" })[head[0]] ?? null);
  const row = (name, cells) =>
    element("tr", {}, ...cells.map((cell, at) => element(name, { class: cell?.kind ?? kinds[at], scope: name === "th" ? "col" : null }, cell?.content ?? cell)));
  return element(
    "table",
    {},
    element("caption", { class: "hint" }, caption),
    element("thead", {}, row("th", heads.map((head) => head.replace(/^[#=]/, "")))),
    element("tbody", {}, ...rows.map((cells) => row("td", cells))),
  );
}

/** A share of a whole as a bar; the parts are [share, class]. */
export function bar(...parts) {
  let at = 0;
  const drawn = parts.map(([share, kind]) => {
    const made = svg("rect", { x: 100 * at, y: 0, width: 100 * share, height: 8, class: kind });
    at += share;
    return made;
  });
  return svg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: 100, height: 8, class: "all" }), ...drawn);
}
