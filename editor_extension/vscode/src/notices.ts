// What is said without being asked: each failure once, and that there is no server, with buttons that help.
import { commands, type Memento, window } from "vscode";
import type { Command } from "./logic/locate";
import type { Phase } from "./logic/phase";
import { complain, INSTALL, OPEN_SETTINGS, RESTART, SHOW_LOG } from "./messages";

const NEVER = { title: "Don't Ask Again", command: "" };
const DECLINED = "restLsp.installDeclined";

export class Notices {
  private readonly memory: Memento;
  private last = "";

  constructor(memory: Memento) {
    this.memory = memory;
  }

  notice(phase: Phase, command: Command | undefined): void {
    const said = phase.kind === "failed" ? phase.reason : phase.kind;
    if (phase.kind === "failed" && said !== this.last) {
      const buttons = command?.origin === "setting" ? [OPEN_SETTINGS, SHOW_LOG] : [RESTART, SHOW_LOG];
      complain(`rest_lsp: ${phase.reason} ${phase.fix}`.trim(), ...buttons);
    }
    if (phase.kind === "missing" && said !== this.last && !this.memory.get(DECLINED)) {
      void this.offerInstallation();
    }
    // Looking and starting come before every failure; they do not make it a new one.
    if (phase.kind !== "searching" && phase.kind !== "starting") {
      this.last = said;
    }
  }

  private async offerInstallation(): Promise<void> {
    const text = "rest_lsp: no server was found on this machine. It can be installed for this extension alone.";
    const choice = await window.showInformationMessage(text, INSTALL, OPEN_SETTINGS, NEVER);
    if (choice === NEVER) {
      await this.memory.update(DECLINED, true);
    } else if (choice !== undefined) {
      await commands.executeCommand(choice.command);
    }
  }
}
