// What the server says and is asked, as plain data.  Every field that an older server may leave out is optional.

export const STATUS_NOTIFICATION = "rest/didChangeStatus";
export const FOCUS_NOTIFICATION = "rest/didFocus";
export const STATUS_REQUEST = "rest/status";

export type ServerState = "loading" | "indexing" | "ready" | "busy" | "paused" | "error";

export interface ServerStatus {
  readonly state: ServerState;
  readonly reason?: string | null;
  readonly fix?: string | null;
  readonly progress?: string | null;
  readonly percent?: number | null;
  readonly enabled?: boolean;
  readonly disabledLanguages?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly snoozedUntil?: number | null;
  readonly model?: string | null;
  readonly device?: string | null;
}

export interface Source {
  /** Relative to the workspace, or absolute. */
  readonly path: string;
  readonly uri?: string | null;
  /** Counted from zero. */
  readonly line: number;
  /** How many tokens of the suggestion came from there. */
  readonly tokens: number;
}

export interface Explanation {
  readonly tokens: number;
  readonly forwards: number;
  readonly accepted: number;
  readonly wait_ms?: number;
  readonly sources: readonly Source[];
}

export interface Model {
  readonly name: string;
  readonly description: string;
  /** Null when it is not known. */
  readonly bytes?: number | null;
  readonly present: boolean;
  readonly fits?: boolean | null;
  readonly note?: string | null;
  readonly current?: boolean;
}

export interface Check {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed";
  readonly text: string;
  readonly fix?: string | null;
}

/** JSON-RPC's code for a method that the other side does not have. */
const METHOD_NOT_FOUND = -32601;

/** Whether a request failed because the server is too old to know the command. */
export function isUnknownCommand(error: unknown): boolean {
  if (!(error instanceof Error)) {
    return false;
  }
  const code = (error as { code?: unknown }).code;
  return code === METHOD_NOT_FOUND || /not (found|defined|known|registered)|unknown command/i.test(error.message);
}

/** One line of whatever was thrown. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? "";
}
