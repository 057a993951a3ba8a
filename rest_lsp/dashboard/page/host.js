// Where the page is shown: in a browser, where it asks the dashboard's server itself, or in a tab of an editor, where it
// must not connect to anything and the editor asks for it.

const editor = globalThis.acquireVsCodeApi?.();
const waiting = new Map();
let asked = 0;

export const isInEditor = editor !== undefined;

/** What is at an address below /api/: HTTP's status, and plain data. */
export async function get(path) {
  if (!isInEditor) {
    const response = await fetch(path);
    return { status: response.status, body: isJson(response) ? await response.json() : null };
  }
  const id = ++asked;
  editor.postMessage({ id, path });
  return new Promise((resolve) => waiting.set(id, resolve));
}

/** What this page was told to remember, for as long as its tab is there. */
export function remembered() {
  return editor?.getState() ?? {};
}

export function remember(values) {
  editor?.setState(values);
}

/** "light" or "dark" where the editor says so, else nothing. */
export function look() {
  const kind = document.body.dataset.vscodeThemeKind;
  if (!isInEditor || kind === undefined) return null;
  return ["vscode-light", "vscode-high-contrast-light"].includes(kind) ? "light" : "dark";
}

export function onLook(changed) {
  new MutationObserver(changed).observe(document.body, { attributeFilter: ["data-vscode-theme-kind"] });
}

function isJson(response) {
  return response.headers.get("content-type")?.startsWith("application/json");
}

if (isInEditor) {
  addEventListener("message", ({ data }) => {
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  });
} else {
  // The address has done its work, and need not stand in anybody's history.
  history.replaceState(null, "", "/");
}
