// Messages with buttons: one sentence on what happened, and commands that help.
import { commands, window } from "vscode";
import { isUnknownCommand, messageOf } from "./logic/protocol";

export interface Button {
  readonly title: string;
  readonly command: string;
}

export const SHOW_LOG: Button = { title: "Show Log", command: "restLsp.showLog" };
export const RESTART: Button = { title: "Restart Server", command: "restLsp.restart" };
export const OPEN_SETTINGS: Button = { title: "Open Settings", command: "restLsp.openSettings" };
export const INSTALL: Button = { title: "Install", command: "restLsp.install" };

export function complain(text: string, ...buttons: readonly Button[]): void {
  void window.showErrorMessage(text, ...buttons).then(press);
}

/** Runs a command; what goes wrong becomes a message and nothing else. */
export async function reporting(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    const text = isUnknownCommand(error) ? "The server is too old for this. Install a newer one." : messageOf(error);
    complain(text, RESTART, SHOW_LOG);
  }
}

async function press(button: Button | undefined): Promise<void> {
  if (button !== undefined) {
    await commands.executeCommand(button.command);
  }
}
