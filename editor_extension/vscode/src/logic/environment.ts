// The extension's own Python environment: made when the user agrees, found again later.  Knows no editor API.
import { spawn } from "node:child_process";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findOnPath, hasRestLsp, interpreterOf, isNewEnough, OLDEST_PYTHON, pythonVersion } from "./machine";

/** An installation that failed, as a sentence for the user. */
export class InstallError extends Error {
  readonly fix: string;

  constructor(reason: string, fix: string) {
    super(reason);
    this.fix = fix;
  }
}

export interface Installation {
  /** A folder of the extension's own. */
  readonly folder: string;
  /** What pip installs: a name with or without a version, a wheel, or a folder with the sources. */
  readonly requirement: string;
  /** Interpreters to make the environment with, beside those on PATH. */
  readonly candidates: readonly string[];
  report(step: string): void;
  log(line: string): void;
  readonly signal: AbortSignal;
}

const CURRENT = "environment";
const OLDEST = OLDEST_PYTHON.join(".");

/** The interpreter of the environment that was made before, when it is whole. */
export async function managedInterpreter(folder: string): Promise<string | undefined> {
  const interpreter = interpreterOf(join(folder, CURRENT));
  return (await hasRestLsp(interpreter, folder)) ? interpreter : undefined;
}

/**
 * Makes the environment anew and returns its interpreter; rejects with an InstallError.  The old one stays in place until the
 * new one has all it needs.
 */
export async function install(how: Installation): Promise<string> {
  await mkdir(how.folder, { recursive: true });
  how.report("looking for Python");
  const python = await choosePython(how.candidates);
  const target = join(how.folder, CURRENT);
  const previous = join(how.folder, `${CURRENT}.old`);
  await rm(previous, { recursive: true, force: true });
  // Scripts in an environment hold its path, so it is made in its final place.
  await rename(target, previous).catch(() => undefined);
  try {
    how.report("making an environment");
    await step(how, python, ["-m", "venv", target], "The Python environment could not be made");
    const interpreter = interpreterOf(target);
    how.report("fetching packages");
    const pip = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"];
    await installSmallTorch(how, interpreter, pip);
    await step(how, interpreter, [...pip, how.requirement], `pip could not install ${how.requirement}`);
    if (!(await hasRestLsp(interpreter, how.folder))) {
      throw new InstallError(
        `${how.requirement} was installed but has no rest_lsp in it.`,
        "Check the setting restLsp.install.package.",
      );
    }
    await rm(previous, { recursive: true, force: true });
    return interpreter;
  } catch (error) {
    await rm(target, { recursive: true, force: true });
    await rename(previous, target).catch(() => undefined);
    throw error;
  }
}

/**
 * Without an NVIDIA GPU the usual PyTorch for Linux brings gigabytes that nothing uses.  Where the smaller one cannot be had, the
 * usual one comes with the other packages.
 */
async function installSmallTorch(how: Installation, interpreter: string, pip: readonly string[]): Promise<void> {
  if (process.platform !== "linux" || (await findOnPath("nvidia-smi")) !== undefined) {
    return;
  }
  const patience = ["--retries", "0", "--timeout", "10"];
  const index = ["--index-url", "https://download.pytorch.org/whl/cpu"];
  const work = step(
    how,
    interpreter,
    [...pip, ...patience, ...index, "torch"],
    "The small PyTorch could not be fetched",
  );
  await work.catch((error: unknown) => {
    if (how.signal.aborted) {
      throw error;
    }
    how.log("Going on with the usual PyTorch.");
  });
}

async function choosePython(candidates: readonly string[]): Promise<string> {
  const onPath = await Promise.all(["python3", "python", "py"].map((name) => findOnPath(name)));
  const seen: string[] = [];
  for (const python of [...candidates, ...onPath]) {
    const version = python === undefined ? undefined : await pythonVersion(python);
    if (python !== undefined && version !== undefined) {
      if (isNewEnough(version)) {
        return python;
      }
      seen.push(`${python} is ${version.join(".")}`);
    }
  }
  throw new InstallError(
    seen.length === 0 ? "No Python was found." : `Python ${OLDEST} or later is needed; ${seen.join(", ")}.`,
    `Install Python ${OLDEST} or later, or set restLsp.command to a rest-lsp that is installed elsewhere.`,
  );
}

/** Runs one program to its end; its output goes to the log, and its last error becomes the reason of a failure. */
async function step(how: Installation, program: string, args: readonly string[], failure: string): Promise<void> {
  how.log(`$ ${[program, ...args].join(" ")}`);
  const child = spawn(program, [...args], { cwd: how.folder, signal: how.signal, windowsHide: true });
  let complaint = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    how.log(line);
    const fetched = /^(?:Collecting|Downloading|Installing collected packages:)\s+([\w./-]+)/.exec(line);
    if (fetched?.[1] !== undefined) {
      how.report(`fetching packages (${(fetched[1].split("/").at(-1) ?? "").slice(0, 40)})`);
    }
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    how.log(line);
    complaint = line.startsWith("ERROR:") || complaint === "" ? line.replace(/^ERROR:\s*/, "") : complaint;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) =>
      reject(stopped(how.signal) ?? new InstallError(`${failure}: ${error.message}.`, "")),
    );
    child.once("close", resolve);
  });
  if (code !== 0) {
    const reason = complaint === "" ? `exit code ${code}` : complaint.replace(/\.$/, "");
    throw stopped(how.signal) ?? new InstallError(`${failure}: ${reason}.`, "The log has the whole output.");
  }
}

function stopped(signal: AbortSignal): InstallError | undefined {
  return signal.aborted ? new InstallError("The installation was stopped.", "") : undefined;
}
