import { describe, expect, it } from "vitest";
import { findServer, type Surroundings } from "../src/logic/locate";

function around(known: Partial<Surroundings> = {}): Surroundings {
  return {
    configured: [],
    trusted: true,
    findOnPath: async () => undefined,
    interpreters: async () => [],
    workspaceInterpreters: async () => [],
    managedInterpreter: async () => undefined,
    hasRestLsp: async () => false,
    ...known,
  };
}

async function program(known: Partial<Surroundings>): Promise<string | undefined> {
  return (await findServer(around(known))).command?.program;
}

describe("where the server is looked for", () => {
  it("takes the setting at its word, before everything else", async () => {
    const { command } = await findServer(
      around({ configured: ["/venv/bin/python", "-m", "rest_lsp", "serve"], findOnPath: async () => "/bin/rest-lsp" }),
    );
    expect(command).toEqual({ program: "/venv/bin/python", args: ["-m", "rest_lsp", "serve"], origin: "setting" });
  });

  it("serves when the setting names a program alone", async () => {
    const { command } = await findServer(around({ configured: ["/venv/bin/rest-lsp"] }));
    expect(command?.args).toEqual(["serve"]);
  });

  it("prefers PATH to environments, and those to its own", async () => {
    const managed = { managedInterpreter: async () => "/own/python" };
    const active = { interpreters: async () => ["/active/python"], hasRestLsp: async () => true };
    expect(await program({ ...managed, ...active, findOnPath: async () => "/bin/rest-lsp" })).toBe("/bin/rest-lsp");
    expect(await program({ ...managed, ...active })).toBe("/active/python");
    expect(await program({ ...managed, interpreters: async () => ["/active/python"] })).toBe("/own/python");
  });

  it("does not run interpreters of a workspace that is not trusted", async () => {
    const known = { workspaceInterpreters: async () => ["/repo/.venv/bin/python"], hasRestLsp: async () => true };
    expect(await program(known)).toBe("/repo/.venv/bin/python");
    expect(await program({ ...known, trusted: false })).toBeUndefined();
  });

  it("goes on when a question fails, and says so", async () => {
    const search = await findServer(
      around({
        interpreters: () => Promise.reject(new Error("the Python extension is broken")),
        managedInterpreter: async () => "/own/python",
      }),
    );
    expect(search.command?.origin).toBe("managed");
    expect(search.tried).toContain("the Python extension is broken");
  });

  it("lists what it tried when nothing is found", async () => {
    const { command, tried } = await findServer(around({ interpreters: async () => ["/usr/bin/python3"] }));
    expect(command).toBeUndefined();
    expect(tried).toEqual([
      "rest-lsp on PATH: no",
      "rest_lsp in /usr/bin/python3: no",
      "the extension's own environment: no",
    ]);
  });
});
