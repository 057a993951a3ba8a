// Where the server is: the order of places to look, without looking itself.
import { messageOf } from "./protocol";

export type Origin = "setting" | "path" | "environment" | "managed";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly origin: Origin;
}

/** What can be asked of the machine and of other extensions.  No answer is undefined; a failing question counts as none. */
export interface Surroundings {
  /** The setting `restLsp.command`; empty when it is not set. */
  readonly configured: readonly string[];
  readonly trusted: boolean;
  findOnPath(name: string): Promise<string | undefined>;
  /** Interpreters that the user may have meant, the likeliest first. */
  interpreters(): Promise<readonly string[]>;
  /** Interpreters in folders of the workspace, which may come from anybody. */
  workspaceInterpreters(): Promise<readonly string[]>;
  managedInterpreter(): Promise<string | undefined>;
  hasRestLsp(interpreter: string): Promise<boolean>;
}

export interface Search {
  readonly command: Command | undefined;
  /** One line for each place, for the log. */
  readonly tried: readonly string[];
}

/** The first place that has the server.  A setting is taken at its word. */
export async function findServer(around: Surroundings): Promise<Search> {
  const tried: string[] = [];
  const [program, ...args] = around.configured;
  if (program !== undefined && program !== "") {
    return { command: { program, args: args.length > 0 ? args : ["serve"], origin: "setting" }, tried };
  }
  const onPath = await answer(around.findOnPath("rest-lsp"), tried);
  tried.push(`rest-lsp on PATH: ${onPath ?? "no"}`);
  if (onPath !== undefined) {
    return { command: { program: onPath, args: ["serve"], origin: "path" }, tried };
  }
  const interpreters = [...((await answer(around.interpreters(), tried)) ?? [])];
  if (around.trusted) {
    interpreters.push(...((await answer(around.workspaceInterpreters(), tried)) ?? []));
  } else {
    tried.push("environments of the workspace: not looked at, the workspace is not trusted");
  }
  for (const interpreter of new Set(interpreters)) {
    const has = (await answer(around.hasRestLsp(interpreter), tried)) ?? false;
    tried.push(`rest_lsp in ${interpreter}: ${has ? "yes" : "no"}`);
    if (has) {
      return { command: inInterpreter(interpreter, "environment"), tried };
    }
  }
  const managed = await answer(around.managedInterpreter(), tried);
  tried.push(`the extension's own environment: ${managed ?? "no"}`);
  return { command: managed === undefined ? undefined : inInterpreter(managed, "managed"), tried };
}

function inInterpreter(interpreter: string, origin: Origin): Command {
  return { program: interpreter, args: ["-m", "rest_lsp", "serve"], origin };
}

/** The same program with other words for `serve` and what follows it; undefined where it is started otherwise. */
export function insteadOfServe(command: Command, words: readonly string[]): Command | undefined {
  const at = command.args.lastIndexOf("serve");
  return at < 0 ? undefined : { ...command, args: [...command.args.slice(0, at), ...words] };
}

async function answer<T>(question: Promise<T>, tried: string[]): Promise<T | undefined> {
  try {
    return await question;
  } catch (error) {
    tried.push(messageOf(error));
    return undefined;
  }
}
