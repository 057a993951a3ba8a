// Where the extension stands with its server, and how a status bar item says so.  Knows no editor API.
import type { ServerStatus } from "./protocol";

export type Phase =
  | { readonly kind: "idle" }
  | { readonly kind: "searching" }
  | { readonly kind: "missing" }
  | { readonly kind: "installing"; readonly step: string }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly status: ServerStatus }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly reason: string; readonly fix: string };

/** What the editor itself switches, beside what the server reports. */
export interface Switches {
  readonly enabled: boolean;
  readonly disabledLanguages: readonly string[];
}

export interface Presentation {
  readonly text: string;
  /** What a screen reader says, and what the tooltip begins with. */
  readonly label: string;
  readonly detail: string;
  readonly severity: "none" | "warning" | "error";
}

const NAME = "rest_lsp";

/** The item's words for a phase; `language` is that of the active editor. */
export function present(phase: Phase, switches: Switches, language?: string, clock: Clock = shortTime): Presentation {
  switch (phase.kind) {
    case "idle":
      return quiet("$(circle-outline)", "waiting for a file", "The server starts with the first file or folder.");
    case "searching":
      return quiet("$(sync~spin)", "looking for the server", "");
    case "missing":
      return loud(
        "$(warning)",
        "no server",
        "No rest-lsp was found. Select to install it or to choose a program.",
        "warning",
      );
    case "installing":
      return spelled("$(sync~spin)", `installing: ${phase.step}`, "");
    case "starting":
      return quiet("$(sync~spin)", "starting", "");
    case "stopped":
      return loud("$(circle-slash)", "stopped", "The server does not run. Select to start it.", "warning");
    case "failed":
      return loud("$(error)", "error", [phase.reason, phase.fix].filter(Boolean).join(" "), "error");
    case "running":
      return running(phase.status, switches, language, clock);
  }
}

export function isSnoozed(status: ServerStatus): status is ServerStatus & { snoozedUntil: number } {
  return typeof status.snoozedUntil === "number";
}

type Clock = (milliseconds: number) => string;

function running(status: ServerStatus, switches: Switches, language: string | undefined, clock: Clock): Presentation {
  const reason = [status.reason, status.fix].filter(Boolean).join(" ");
  switch (status.state) {
    case "error":
      return loud("$(error)", "error", reason, "error");
    case "loading":
      return spelled("$(sync~spin)", doing(status) || "loading", "Suggestions begin by themselves.");
    case "indexing":
      return spelled("$(sync~spin)", words("indexing", status.progress ?? ""), "Suggestions work already.");
    default:
      return idle(status, switches, language, reason, clock);
  }
}

/** The server is loaded: whether it may suggest, and whether it does. */
function idle(
  status: ServerStatus,
  switches: Switches,
  language: string | undefined,
  reason: string,
  clock: Clock,
): Presentation {
  if (isSnoozed(status)) {
    return spelled("$(bell-slash)", `paused until ${clock(status.snoozedUntil)}`, "Suggestions are snoozed.");
  }
  if (status.state === "paused" || status.enabled === false || !switches.enabled) {
    return spelled("$(circle-slash)", "paused", "Suggestions are switched off.");
  }
  const off = new Set([...switches.disabledLanguages, ...(status.disabledLanguages ?? [])]);
  if (language !== undefined && off.has(language)) {
    return spelled("$(circle-slash)", `off for ${language}`, `Suggestions are switched off for ${language}.`);
  }
  if (status.progress) {
    return spelled("$(cloud-download)", status.progress, "The model that is loaded works on.");
  }
  if (status.state === "busy") {
    return quiet("$(loading~spin)", "busy", "A suggestion is being written.");
  }
  return reason === "" ? quiet("$(check)", "ready", "") : loud("$(check)", "ready", reason, "warning");
}

/** A state that comes and goes with every key shows as an icon alone, so that the bar does not jump. */
function quiet(icon: string, label: string, detail: string): Presentation {
  return { text: `${icon} ${NAME}`, label, detail, severity: "none" };
}

function spelled(icon: string, label: string, detail: string): Presentation {
  return { text: `${icon} ${NAME}: ${label}`, label, detail, severity: "none" };
}

function loud(icon: string, label: string, detail: string, severity: "warning" | "error"): Presentation {
  return { text: `${icon} ${NAME}: ${label}`, label, detail, severity };
}

/** What the server does, as it says it or as a share: "downloading 40 %". */
function doing(status: ServerStatus): string {
  const text = status.progress ?? "";
  return text === "" && typeof status.percent === "number" ? `loading ${status.percent} %` : text;
}

function words(...parts: string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}

function shortTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  return `${date.getHours()}:${String(date.getMinutes()).padStart(2, "0")}`;
}
