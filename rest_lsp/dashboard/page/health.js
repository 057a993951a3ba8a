// The index of each workspace that a server spoke of: segments, dead share, watcher, and what is left out.

import { ask } from "./api.js";
import { bar, element, table } from "./dom.js";
import { ago, bytes, count, percent, quotient } from "./format.js";

const WATCHERS = {
  events: "follows changes on disk",
  comparing: "is told of no changes: compares now and then",
  none: "not watching: changes are seen when it is refreshed",
};

export class Health {
  constructor(page) {
    this.page = page;
    this.examined = new Map();
  }

  show(data) {
    const newest = new Map();
    for (const session of data.sessions) if (session.state.datastore && !newest.has(session.root)) newest.set(session.root, session);
    const ids = new Map(data.workspaces.map((each) => [each.root, each.id]));
    if (!newest.size) this.page.index.replaceChildren(element("p", { class: "note" }, "No server has spoken of an index yet."));
    else this.page.index.replaceChildren(...[...newest.values()].map((session) => this.card(session, ids.get(session.root), data.now)));
  }

  card(session, id, now) {
    const store = session.state.datastore;
    const dead = quotient(store.dead_tokens, store.tokens + store.dead_tokens);
    const facts = [
      ["Files", count(store.files)],
      ["Tokens", count(store.tokens)],
      ["Dead share", `${percent(dead)} (${count(store.dead_tokens)} tokens)`],
      ["Watcher", WATCHERS[store.watcher] ?? "–"],
      ["On disk", `${bytes(store.disk_bytes)}${store.in_memory ? ", kept in memory only" : ""}`],
      ["Open buffers", count(store.buffers)],
      ["Model", `${session.state.model} on ${session.state.device}, ${session.state.dtype}`],
      ["Process", `${session.pid}, heard of ${ago(session.seen, now)}`],
    ];
    const most = Math.max(1, ...store.segment_tokens.map(([living, gone]) => living + gone));
    const rows = store.segment_tokens.map(([living, gone], at) => [count(at + 1), count(living), count(gone), percent(quotient(gone, living + gone)), bar([living / most, "part"], [gone / most, "dead"])]);
    return element(
      "div",
      { class: "card", tabindex: "0", role: "region", "aria-label": `Index of ${session.root || "no folder"}` },
      element("h3", {}, session.root || "no folder"),
      element("dl", {}, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
      ...store.notices.map((notice) => element("p", {}, `⚠ ${notice}`)),
      table("Segments, the oldest first", ["#Segment", "#Living tokens", "#Dead", "#Dead share", "=Size"], rows),
      this.exclusions(id),
    );
  }

  exclusions(id) {
    const place = element("div", { "aria-live": "polite" });
    const button = element("button", { type: "button", onclick: () => this.examine(id, place) }, "Show what is left out, and why");
    if (this.examined.has(id)) place.append(leftOut(this.examined.get(id)));
    return element("div", {}, element("p", {}, button), place);
  }

  async examine(id, place) {
    place.replaceChildren(element("p", { class: "note" }, "Reading the files of the workspace…"));
    try {
      this.examined.set(id, await ask(`index/${id}`));
      place.replaceChildren(leftOut(this.examined.get(id)));
    } catch (error) {
      place.replaceChildren(element("p", { class: "note" }, error.message));
    }
  }
}

function leftOut(found) {
  const rows = found.left_out.map((each) => {
    const paths = element("details", {}, element("summary", {}, each.examples[0]), element("p", {}, each.examples.join(", ")));
    return [each.reason, count(each.n), { content: paths, kind: "path" }];
  });
  const words = `${count(found.indexed)} files are in the index, ${count(found.waiting)} could be and are not yet; ${count(found.secret_lines)} lines that look like secrets are left out of them.`;
  return element("div", {}, element("p", {}, words), table("Left out", ["Reason", "#Files", "For example"], rows));
}
