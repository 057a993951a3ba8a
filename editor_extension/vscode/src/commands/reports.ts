// Commands whose answer is something to read: statistics, the doctor's checks, debug information.
import { arch, platform, release } from "node:os";
import {
  type ExtensionContext,
  env,
  ProgressLocation,
  type TextDocumentContentProvider,
  Uri,
  version,
  window,
  workspace,
} from "vscode";
import type { Check } from "../logic/protocol";
import { doctorReport, statisticsReport } from "../logic/reports";
import type { KeystrokeTiming } from "../logic/timing";
import type { Server } from "../server";

const SCHEME = "rest-lsp-report";

/** Reports are documents that cannot be edited and need not be saved. */
export class Reports implements TextDocumentContentProvider {
  static readonly scheme = SCHEME;
  private readonly texts = new Map<string, string>();

  provideTextDocumentContent(uri: Uri): string {
    return this.texts.get(uri.path) ?? "";
  }

  async show(name: string, text: string): Promise<void> {
    // A new address each time: the editor keeps the text of an address that it knows.
    const path = `/${name} ${new Date().toISOString().slice(11, 19).replaceAll(":", ".")}.txt`;
    this.texts.set(path, text);
    const document = await workspace.openTextDocument(Uri.from({ scheme: SCHEME, path }));
    await window.showTextDocument(document, { preview: true });
  }
}

export async function showStatistics(server: Server, reports: Reports, timing: KeystrokeTiming): Promise<void> {
  const stats = await server.run<Record<string, unknown>>("rest.stats");
  await reports.show("statistics", statisticsReport(stats, timing.summary()));
}

export async function runDoctor(server: Server, reports: Reports): Promise<void> {
  const title = "rest_lsp: the doctor looks at everything that a suggestion needs";
  const checks = await window.withProgress({ location: ProgressLocation.Notification, title }, () =>
    server.run<Check[]>("rest.doctor"),
  );
  await reports.show("doctor", doctorReport(checks));
}

/** Also of use when the server does not run. */
export async function copyDebugInfo(server: Server, context: ExtensionContext): Promise<void> {
  const { phase, command } = server;
  const info = {
    extension: context.extension.packageJSON.version,
    editor: `${env.appName} ${version}`,
    machine: `${platform()} ${release()} ${arch()}${env.remoteName ? `, remote ${env.remoteName}` : ""}`,
    trusted: workspace.isTrusted,
    folders: workspace.workspaceFolders?.length ?? 0,
    phase,
    command,
    server: phase.kind === "running" ? await server.run("rest.debugInfo") : null,
  };
  await env.clipboard.writeText(`\`\`\`json\n${JSON.stringify(info, null, 2)}\n\`\`\`\n`);
  void window.showInformationMessage("Debug information is on the clipboard. It has paths in it, and no code.");
}
