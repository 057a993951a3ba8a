// The menu of the status bar.
import { commands, window } from "vscode";
import { switches } from "./configuration";
import { menuItems } from "./logic/menu";
import { present } from "./logic/phase";
import type { Server } from "./server";

export async function showMenu(server: Server): Promise<void> {
  const language = window.activeTextEditor?.document.languageId;
  const shown = present(server.phase, switches(), language);
  const items = menuItems(server.phase, switches(), language);
  const placeHolder = [shown.label, shown.detail].filter((text) => text !== "").join(": ");
  const choice = await window.showQuickPick(items, { title: "rest_lsp", placeHolder });
  if (choice !== undefined) {
    await commands.executeCommand(choice.command);
  }
}
