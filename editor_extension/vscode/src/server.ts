// The life of the server: found, started, ended, started again when it ends by itself.  Shows nothing.
import { mkdir } from "node:fs/promises";
import { type Disposable, EventEmitter } from "vscode";
import type { Connection, Wishes } from "./client";
import { describeExit, type Exit, LaunchError, ServerProcess } from "./logic/launch";
import { type Command, findServer, type Surroundings } from "./logic/locate";
import type { Phase } from "./logic/phase";
import { messageOf, type ServerStatus } from "./logic/protocol";
import { RestartPolicy } from "./logic/restarts";

export interface Needs extends Omit<Wishes, "onStatus"> {
  /** A folder of the extension's own: Python looks for modules where it is started. */
  readonly folder: string;
  surroundings(): Surroundings;
}

export class Server implements Disposable {
  private readonly changed = new EventEmitter<Phase>();
  readonly onChange = this.changed.event;
  private readonly restarts = new RestartPolicy();
  private readonly needs: Needs;
  private current: Phase = { kind: "idle" };
  private connection: Connection | undefined;
  private found: Command | undefined;
  /** Counts starts and stops, so that one that was overtaken while it waited can tell. */
  private turn = 0;

  constructor(needs: Needs) {
    this.needs = needs;
  }

  get phase(): Phase {
    return this.current;
  }

  /** The program that was started last. */
  get command(): Command | undefined {
    return this.found;
  }

  /** Starts it, or starts it anew.  Never rejects: the phase says what came of it. */
  async start(): Promise<void> {
    this.restarts.forget();
    await this.begin();
  }

  async stop(): Promise<void> {
    this.turn += 1;
    await this.disconnect();
    this.show({ kind: "stopped" });
  }

  installing(step: string): void {
    this.show({ kind: "installing", step });
  }

  /** The result of a command of the server; rejects when it does not run or does not know it. */
  async run<T>(command: string, ...args: readonly unknown[]): Promise<T> {
    if (this.connection === undefined) {
      throw new Error("The server does not run.");
    }
    return this.connection.run<T>(command, ...args);
  }

  async configure(settings: object): Promise<void> {
    await this.connection?.configure(settings);
  }

  async focus(): Promise<void> {
    await this.connection?.focus();
  }

  dispose(): void {
    this.changed.dispose();
  }

  private async begin(): Promise<void> {
    const turn = ++this.turn;
    await this.disconnect();
    this.showIf(turn, { kind: "searching" });
    await mkdir(this.needs.folder, { recursive: true });
    const search = await findServer(this.needs.surroundings());
    for (const line of search.tried) {
      this.needs.log.info(line);
    }
    if (turn !== this.turn) {
      return;
    }
    this.found = search.command;
    if (search.command === undefined) {
      this.show({ kind: "missing" });
      return;
    }
    try {
      await this.open(search.command, turn);
    } catch (error) {
      const fix = error instanceof LaunchError ? error.fix : "The log has more.";
      this.needs.log.error(messageOf(error));
      this.showIf(turn, { kind: "failed", reason: messageOf(error), fix });
    }
  }

  private async open(command: Command, turn: number): Promise<void> {
    this.show({ kind: "starting" });
    this.needs.log.info(`starting ${[command.program, ...command.args].join(" ")}`);
    // The client's code is large; it is read when it is needed and not while the editor starts.
    const { connect } = await import("./client");
    const server = await ServerProcess.start(command, this.needs.folder, (line) => this.needs.log.warn(line));
    const onStatus = (status: ServerStatus) => this.showIf(turn, { kind: "running", status });
    const connection = await connect(server, { ...this.needs, onStatus });
    if (turn !== this.turn) {
      await connection.stop();
      return;
    }
    this.connection = connection;
    void server.exited.then((exit) => this.ended(turn, exit, server.lastWords));
    onStatus(await connection.status());
  }

  /** The server has ended by itself. */
  private async ended(turn: number, exit: Exit, lastWords: string): Promise<void> {
    if (turn !== this.turn) {
      return;
    }
    const reason = describeExit(exit, lastWords);
    this.needs.log.warn(reason);
    const verdict = this.restarts.onCrash();
    if (!verdict.again) {
      this.turn += 1;
      await this.disconnect();
      this.show({
        kind: "failed",
        reason: `${reason} It ended too often to be started again.`,
        fix: "The log has more.",
      });
      return;
    }
    this.show({ kind: "starting" });
    await new Promise((resolve) => setTimeout(resolve, verdict.afterMs));
    if (turn === this.turn) {
      await this.begin();
    }
  }

  private async disconnect(): Promise<void> {
    const connection = this.connection;
    this.connection = undefined;
    await connection?.stop();
  }

  private showIf(turn: number, phase: Phase): void {
    if (turn === this.turn) {
      this.show(phase);
    }
  }

  private show(phase: Phase): void {
    this.current = phase;
    this.changed.fire(phase);
  }
}
