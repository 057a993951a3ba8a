// Real processes and real files: what the extension asks of the machine.
import { chmod, mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Installation, install, managedInterpreter } from "../src/logic/environment";
import { fromEnvironmentsExtension, fromPythonExtension } from "../src/logic/interpreters";
import { describeExit, ServerProcess } from "../src/logic/launch";
import type { Command } from "../src/logic/locate";
import { findOnPath, isNewEnough } from "../src/logic/machine";
import { RestartPolicy } from "../src/logic/restarts";
import { within } from "../src/logic/waiting";

const scratch = () => mkdtemp(join(tmpdir(), "rest-lsp-test-"));

async function program(folder: string, name: string, script: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

function command(path: string, origin: Command["origin"] = "setting"): Command {
  return { program: path, args: [], origin };
}

describe("programs", () => {
  it("are found in absolute folders of PATH only", async () => {
    const folder = await scratch();
    const path = await program(folder, "rest-lsp", "");
    expect(await findOnPath("rest-lsp", { PATH: `.:${folder}` })).toBe(path);
    expect(await findOnPath("rest-lsp", { PATH: "." })).toBeUndefined();
    expect(await findOnPath("rest-lsp", {})).toBeUndefined();
  });

  it("that do not exist are named, with what to do", async () => {
    const start = ServerProcess.start(command("/nowhere/rest-lsp"), tmpdir(), () => undefined);
    await expect(start).rejects.toMatchObject({
      message: "/nowhere/rest-lsp cannot be started: there is no such program.",
      fix: expect.stringContaining("restLsp.command"),
    });
  });

  it("leave their last words, tracebacks left out", async () => {
    const folder = await scratch();
    const script = "printf 'Traceback:\\n  File x\\nModuleNotFoundError: rest_lsp\\n' >&2; exit 3";
    const server = await ServerProcess.start(command(await program(folder, "server", script)), folder, () => undefined);
    const exit = await server.exited;
    expect(describeExit(exit, server.lastWords)).toBe(
      "The server ended with exit code 3: ModuleNotFoundError: rest_lsp",
    );
  });

  it("that do not end are ended", async () => {
    const folder = await scratch();
    const server = await ServerProcess.start(
      command(await program(folder, "server", "exec sleep 60")),
      folder,
      () => undefined,
    );
    await server.end(0);
    expect((await server.exited).signal).toBe("SIGKILL");
  });
});

describe("the managed environment", () => {
  /** Python as far as the installation asks for it: a version, `-m venv`, `-m pip`, and whether rest_lsp is there. */
  const PYTHON = `case "$*" in
    *version_info*) echo "3 11";;
    *venv*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
    *--index-url*) echo "ERROR: No such host" >&2; exit 1;;
    *broken*) echo "ERROR: No matching distribution found" >&2; exit 1;;
    *pip*) echo "Collecting torch"; touch "$(dirname "$0")/installed";;
    *rest_lsp*) test -e "$(dirname "$0")/installed" && echo here;;
  esac`;

  async function installation(requirement: string): Promise<Installation & { steps: string[] }> {
    const folder = await scratch();
    await mkdir(join(folder, "bin"));
    const steps: string[] = [];
    const candidates = [await program(join(folder, "bin"), "python", PYTHON)];
    const signal = new AbortController().signal;
    return { folder, requirement, candidates, steps, report: (step) => steps.push(step), log: () => undefined, signal };
  }

  it("is made, also where the small PyTorch cannot be had, reports its steps, and is found again", async () => {
    const how = await installation("rest-lsp.whl");
    const interpreter = await install(how);
    expect([...new Set(how.steps)]).toEqual([
      "looking for Python",
      "making an environment",
      "fetching packages",
      "fetching packages (torch)",
    ]);
    expect(await managedInterpreter(how.folder)).toBe(interpreter);
  });

  it("stays as it was when a later installation fails, whose reason is pip's", async () => {
    const how = await installation("rest-lsp.whl");
    const interpreter = await install(how);
    await expect(install({ ...how, requirement: "broken" })).rejects.toThrow(
      "pip could not install broken: No matching distribution found.",
    );
    expect(await managedInterpreter(how.folder)).toBe(interpreter);
    expect(await readFile(interpreter, "utf8")).toContain("version_info");
  });

  it("needs Python 3.10", () => {
    expect([isNewEnough([3, 9]), isNewEnough([3, 10]), isNewEnough([4, 0])]).toEqual([false, true, true]);
  });
});

describe("interpreters of other extensions", () => {
  it("are read where they are, and missed without an error where they are not", async () => {
    const environments = { getEnvironment: async () => ({ execInfo: { run: { executable: "/a/python" } } }) };
    expect(await fromEnvironmentsExtension(environments, undefined)).toBe("/a/python");
    const python = {
      environments: {
        getActiveEnvironmentPath: () => ({ path: "/b" }),
        resolveEnvironment: async () => ({ executable: { uri: { fsPath: "/b/bin/python" } } }),
      },
    };
    expect(await fromPythonExtension(python, undefined)).toBe("/b/bin/python");
    expect(await fromPythonExtension({ environments: 7 }, undefined)).toBeUndefined();
    expect(await fromEnvironmentsExtension(undefined, undefined)).toBeUndefined();
  });
});

describe("restarts", () => {
  it("come at once, then later, and are given up when there are too many", () => {
    let now = 0;
    const policy = new RestartPolicy({ most: 3, windowMs: 1000 }, () => now);
    const crash = () => policy.onCrash();
    expect([crash(), crash(), crash(), crash()]).toEqual([
      { again: true, afterMs: 0 },
      { again: true, afterMs: 500 },
      { again: true, afterMs: 1000 },
      { again: false },
    ]);
    now = 5000;
    expect(crash()).toEqual({ again: true, afterMs: 0 });
  });
});

describe("waiting", () => {
  it("ends", async () => {
    await expect(within(10, new Promise(() => undefined))).rejects.toThrow("nothing came within");
    expect(await within(1000, Promise.resolve(7))).toBe(7);
  });
});
