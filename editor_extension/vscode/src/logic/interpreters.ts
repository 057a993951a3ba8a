// What other extensions say about the Python in use.  Only the parts of their public interfaces that are read are named here,
// and everything is checked, because those extensions change on their own.

type Loose = Readonly<Record<string, unknown>>;

/** From the exports of the Python Environments extension: `getEnvironment(scope)` gives `execInfo.run.executable`. */
export async function fromEnvironmentsExtension(exported: unknown, scope: unknown): Promise<string | undefined> {
  const environment = await call(exported, "getEnvironment", scope);
  return text(member(member(member(environment, "execInfo"), "run"), "executable"));
}

/**
 * From the exports of the Python extension: `environments.getActiveEnvironmentPath(scope)`, resolved to an executable when that
 * can be done.
 */
export async function fromPythonExtension(exported: unknown, scope: unknown): Promise<string | undefined> {
  const environments = member(exported, "environments");
  const active = await call(environments, "getActiveEnvironmentPath", scope);
  const resolved = await call(environments, "resolveEnvironment", active);
  return text(member(member(member(resolved, "executable"), "uri"), "fsPath")) ?? text(member(active, "path"));
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Loose)[name] : undefined;
}

async function call(target: unknown, name: string, argument: unknown): Promise<unknown> {
  const method = member(target, name);
  return typeof method === "function" ? await method.call(target, argument) : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
