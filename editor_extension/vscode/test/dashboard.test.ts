// The dashboard of a tab, with a real process that lets in whoever has its token once, then its cookie.
import { chmod, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { DASHBOARD_ARGUMENTS, Dashboard, isQuestion, pageFor } from "../src/logic/dashboard";
import { ServerProcess } from "../src/logic/launch";
import { type Command, insteadOfServe } from "../src/logic/locate";

const PAGE = join(import.meta.dirname, "..", "..", "..", "rest_lsp", "dashboard", "page");

const PROGRAM = `#!${process.execPath}
const { createServer } = require("node:http");
const server = createServer((asked, answer) => {
  const known = asked.headers.cookie === "session=right";
  if (asked.url === "/?token=once") answer.setHeader("Set-Cookie", "session=right; HttpOnly; SameSite=Strict; Path=/");
  else if (!known) answer.statusCode = 401;
  else if (asked.url.startsWith("/api/overview")) answer.statusCode = 204;
  else if (asked.url.startsWith("/api/end")) process.exit(7);
  else if (asked.url.startsWith("/api/wrong")) answer.statusCode = 404;
  answer.end(answer.statusCode === 404 ? '{"message":"There is none."}' : answer.statusCode === 200 ? JSON.stringify(process.argv.slice(2)) : "");
});
server.listen(0, "127.0.0.1", () => {
  const address = "http://127.0.0.1:" + server.address().port + "/?token=once";
  console.log(JSON.stringify({ address, record: "/record", page: "/page" }, null, 2));
});
process.stdin.on("end", () => process.exit(0)).resume();
`;

async function program(script: string): Promise<Command> {
  const path = join(await mkdtemp(join(tmpdir(), "rest-lsp-test-")), "program.cjs");
  await writeFile(path, script);
  await chmod(path, 0o755);
  return { program: path, args: ["serve", "--in-process"], origin: "setting" };
}

describe("the dashboard's process", () => {
  const processes: ServerProcess[] = [];
  let dashboard: Dashboard | undefined;
  afterEach(() => dashboard?.end());

  async function dashboardOf(script: string): Promise<Dashboard> {
    const command = insteadOfServe(await program(script), DASHBOARD_ARGUMENTS);
    dashboard = new Dashboard(async () => {
      const started = await ServerProcess.start(command as Command, tmpdir(), () => undefined);
      processes.push(started);
      return started;
    });
    return dashboard;
  }

  const ask = (path: string) => dashboard?.ask({ id: 1, path });

  it("starts with the first question, and answers with data, with nothing, and with what is wrong", async () => {
    expect(await (await dashboardOf(PROGRAM)).page()).toBe("/page");
    expect(await ask("/api/completions?")).toEqual({ status: 200, body: DASHBOARD_ARGUMENTS });
    expect(await ask("/api/overview?")).toMatchObject({ status: 204 });
    expect(await ask("/api/wrong?")).toEqual({ status: 404, body: { message: "There is none." } });
    expect(processes.length).toBe(1);
  });

  it("is started anew when it has ended", async () => {
    await dashboardOf(PROGRAM);
    const [before, lost] = [await ask("/api/completions?"), await ask("/api/end?")];
    expect(before?.status).toBe(200);
    expect(lost).toMatchObject({ status: 0, body: { message: expect.any(String) } });
    expect((await processes.at(-1)?.exited)?.code).toBe(7);
    expect(await ask("/api/completions?")).toEqual(before);
  });

  it("ends when the tab is closed, and when the window has gone", async () => {
    await (await dashboardOf(PROGRAM)).page();
    await dashboard?.end();
    expect((await processes.at(-1)?.exited)?.signal).toBe("SIGKILL");
    await dashboard?.page();
    processes.at(-1)?.child.stdin.end();
    expect((await processes.at(-1)?.exited)?.code).toBe(0);
  });

  it.each([
    [
      "a server without it",
      "process.exit(2)",
      "The server is too old for the dashboard in a tab. Install a newer one.",
    ],
    [
      "one that fails",
      "console.error('No space.'); process.exit(1)",
      "The dashboard ended with exit code 1: No space.",
    ],
  ])("says what is wrong with %s, and can be tried again", async (_, script, message) => {
    await dashboardOf(`#!${process.execPath}\n${script}`);
    await expect(dashboard?.page()).rejects.toThrow(message);
    expect(await ask("/api/overview?")).toEqual({ status: 0, body: { message } });
  });
});

describe("the dashboard's page", () => {
  it("loads its files from the tab's own folder, and connects to nothing", async () => {
    const html = pageFor(await readFile(join(PAGE, "index.html"), "utf8"), "https://files/page", "https://files");
    const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html) ?? [];
    expect(policy).toContain("default-src 'none'; script-src https://files; style-src https://files;");
    expect(policy).not.toMatch(/unsafe|connect-src|frame-src/);
    expect(html.indexOf("http-equiv")).toBeLessThan(html.indexOf("<script"));
    for (const [, address] of html.matchAll(/(?:src|href)="([^#"]+)"/g)) {
      expect(address).toMatch(/^https:\/\/files\/page\//);
    }
  });

  it.each([
    [{ id: 1, path: "/api/overview?span=24h&workspace=3" }, true],
    [{ id: 1, path: "/api/completions/12?" }, true],
    [{ id: 1, path: "/api/../secret?" }, false],
    [{ id: 1, path: "//evil.example/api/x?" }, false],
    [{ id: 1, path: "http://evil.example/api/?" }, false],
    [{ id: 1, path: "/?token=x" }, false],
    [{ id: 1, path: "/api/x?a\r\nHost: evil" }, false],
    [{ id: "1", path: "/api/overview?" }, false],
    [null, false],
  ])("may ask %j: %s", (message, allowed) => {
    expect(isQuestion(message)).toBe(allowed);
  });
});

describe("the program", () => {
  it("is the server's own, without what is said to the server alone", () => {
    const of = (...args: string[]) =>
      insteadOfServe({ program: "python", args, origin: "setting" }, ["dashboard"])?.args;
    expect(of("-m", "rest_lsp", "serve", "--in-process")).toEqual(["-m", "rest_lsp", "dashboard"]);
    expect(of("wrapper.py")).toBeUndefined();
  });
});
