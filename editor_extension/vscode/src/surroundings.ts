// What the search for the server asks of this machine and of other extensions.
import { join } from "node:path";
import { extensions, workspace } from "vscode";
import { configuredCommand } from "./configuration";
import { managedInterpreter } from "./logic/environment";
import { fromEnvironmentsExtension, fromPythonExtension } from "./logic/interpreters";
import type { Surroundings } from "./logic/locate";
import { findOnPath, hasRestLsp, interpreterOf, isProgram } from "./logic/machine";

const OF_WORKSPACE = [".venv", "venv"];

/** `folder` is one of the extension's own: interpreters are run there, and the managed environment is in it. */
export function surroundings(folder: string): Surroundings {
  return {
    configured: configuredCommand(),
    trusted: workspace.isTrusted,
    findOnPath,
    interpreters,
    workspaceInterpreters,
    managedInterpreter: () => managedInterpreter(folder),
    hasRestLsp: (interpreter) => hasRestLsp(interpreter, folder),
  };
}

/** The interpreter in use, as the Python extensions know it, then those on PATH. */
export async function interpreters(): Promise<string[]> {
  const scope = workspace.workspaceFolders?.[0]?.uri;
  const found = [
    await fromEnvironmentsExtension(await exportsOf("ms-python.vscode-python-envs"), scope),
    await fromPythonExtension(await exportsOf("ms-python.python"), scope),
    await findOnPath("python3"),
    await findOnPath("python"),
  ];
  return found.filter((interpreter) => interpreter !== undefined);
}

async function workspaceInterpreters(): Promise<string[]> {
  const folders = workspace.workspaceFolders ?? [];
  const candidates = folders.flatMap((folder) =>
    OF_WORKSPACE.map((name) => interpreterOf(join(folder.uri.fsPath, name))),
  );
  const there = await Promise.all(candidates.map(isProgram));
  return candidates.filter((_, index) => there[index]);
}

async function exportsOf(identifier: string): Promise<unknown> {
  return extensions.getExtension(identifier)?.activate();
}
