// The page: what is chosen, and asking again and again for what is new.

import { ask, Refused } from "./api.js";
import { offerChecks } from "./checks.js";
import { Completions } from "./completions.js";
import { element } from "./dom.js";
import { ago, bytes } from "./format.js";
import { Health } from "./health.js";
import { isInEditor, look, onLook, remember, remembered } from "./host.js";
import { Overview } from "./overview.js";

const ASK_AGAIN_MS = 2000;

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((each) => [each.id, each]));
const overview = new Overview(page);
const completions = new Completions(page);
const health = new Health(page);
let known = null;
let workspaces = "";
let timer = 0;

async function refresh() {
  clearTimeout(timer);
  try {
    const [span, workspace] = [page.span.value, page.workspace.value];
    const data = await ask("overview", { span, workspace, known });
    if (span === page.span.value && workspace === page.workspace.value) await show(data, workspace);
  } catch (error) {
    page.live.textContent = error instanceof Refused ? error.message : "The dashboard's server does not answer; it may have been ended.";
  }
  if (!document.hidden) timer = setTimeout(refresh, ASK_AGAIN_MS);
}

async function show(data, workspace) {
  if (data === undefined) return;
  page.empty.hidden = data !== null;
  if (data === null) {
    page.live.textContent = "Waiting for the first completion.";
    return;
  }
  known = data.revision;
  listWorkspaces(data.workspaces);
  overview.show(data);
  health.show(data);
  page.live.textContent = state(data);
  document.body.dataset.painted = "true";
  performance.mark("painted");
  await completions.refresh(workspace);
}

function state({ sessions, now }) {
  if (!sessions.length) return "Live. No server has spoken yet.";
  const [newest] = sessions;
  return `Live. ${newest.state.model} on ${newest.state.device}, KV cache ${bytes(newest.state.kv_bytes)}, heard of ${ago(newest.seen, now)}.`;
}

function listWorkspaces(found) {
  const text = JSON.stringify(found);
  if (text === workspaces) return;
  workspaces = text;
  const chosen = page.workspace.value;
  const options = found.map((each) => element("option", { value: each.id }, each.root || "no folder"));
  page.workspace.replaceChildren(element("option", { value: "" }, "All"), ...options);
  page.workspace.value = chosen;
}

function again() {
  remember({ span: page.span.value });
  known = null;
  completions.chosen = null;
  refresh();
}

function restyle() {
  document.documentElement.dataset.theme = look() ?? page.theme.value;
  overview.restyle();
}

offerChecks(page);
page.span.addEventListener("change", again);
page.workspace.addEventListener("change", again);
page.theme.addEventListener("change", () => {
  localStorage.setItem("theme", page.theme.value);
  restyle();
});
page.theme.closest("label").hidden = isInEditor;
page.theme.value = localStorage.getItem("theme") ?? "";
page.span.value = remembered().span ?? page.span.value;
restyle();
onLook(restyle);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();
