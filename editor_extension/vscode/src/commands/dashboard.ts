// The dashboard in a tab of the editor: its page, and the process that answers it and ends with the tab.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Disposable, type Tab, TabInputWebview, Uri, ViewColumn, type WebviewPanel, window } from "vscode";
import { cacheFolder } from "../configuration";
import { DASHBOARD_ARGUMENTS, Dashboard, isQuestion, pageFor } from "../logic/dashboard";
import { LaunchError, ServerProcess } from "../logic/launch";
import { findServer, insteadOfServe } from "../logic/locate";
import { messageOf } from "../logic/protocol";
import { complain, SHOW_LOG } from "../messages";
import type { Needs, Server } from "../server";

const KIND = "restLsp.dashboard";

/** Tabs from before the window was loaded anew that nobody has looked at since: the editor has not filled them. */
function unopenedTabs(): Tab[] {
  return window.tabGroups.all
    .flatMap((group) => group.tabs)
    .filter(({ input }) => input instanceof TabInputWebview && input.viewType.endsWith(KIND));
}

/** One tab at most; it is there again after the window was loaded anew. */
export class DashboardTab implements Disposable {
  private readonly server: Server;
  private readonly needs: Needs;
  private readonly dashboard = new Dashboard(() => this.start());
  private readonly registration: Disposable;
  private panel: WebviewPanel | undefined;
  private showing: Promise<void> | undefined;

  constructor(server: Server, needs: Needs) {
    this.server = server;
    this.needs = needs;
    this.registration = window.registerWebviewPanelSerializer(KIND, {
      deserializeWebviewPanel: (panel) => this.fill(panel),
    });
  }

  async show(): Promise<void> {
    this.showing ??= this.reveal().finally(() => {
      this.showing = undefined;
    });
    await this.showing;
  }

  private async reveal(): Promise<void> {
    if (this.panel === undefined) {
      await window.tabGroups.close(unopenedTabs());
    }
    if (this.panel !== undefined) {
      this.panel.reveal();
      return;
    }
    await this.fill(window.createWebviewPanel(KIND, "rest_lsp dashboard", ViewColumn.Active));
  }

  dispose(): void {
    this.registration.dispose();
    this.panel?.dispose();
  }

  /** The window closes: the process must not outlive it. */
  async stop(): Promise<void> {
    await this.dashboard.end();
  }

  private async fill(panel: WebviewPanel): Promise<void> {
    this.panel?.dispose();
    this.panel = panel;
    panel.onDidDispose(async () => {
      if (this.panel === panel) {
        this.panel = undefined;
        await this.dashboard.end();
      }
    });
    panel.webview.onDidReceiveMessage(async (message: unknown) => {
      // A question that comes after its tab would start a process that nobody ends.
      if (this.panel === panel && isQuestion(message)) {
        await panel.webview.postMessage({ id: message.id, ...(await this.dashboard.ask(message)) });
      }
    });
    try {
      await this.draw(panel);
    } catch (error) {
      if (this.panel === panel) {
        panel.dispose();
        complain(messageOf(error), SHOW_LOG);
      }
    }
  }

  private async draw({ webview }: WebviewPanel): Promise<void> {
    const folder = await this.dashboard.page();
    const html = await readFile(join(folder, "index.html"), "utf8");
    const root = Uri.file(folder);
    webview.options = { enableScripts: true, localResourceRoots: [root] };
    webview.html = pageFor(html, webview.asWebviewUri(root).toString(), webview.cspSource);
  }

  private async start(): Promise<ServerProcess> {
    const serve = this.server.command ?? (await findServer(this.needs.surroundings())).command;
    const cache = cacheFolder();
    const words = cache === undefined ? DASHBOARD_ARGUMENTS : [...DASHBOARD_ARGUMENTS, "--model-cache-dir", cache];
    const command = serve && insteadOfServe(serve, words);
    if (command === undefined) {
      const reason = serve === undefined ? "no server was found" : "restLsp.command does not name `serve`";
      throw new LaunchError(`The dashboard cannot be started: ${reason}.`, "");
    }
    return ServerProcess.start(command, this.needs.folder, (line) => this.needs.log.warn(line));
  }
}
