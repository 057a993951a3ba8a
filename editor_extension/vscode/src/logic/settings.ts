// From what the user set in the editor to what the server is told.  What is not set stays out, so that the server's own
// defaults and `rest-lsp.toml` keep their say.

import type { Switches } from "./phase";
import type { ServerStatus } from "./protocol";

export const SECTION = "restLsp";

/** Settings that only this extension reads; the server does not know them. */
const EDITOR_ONLY: readonly string[] = [
  "restLsp.command",
  "restLsp.enabled",
  "restLsp.disabledLanguages",
  "restLsp.install.package",
];

/** What VS Code says about where a setting was set. */
export interface Inspected {
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
}

export interface Contributed {
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The names of all settings that are the server's, from the extension's own package.json. */
export function serverKeys(configuration: Contributed | readonly Contributed[]): string[] {
  const blocks: readonly Contributed[] = Array.isArray(configuration) ? configuration : [configuration as Contributed];
  const own = new Set<string>(EDITOR_ONLY);
  return blocks.flatMap((block) => Object.keys(block.properties)).filter((key) => !own.has(key));
}

/** The value that holds, or undefined when the user set none. */
export function chosen(inspected: Inspected | undefined): unknown {
  return inspected?.workspaceFolderValue ?? inspected?.workspaceValue ?? inspected?.globalValue;
}

/** What the user set, nested by section: `{completion: {maxTokensMulti: 80}}`. */
export function nested(keys: readonly string[], inspect: (key: string) => Inspected | undefined) {
  const tree: Record<string, Record<string, unknown>> = {};
  for (const key of keys) {
    const value = chosen(inspect(key));
    const [, section, option] = key.split(".");
    if (value !== undefined && value !== null && section !== undefined && option !== undefined) {
      tree[section] = { ...tree[section], [option]: value };
    }
  }
  return tree;
}

/** The list with `language` added or taken out. */
export function withLanguage(languages: readonly string[], language: string, disabled: boolean): string[] {
  const others = languages.filter((other) => other !== language);
  return disabled ? [...others, language].sort() : others;
}

/** What `rest.toggle` must be told for the server to agree with the settings; null stands for all languages. */
export function togglesNeeded(switches: Switches, status: ServerStatus): [language: string | null, enabled: boolean][] {
  const needed: [string | null, boolean][] = [];
  if (status.enabled !== undefined && status.enabled !== switches.enabled) {
    needed.push([null, switches.enabled]);
  }
  const known = status.disabledLanguages;
  if (known !== undefined) {
    const off = switches.disabledLanguages;
    needed.push(
      ...off.filter((language) => !known.includes(language)).map((language) => [language, false] as [string, boolean]),
    );
    needed.push(
      ...known.filter((language) => !off.includes(language)).map((language) => [language, true] as [string, boolean]),
    );
  }
  return needed;
}
