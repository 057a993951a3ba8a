// Questions to the machine: programs on PATH, what an interpreter is and has.  Knows no editor API.
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

const PROBE_MS = 10_000;
const IS_WINDOWS = process.platform === "win32";

/** The oldest Python that the server runs on. */
export const OLDEST_PYTHON: readonly [number, number] = [3, 10];

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The full path of a program.  Relative entries of PATH are passed over: they would mean something in the folder that is open,
 * which may come from anybody.
 */
export async function findOnPath(name: string, variables: Variables = process.env): Promise<string | undefined> {
  const file = IS_WINDOWS ? `${name}.exe` : name;
  for (const folder of (variables["PATH"] ?? "").split(delimiter).filter((entry) => isAbsolute(entry))) {
    if (await isProgram(join(folder, file))) {
      return join(folder, file);
    }
  }
  return undefined;
}

export async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The interpreter of a virtual environment. */
export function interpreterOf(environment: string): string {
  return IS_WINDOWS ? join(environment, "Scripts", "python.exe") : join(environment, "bin", "python");
}

/** Whether `import rest_lsp` works there.  Python looks in `folder` first, so that must be one of our own. */
export async function hasRestLsp(interpreter: string, folder: string): Promise<boolean> {
  const found = await output(interpreter, ["-c", "import rest_lsp; print('here')"], folder);
  return found?.trim() === "here";
}

/** `[3, 11]`, or undefined when it is no Python that runs. */
export async function pythonVersion(interpreter: string): Promise<readonly [number, number] | undefined> {
  const text = await output(interpreter, ["-I", "-c", "import sys; print(*sys.version_info[:2])"]);
  const [major, minor] = (text ?? "").trim().split(" ").map(Number);
  return major !== undefined && minor !== undefined && major > 0 ? [major, minor] : undefined;
}

export function isNewEnough(version: readonly [number, number]): boolean {
  return version[0] > OLDEST_PYTHON[0] || (version[0] === OLDEST_PYTHON[0] && version[1] >= OLDEST_PYTHON[1]);
}

function output(program: string, args: readonly string[], folder?: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: PROBE_MS, windowsHide: true, cwd: folder }, (error, stdout) => {
      resolve(error === null ? stdout : undefined);
    });
  });
}
