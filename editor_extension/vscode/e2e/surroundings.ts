// What the test runs with, and the folders that it works in.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";

const EXTENSION = join(import.meta.dirname, "..");
/** The project's own folder. */
export const REPOSITORY = join(EXTENSION, "..", "..");
const INSTALLED = process.env["REST_LSP_TEST_E2E"] ?? join(homedir(), ".cache", "rest-lsp-e2e");
const [NODE_PACKAGE] = readdirSync(join(INSTALLED, "node", "node_modules")).filter((name) => name.startsWith("node-"));

export const NODE = join(INSTALLED, "node", "node_modules", NODE_PACKAGE ?? "", "bin", "node");
export const CODE_SERVER = join(INSTALLED, "workbench", "node_modules", "code-server", "out", "node", "entry.js");
export const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
export const VSIX = join(EXTENSION, "dist", "rest-lsp.vsix");
export const PICTURES = join(EXTENSION, "dist", "pictures");
/** An interpreter that has rest_lsp. */
export const PYTHON = process.env["REST_LSP_TEST_PYTHON"] ?? join(REPOSITORY, ".venv", "bin", "python");
export const SERVER = [PYTHON, "-m", "rest_lsp", "serve"];

/** A new folder, gone with the machine's other temporary files. */
export function scratch(): string {
  return mkdtempSync(join(tmpdir(), "rest-lsp-e2e-"));
}

/** A copy of flask's source distribution. */
export function flask(): string {
  const code =
    "from rest_lsp.bench.corpus import FLASK, fetch; from rest_lsp.config import user_cache_dir; print(fetch(FLASK, user_cache_dir()))";
  const source = execFileSync(PYTHON, ["-c", code], { encoding: "utf8" }).trim();
  const folder = join(scratch(), "flask");
  cpSync(source, folder, { recursive: true });
  return folder;
}

/** A folder with `files` in it, texts by path. */
export function folderWith(files: Readonly<Record<string, string>>, name = "workspace"): string {
  const folder = join(scratch(), name);
  mkdirSync(folder);
  for (const [path, text] of Object.entries(files)) {
    write(join(folder, path), text);
  }
  return folder;
}

export function write(path: string, text: string): void {
  if (!existsSync(dirname(path))) {
    mkdirSync(dirname(path), { recursive: true });
  }
  writeFileSync(path, text);
}
