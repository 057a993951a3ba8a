// The item of the status bar, and the context keys that say the same to menus and the walkthrough.
import { commands, type Disposable, MarkdownString, StatusBarAlignment, ThemeColor, window } from "vscode";
import { switches } from "./configuration";
import { type Phase, present } from "./logic/phase";

const BACKGROUNDS = {
  none: undefined,
  warning: new ThemeColor("statusBarItem.warningBackground"),
  error: new ThemeColor("statusBarItem.errorBackground"),
};

export class StatusItem implements Disposable {
  private readonly item = window.createStatusBarItem("restLsp.status", StatusBarAlignment.Right, 100);

  constructor() {
    this.item.name = "rest_lsp";
    this.item.command = "restLsp.menu";
    this.item.show();
  }

  show(phase: Phase): void {
    const shown = present(phase, switches(), window.activeTextEditor?.document.languageId);
    this.item.text = shown.text;
    this.item.tooltip = tooltip(shown.label, shown.detail, phase);
    this.item.backgroundColor = BACKGROUNDS[shown.severity];
    this.item.accessibilityInformation = { label: `rest_lsp: ${shown.label}`, role: "button" };
    setContext("running", phase.kind === "running");
    setContext("ready", phase.kind === "running" && ["ready", "busy"].includes(phase.status.state));
  }

  dispose(): void {
    this.item.dispose();
  }
}

const told = new Map<string, boolean>();

/** Sets a context key of this extension, once for each value. */
export function setContext(key: string, value: boolean): void {
  if (told.get(key) !== value) {
    told.set(key, value);
    void commands.executeCommand("setContext", `restLsp.${key}`, value);
  }
}

function tooltip(label: string, detail: string, phase: Phase): MarkdownString {
  const lines = [`**rest_lsp** ${label}`, detail];
  if (phase.kind === "running" && phase.status.model) {
    lines.push([phase.status.model, phase.status.device].filter(Boolean).join(", "));
  }
  return new MarkdownString(lines.filter((line) => line !== "").join("\n\n"));
}
