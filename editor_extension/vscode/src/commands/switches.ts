// Switching suggestions off and on: for all, for a language, for a while.
import { commands, window } from "vscode";
import { change, switches } from "../configuration";
import { isSnoozed } from "../logic/phase";
import { withLanguage } from "../logic/settings";
import type { Server } from "../server";

const DURATIONS = [5, 15, 60, 240];

export async function toggle(): Promise<void> {
  await change("enabled", !switches().enabled);
}

/** Asks for the language when no editor is active. */
export async function toggleLanguage(): Promise<void> {
  const { disabledLanguages } = switches();
  const language =
    window.activeTextEditor?.document.languageId ??
    (await window.showInputBox({ prompt: "Identifier of the language, such as python" }));
  if (language) {
    const disabled = disabledLanguages.includes(language);
    await change("disabledLanguages", withLanguage(disabledLanguages, language, !disabled));
  }
}

export async function snooze(server: Server): Promise<void> {
  const choices = DURATIONS.map((minutes) => ({
    label: minutes < 60 ? `${minutes} minutes` : minutes === 60 ? "1 hour" : `${minutes / 60} hours`,
    minutes,
  }));
  if (server.phase.kind === "running" && isSnoozed(server.phase.status)) {
    choices.unshift({ label: "End snooze", minutes: 0 });
  }
  const choice = await window.showQuickPick(choices, { title: "rest_lsp: no suggestions for" });
  if (choice !== undefined) {
    await server.run("rest.snooze", choice.minutes);
  }
}

/** Asks for a suggestion, or says why there is none to ask for. */
export async function trigger(server: Server): Promise<void> {
  const language = window.activeTextEditor?.document.languageId;
  const { enabled, disabledLanguages } = switches();
  if (!enabled) {
    await offer("Suggestions are switched off.", toggle);
  } else if (language !== undefined && disabledLanguages.includes(language)) {
    await offer(`Suggestions are switched off for ${language}.`, toggleLanguage);
  } else if (server.phase.kind === "running" && isSnoozed(server.phase.status)) {
    await offer("Suggestions are snoozed.", () => server.run("rest.snooze", 0));
  } else {
    await commands.executeCommand("editor.action.inlineSuggest.trigger");
  }
}

async function offer(text: string, switchOn: () => Promise<unknown>): Promise<void> {
  if ((await window.showInformationMessage(text, "Switch On")) !== undefined) {
    await switchOn();
  }
}
