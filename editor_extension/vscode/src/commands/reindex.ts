// Making the index of the workspace agree with its files, now.
import { window } from "vscode";
import type { Server } from "../server";

export async function reindex(server: Server): Promise<void> {
  const { started } = await server.run<{ started: boolean }>("rest.reindex");
  if (!started) {
    void window.showInformationMessage("There is no index to refresh: no folder is open, or the setting keeps none.");
  }
}
