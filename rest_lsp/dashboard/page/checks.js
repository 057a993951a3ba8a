// What `rest-lsp doctor` says, each with a reason and a fix.

import { ask } from "./api.js";
import { element, table } from "./dom.js";

const WORDS = { ok: "✓ well", warn: "! warning", fail: "✗ broken" };

/** Lets the button show the findings for the workspace that is chosen. */
export function offerChecks(page) {
  page.check.addEventListener("click", async () => {
    page.checks.hidden = false;
    page.checks.replaceChildren(element("p", { class: "note" }, "Checking; this takes some seconds…"));
    try {
      page.checks.replaceChildren(findings(await ask("checks", { workspace: page.workspace.value })));
    } catch (error) {
      page.checks.replaceChildren(element("p", { class: "note" }, error.message));
    }
  });
}

function findings(found) {
  const rows = found.map((each) => [WORDS[each.status] ?? each.status, each.name, { content: each.reason, kind: "path" }, { content: each.status === "ok" ? "" : each.fix, kind: "path" }]);
  return table("Findings", ["State", "Check", "What was found", "What to do"], rows);
}
