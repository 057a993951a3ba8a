// Following what changes: settings go to the server as they are set, and the server starts when there is something to do.
import { commands, Disposable, type ExtensionContext, languages, type TextDocument, window, workspace } from "vscode";
import { serverSettings, switches } from "./configuration";
import { DOCUMENTS } from "./documents";
import { SECTION, togglesNeeded } from "./logic/settings";
import type { Server } from "./server";

/** An empty window needs no server: it would hold a model in memory for nothing. */
export function startWhenNeeded(server: Server): Disposable {
  const isNeeded = () =>
    workspace.workspaceFolders !== undefined ||
    // Others open documents that nobody sees: the editor itself opens its settings.json now and then.
    window.visibleTextEditors.some(({ document }) => languages.match(DOCUMENTS, document) > 0);
  const start = () => {
    if (server.phase.kind === "idle" && isNeeded()) {
      void server.start();
    }
  };
  start();
  return Disposable.from(window.onDidChangeVisibleTextEditors(start), workspace.onDidChangeWorkspaceFolders(start));
}

/** Other programs change files while the window is in the background; the server looks again when it is back. */
export function followFocus(server: Server): Disposable {
  return window.onDidChangeWindowState(async ({ focused }) => {
    if (focused) {
      await server.focus();
    }
  });
}

/** Nothing needs a restart but another program; `show` is called when a setting may change what the status item says. */
export function followSettings(context: ExtensionContext, server: Server, show: () => void): Disposable {
  return workspace.onDidChangeConfiguration(async (event) => {
    if (!event.affectsConfiguration(SECTION)) {
      return;
    }
    show();
    if (event.affectsConfiguration(`${SECTION}.command`)) {
      await server.start();
    } else {
      await server.configure(serverSettings(context));
      await tellSwitches(server);
    }
  });
}

/** A workspace that becomes trusted may set what it could not before. */
export function followTrust(server: Server): Disposable {
  return workspace.onDidGrantWorkspaceTrust(() => server.start());
}

/** Who typed while the model was loaded gets a suggestion when it is there, without another key. */
export function suggestWhenLoaded(server: Server): Disposable {
  let typedIn: TextDocument | undefined;
  const isLoading = () => server.phase.kind !== "running" || server.phase.status.state === "loading";
  return Disposable.from(
    workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      if (isLoading() && contentChanges.length > 0) {
        typedIn = document;
      }
    }),
    server.onChange(async () => {
      if (!isLoading() && typedIn !== undefined) {
        const isShown = window.activeTextEditor?.document === typedIn;
        typedIn = undefined;
        if (isShown) {
          await commands.executeCommand("editor.action.inlineSuggest.trigger");
        }
      }
    }),
  );
}

/** The settings say what is switched off; a server that has just started does not know it yet. */
export function followSwitches(server: Server): Disposable {
  let isTelling = false;
  return server.onChange(async () => {
    if (!isTelling) {
      isTelling = true;
      await tellSwitches(server).finally(() => {
        isTelling = false;
      });
    }
  });
}

async function tellSwitches(server: Server): Promise<void> {
  if (server.phase.kind === "running") {
    for (const [language, enabled] of togglesNeeded(switches(), server.phase.status)) {
      await server.run("rest.toggle", language, enabled);
    }
  }
}
