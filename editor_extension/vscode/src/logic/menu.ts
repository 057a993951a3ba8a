// What the menu of the status bar offers, and in which order.
import type { Phase, Switches } from "./phase";

export interface MenuItem {
  readonly label: string;
  readonly command: string;
  readonly description?: string;
}

/** `language` is that of the active editor. */
export function menuItems(phase: Phase, switches: Switches, language?: string): MenuItem[] {
  const rest = [
    { label: "$(output) Show log", command: "restLsp.showLog" },
    { label: "$(debug-restart) Restart server", command: "restLsp.restart" },
    { label: "$(gear) Settings", command: "restLsp.openSettings" },
    { label: "$(book) Get started", command: "restLsp.openWalkthrough" },
  ];
  if (phase.kind === "missing") {
    return [{ label: "$(cloud-download) Install server", command: "restLsp.install" }, ...rest];
  }
  if (phase.kind !== "running") {
    return rest;
  }
  return [...suggesting(phase.status.snoozedUntil ?? undefined, switches, language), ...asking(phase), ...rest];
}

function suggesting(snoozedUntil: number | undefined, switches: Switches, language: string | undefined): MenuItem[] {
  const items = [
    switches.enabled
      ? { label: "$(circle-slash) Switch suggestions off", command: "restLsp.toggle" }
      : { label: "$(check) Switch suggestions on", command: "restLsp.toggle" },
  ];
  if (switches.enabled && language !== undefined) {
    const word = switches.disabledLanguages.includes(language) ? "$(check) Switch on" : "$(circle-slash) Switch off";
    items.push({ label: `${word} for ${language}`, command: "restLsp.toggleLanguage" });
  }
  if (switches.enabled) {
    const label = snoozedUntil === undefined ? "$(bell-slash) Snooze…" : "$(bell) Snoozed: end or extend…";
    items.push({ label, command: "restLsp.snooze" });
  }
  return items;
}

function asking(phase: Extract<Phase, { kind: "running" }>): MenuItem[] {
  return [
    { label: "$(question) Explain last suggestion", command: "restLsp.explain" },
    { label: "$(server) Choose model…", command: "restLsp.chooseModel", description: phase.status.model ?? "" },
    { label: "$(sync) Refresh index", command: "restLsp.reindex" },
    { label: "$(dashboard) Dashboard", command: "restLsp.dashboard" },
    { label: "$(graph) Statistics", command: "restLsp.stats" },
    { label: "$(heart) Doctor", command: "restLsp.doctor" },
    { label: "$(copy) Copy debug info", command: "restLsp.copyDebugInfo" },
  ];
}
