// The dashboard for an editor tab: a `rest-lsp dashboard` of this window's own, asked over loopback, and its page as the
// tab shows it.  The page itself asks nobody; what it wants to know comes here as a message.  Knows no editor API.
import { type IncomingMessage, request } from "node:http";
import { describeExit, LaunchError, type ServerProcess } from "./launch";
import { messageOf } from "./protocol";
import { within } from "./waiting";

export const DASHBOARD_ARGUMENTS = ["dashboard", "--no-browser", "--until-eof", "--json"];
const START_MS = 60_000;
const ANSWER_MS = 120_000;
const WRONG_USAGE = 2;
const TOO_OLD = "The server is too old for the dashboard in a tab. Install a newer one.";

/** What the page asks: an address below `/api/`. */
export interface Question {
  readonly id: number;
  readonly path: string;
}

/** HTTP's status, 0 when there was nobody to ask; what is wrong is in `body.message`. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Announced {
  readonly address: string;
  readonly page: string;
}

interface Session {
  readonly origin: string;
  readonly cookie: string;
  /** The folder of the page's files. */
  readonly page: string;
  readonly process: ServerProcess;
}

/** Whether a message may be passed on: the page's files are the server's own, and yet it can ask for data alone. */
export function isQuestion(message: unknown): message is Question {
  const { id, path } = (message ?? {}) as Partial<Question>;
  return typeof id === "number" && typeof path === "string" && /^\/api\/[a-z\d/]+\?[\w=&%.+*-]*$/.test(path);
}

/** The page as a tab shows it: files from `base`, scripts and styles from `source` alone, and no connection to anything. */
export function pageFor(html: string, base: string, source: string): string {
  const policy = [
    "default-src 'none'",
    `script-src ${source}`,
    `style-src ${source}`,
    `img-src ${source} data:`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return html
    .replace(
      '<meta charset="utf-8">',
      (found) => `${found}\n<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    )
    .replaceAll('"/assets/', `"${base}/`);
}

/** Starts with the first question, starts anew when its process has ended, and ends when told to. */
export class Dashboard {
  private readonly start: () => Promise<ServerProcess>;
  private session: Promise<Session> | undefined;

  constructor(start: () => Promise<ServerProcess>) {
    this.start = start;
  }

  /** The folder with the page's files; rejects with a LaunchError when the dashboard cannot be started. */
  async page(): Promise<string> {
    return (await this.open()).page;
  }

  /** Never rejects: the page says what is wrong. */
  async ask(question: Question): Promise<Answer> {
    try {
      const { origin, cookie } = await this.open();
      const { status, text } = await get(new URL(question.path, origin), { cookie });
      return { status, body: status === 200 || text.startsWith("{") ? JSON.parse(text) : { message: text } };
    } catch (error) {
      return { status: 0, body: { message: messageOf(error) } };
    }
  }

  async end(): Promise<void> {
    const session = this.session;
    this.session = undefined;
    await session?.then(({ process }) => process.end(0)).catch(() => undefined);
  }

  private open(): Promise<Session> {
    if (this.session === undefined) {
      const session = this.begin();
      const forget = () => {
        if (this.session === session) {
          this.session = undefined;
        }
      };
      session.then(({ process }) => process.exited.then(forget), forget);
      this.session = session;
    }
    return this.session;
  }

  private async begin(): Promise<Session> {
    const process = await this.start();
    try {
      const { address, page } = await within(START_MS, announced(process));
      const { status, cookie } = await get(new URL(address), {});
      if (status !== 200 || cookie === "") {
        throw new LaunchError(`The dashboard did not let its own window in (${status}).`, "");
      }
      return { origin: new URL(address).origin, cookie, page, process };
    } catch (error) {
      await process.end(0);
      throw error;
    }
  }
}

async function announced(process: ServerProcess): Promise<Announced> {
  const text = await announcement(process);
  if (text === "") {
    const exit = await process.exited;
    const isUnknown = exit.code === WRONG_USAGE;
    throw new LaunchError(isUnknown ? TOO_OLD : describeExit(exit, process.lastWords, "dashboard"), "");
  }
  return JSON.parse(text);
}

/** What is printed up to the end of an object.  The stream is read on: a pipe that is closed would end the process. */
function announcement(process: ServerProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    process.child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("}")) {
        resolve(text);
      }
    });
    process.child.stdout.once("end", () => resolve(text));
  });
}

function get(url: URL, headers: Record<string, string>): Promise<{ status: number; cookie: string; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, agent: false, timeout: ANSWER_MS }, (response) => {
      const [cookie = ""] = response.headers["set-cookie"]?.[0]?.split(";") ?? [];
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, cookie, text }), reject);
    });
    asked.once("timeout", () => asked.destroy(new Error("The dashboard's process does not answer.")));
    asked.once("error", reject);
    asked.end();
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    text += chunk;
  }
  return text;
}
