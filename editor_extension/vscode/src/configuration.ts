// The settings of this extension as the editor keeps them.
import { ConfigurationTarget, type ExtensionContext, workspace } from "vscode";
import type { Switches } from "./logic/phase";
import { type Contributed, nested, SECTION, serverKeys } from "./logic/settings";

export function configuredCommand(): string[] {
  return workspace.getConfiguration(SECTION).get<string[]>("command", []);
}

/** Where the server keeps models and the record of completions, when it is not the usual place. */
export function cacheFolder(): string | undefined {
  return workspace.getConfiguration(SECTION).get<string | null>("model.cacheDir") ?? undefined;
}

export function switches(): Switches {
  const settings = workspace.getConfiguration(SECTION);
  return {
    enabled: settings.get("enabled", true),
    disabledLanguages: settings.get<string[]>("disabledLanguages", []),
  };
}

/** What the server is told: `initializationOptions`, and the settings of `workspace/didChangeConfiguration`. */
export function serverSettings(context: ExtensionContext): object {
  const keys = serverKeys(context.extension.packageJSON.contributes.configuration as Contributed[]);
  const settings = workspace.getConfiguration();
  return { [SECTION]: nested(keys, (key) => settings.inspect(key)) };
}

/** Sets `key` where it is set now, or for the user. */
export async function change(key: string, value: unknown): Promise<void> {
  const settings = workspace.getConfiguration(SECTION);
  const inspected = settings.inspect(key);
  const isOfWorkspace = inspected?.workspaceValue !== undefined;
  await settings.update(key, value, isOfWorkspace ? ConfigurationTarget.Workspace : ConfigurationTarget.Global);
}
