// The server as a process: starting it, its last words, making sure that it is gone.  Knows no editor API.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Command } from "./locate";

const REMEMBERED_LINES = 30;

/** A start that failed, as a sentence for the user. */
export class LaunchError extends Error {
  readonly fix: string;

  constructor(reason: string, fix: string) {
    super(reason);
    this.fix = fix;
  }
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export class ServerProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly exited: Promise<Exit>;
  private readonly lastLines: string[] = [];

  private constructor(child: ChildProcessWithoutNullStreams, onLine: (line: string) => void) {
    this.child = child;
    this.exited = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
    createInterface({ input: child.stderr }).on("line", (line) => {
      this.lastLines.push(line);
      if (this.lastLines.length > REMEMBERED_LINES) {
        this.lastLines.shift();
      }
      onLine(line);
    });
    // A pipe that breaks is noticed by its reader and by the exit; without a handler it would be an uncaught error.
    child.stdin.on("error", () => undefined);
  }

  /** Resolves when the program runs; rejects with a LaunchError when it cannot be started.  `folder` must be one of our own. */
  static start(command: Command, folder: string, onLine: (line: string) => void): Promise<ServerProcess> {
    return new Promise((resolve, reject) => {
      const child = spawn(command.program, [...command.args], { cwd: folder, windowsHide: true });
      child.once("error", (error) => reject(explained(command, error)));
      child.once("spawn", () => resolve(new ServerProcess(child, onLine)));
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The last line that is no part of a traceback, or nothing. */
  get lastWords(): string {
    return this.lastLines.findLast((line) => line.trim() !== "" && !line.startsWith(" ")) ?? "";
  }

  /** Waits for the process to end and ends it when it does not. */
  async end(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), graceMs);
    await this.exited;
    clearTimeout(timer);
  }
}

/** Why a server, or `what` it is, that was started is not running any more, in a sentence. */
export function describeExit(exit: Exit, lastWords: string, what = "server"): string {
  const how = exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
  return lastWords === "" ? `The ${what} ended ${how}.` : `The ${what} ended ${how}: ${lastWords}`;
}

function explained(command: Command, error: NodeJS.ErrnoException): LaunchError {
  const fix =
    command.origin === "setting"
      ? "Correct the setting restLsp.command, or remove it to let the extension look for the server."
      : "Set restLsp.command to the path of rest-lsp.";
  if (error.code === "ENOENT") {
    return new LaunchError(`${command.program} cannot be started: there is no such program.`, fix);
  }
  if (error.code === "EACCES") {
    return new LaunchError(`${command.program} cannot be started: it is not a program that you may run.`, fix);
  }
  return new LaunchError(`${command.program} cannot be started: ${error.message}.`, fix);
}
