// Installing the server for this extension alone: asked first, with progress, and possible to stop.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type ExtensionContext, type LogOutputChannel, ProgressLocation, window, workspace } from "vscode";
import { InstallError, install } from "../logic/environment";
import { messageOf } from "../logic/protocol";
import { SECTION } from "../logic/settings";
import { complain, OPEN_SETTINGS, SHOW_LOG } from "../messages";
import type { Server } from "../server";
import { interpreters } from "../surroundings";

const DETAIL =
  "A Python environment is made in the extension's own folder, and pip fetches PyTorch and other packages into it from the " +
  "Python package index: about 1 GB on the disk, more with an NVIDIA GPU. The first start then fetches a model of 0.5 GB. " +
  "Nothing else on this machine is changed.";

export async function installServer(context: ExtensionContext, server: Server, log: LogOutputChannel): Promise<void> {
  const question = "Install the rest_lsp server for this extension?";
  if ((await window.showInformationMessage(question, { modal: true, detail: DETAIL }, "Install")) !== "Install") {
    return;
  }
  const folder = context.globalStorageUri.fsPath;
  try {
    const requirement = await requirementOf(context);
    await window.withProgress(
      { location: ProgressLocation.Notification, title: "rest_lsp", cancellable: true },
      async (progress, token) => {
        const stop = new AbortController();
        token.onCancellationRequested(() => stop.abort());
        await server.stop();
        const report = (step: string) => {
          progress.report({ message: step });
          server.installing(step);
        };
        const candidates = await interpreters();
        await install({ folder, requirement, candidates, report, log: (line) => log.info(line), signal: stop.signal });
      },
    );
  } catch (error) {
    const fix = error instanceof InstallError ? error.fix : "";
    complain(`${messageOf(error)} ${fix}`.trim(), SHOW_LOG, OPEN_SETTINGS);
  }
  await server.start();
}

/** The setting, or the wheel that the extension was built with.  An index may hold anything under our name. */
async function requirementOf(context: ExtensionContext): Promise<string> {
  const chosen = workspace.getConfiguration(SECTION).get("install.package", "");
  if (chosen !== "") {
    return chosen;
  }
  const folder = join(context.extensionPath, "server");
  const wheel = (await readdir(folder).catch(() => [])).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) {
    throw new InstallError("This build of the extension carries no server.", "Set restLsp.install.package.");
  }
  return join(folder, wheel);
}
