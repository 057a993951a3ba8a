// Puts the parts together; decides nothing that they decide.

import { commands, type Disposable, type ExtensionContext, window, workspace } from "vscode";
import { DashboardTab } from "./commands/dashboard";
import { explain } from "./commands/explain";
import { installServer } from "./commands/install";
import { chooseModel } from "./commands/models";
import { reindex } from "./commands/reindex";
import { copyDebugInfo, Reports, runDoctor, showStatistics } from "./commands/reports";
import { snooze, toggle, toggleLanguage, trigger } from "./commands/switches";
import { serverSettings, switches } from "./configuration";
import {
  followFocus,
  followSettings,
  followSwitches,
  followTrust,
  startWhenNeeded,
  suggestWhenLoaded,
} from "./following";
import { KeystrokeTiming } from "./logic/timing";
import { showMenu } from "./menu";
import { reporting } from "./messages";
import { Notices } from "./notices";
import { type Needs, Server } from "./server";
import { StatusItem, setContext } from "./statusItem";
import { surroundings } from "./surroundings";

let running: readonly { stop(): Promise<void> }[] = [];

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel("rest_lsp", { log: true });
  const timing = new KeystrokeTiming();
  const reports = new Reports();
  const item = new StatusItem();
  const folder = context.globalStorageUri.fsPath;
  const needs: Needs = {
    log,
    timing,
    folder,
    surroundings: () => surroundings(folder),
    settings: () => serverSettings(context),
    isWanted: (document) => switches().enabled && !switches().disabledLanguages.includes(document.languageId),
    onSuggestion: () => setContext("suggested", true),
  };
  const server = new Server(needs);
  const dashboard = new DashboardTab(server, needs);
  running = [server, dashboard];
  const notices = new Notices(context.globalState);
  const show = () => item.show(server.phase);
  context.subscriptions.push(
    log,
    item,
    server,
    dashboard,
    server.onChange(show),
    server.onChange((phase) => notices.notice(phase, server.command)),
    window.onDidChangeActiveTextEditor(show),
    workspace.registerTextDocumentContentProvider(Reports.scheme, reports),
    followSettings(context, server, show),
    followSwitches(server),
    followTrust(server),
    followFocus(server),
    suggestWhenLoaded(server),
    ...registered({
      menu: () => showMenu(server),
      trigger: () => trigger(server),
      toggle,
      toggleLanguage,
      snooze: () => snooze(server),
      explain: () => explain(server),
      chooseModel: () => chooseModel(server),
      reindex: () => reindex(server),
      dashboard: () => dashboard.show(),
      stats: () => showStatistics(server, reports, timing),
      doctor: () => runDoctor(server, reports),
      showLog: () => log.show(),
      copyDebugInfo: () => copyDebugInfo(server, context),
      restart: () => server.start(),
      install: () => installServer(context, server, log),
      openSettings: () => commands.executeCommand("workbench.action.openSettings", "restLsp"),
      openWalkthrough: () =>
        commands.executeCommand("workbench.action.openWalkthrough", `${context.extension.id}#start`, false),
    }),
  );
  show();
  context.subscriptions.push(startWhenNeeded(server));
}

export async function deactivate(): Promise<void> {
  await Promise.all(running.map((part) => part.stop()));
}

/** The commands of package.json, under their short names. */
function registered(work: Readonly<Record<string, () => unknown>>): Disposable[] {
  return Object.entries(work).map(([name, run]) => commands.registerCommand(`restLsp.${name}`, () => reporting(run)));
}
