// The last completions, and the passes of the one that is chosen.

import { ask } from "./api.js";
import { element, svg } from "./dom.js";
import { ago, count, duration, ms, percent, quotient, ratio } from "./format.js";
import { drawTree } from "./tree.js";

const PARTS = ["prefill", "draft", "verify", "accept"];

export class Completions {
  constructor(page) {
    this.page = page;
    this.chosen = null;
    this.list = element("ol");
    page.completions.append(this.list);
  }

  async refresh(workspace) {
    const found = await ask("completions", { workspace });
    const now = Date.now() / 1000;
    const isFocused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...found.map((each) => element("li", {}, this.button(each, now))));
    if (isFocused) this.list.querySelector('[aria-current="true"]')?.focus();
    if (this.chosen === null && found.length) await this.choose(found[0].id);
  }

  button(each, now) {
    const saved = each.saved_ms === null ? "" : `, saved ${duration(each.saved_ms)}`;
    const taken = each.taken > 0 ? ", taken" : "";
    return element(
      "button",
      { type: "button", "aria-current": String(each.id === this.chosen), "data-id": each.id, onclick: () => this.choose(each.id) },
      element("span", { class: "name" }, each.path || "a buffer without a file"),
      element("span", { class: "what" }, `${ago(each.at, now)}, ${count(each.tokens)} tokens in ${count(each.passes)} passes, ${ms(each.wait_ms)}${saved}${taken}`),
    );
  }

  async choose(id) {
    this.chosen = id;
    for (const button of this.list.querySelectorAll("button")) button.setAttribute("aria-current", String(Number(button.dataset.id) === id));
    try {
      const found = await ask(`completions/${id}`);
      if (this.chosen === id) this.page.completion.replaceChildren(...detail(found));
    } catch (error) {
      this.page.completion.replaceChildren(element("p", { class: "note" }, error.message));
    }
  }
}

function detail(found) {
  const facts = [
    new Date(1000 * found.at).toLocaleString("en"),
    found.model,
    `${count(found.tokens)} tokens in ${count(found.passes.length)} passes, ${ratio(quotient(found.tokens, found.passes.length))} per pass`,
    `${count(found.accepted)} of ${count(found.drafted)} drafted tokens accepted`,
    `prompt ${count(found.prompt_tokens)} tokens, ${percent(quotient(found.reused, found.prompt_tokens))} from the KV cache`,
    `decoded in ${ms(found.decode_ms)}, answered after ${ms(found.wait_ms)}`,
  ];
  return [
    element("h3", {}, found.path || "A buffer without a file"),
    element("p", { class: "facts" }, facts.filter(Boolean).join(" · ")),
    timeline(found),
    element("ul", { class: "key" }, ...PARTS.map((part) => element("li", {}, svg("svg", { viewBox: "0 0 8 8", "aria-hidden": "true" }, svg("rect", { width: 8, height: 8, class: part })), `${part} ${ms(total(found, part))}`))),
    element("div", { class: "passes", tabindex: "0", role: "region", "aria-label": "Passes and their trees" }, ...found.passes.map(pass)),
  ];
}

/** What each pass took; picking and keeping tokens is a part of verifying it. */
function parts(each) {
  return [["draft", each.draft_ms], ["verify", each.verify_ms - each.accept_ms], ["accept", each.accept_ms]];
}

function total(found, part) {
  if (part === "prefill") return found.prefill_ms;
  return found.passes.flatMap(parts).reduce((sum, [name, taken]) => sum + (name === part ? taken : 0), 0);
}

function timeline(found) {
  const all = [["prefill", found.prefill_ms], ...found.passes.flatMap(parts)];
  const whole = all.reduce((sum, [, taken]) => sum + taken, 0) || 1;
  let at = 0;
  const drawn = all.map(([part, taken]) => {
    const made = svg("rect", { class: part, x: (1000 * at) / whole, y: part === "draft" ? 0 : 6, width: Math.max(0.6, (1000 * taken) / whole), height: part === "draft" ? 30 : 18 }, svg("title", {}, `${part} ${ms(taken)}`));
    at += taken;
    return made;
  });
  return svg("svg", { class: "timeline", viewBox: "0 0 1000 30", preserveAspectRatio: "none", role: "img", "aria-label": `Time line: ${PARTS.map((part) => `${part} ${ms(total(found, part))}`).join(", ")}` }, ...drawn);
}

function pass(each, at) {
  const [drafted, accepted] = [each.nodes.length, each.nodes.filter((node) => node.accepted).length];
  const times = parts(each).map(([name, taken]) => `${name} ${ms(taken)}`);
  const what = drafted ? `${drafted} drafted, ${accepted} accepted` : "nothing drafted";
  return element("section", { "data-pass": at, "aria-label": `Pass ${at + 1}` }, element("h4", {}, `Pass ${at + 1}: ${what}`), element("p", { class: "hint" }, times.join(", ")), drafted ? drawTree(each.nodes, `Tree of pass ${at + 1}`) : null);
}
