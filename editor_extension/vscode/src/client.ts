// The language client: what is asked of the server, what is let through, and that it shows no messages of its own.
import type { LogOutputChannel, TextDocument } from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type MessageTransports,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageclient/node";
import { DOCUMENTS } from "./documents";
import { describeExit, LaunchError, type ServerProcess } from "./logic/launch";
import {
  FOCUS_NOTIFICATION,
  messageOf,
  type ServerStatus,
  STATUS_NOTIFICATION,
  STATUS_REQUEST,
} from "./logic/protocol";
import type { KeystrokeTiming } from "./logic/timing";
import { within } from "./logic/waiting";

const START_MS = 60_000;
const STOP_MS = 2_000;
const LAST_WORDS_MS = 1_000;

export interface Wishes {
  readonly log: LogOutputChannel;
  readonly timing: KeystrokeTiming;
  settings(): object;
  isWanted(document: TextDocument): boolean;
  onStatus(status: ServerStatus): void;
  onSuggestion(): void;
}

export interface Connection {
  /** The result of a command of the server; rejects when it fails. */
  run<T>(command: string, ...args: readonly unknown[]): Promise<T>;
  configure(settings: object): Promise<void>;
  /** The window has the focus again, so files may have changed. */
  focus(): Promise<void>;
  status(): Promise<ServerStatus>;
  stop(): Promise<void>;
}

/** This extension says itself what went wrong, once; the client's own messages go to the log. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

/** Resolves when the server has answered; rejects with a LaunchError when it does not, and ends it then. */
export async function connect(server: ServerProcess, wishes: Wishes): Promise<Connection> {
  const transports = transportsOf(server, wishes.timing);
  const client = new QuietClient("restLsp", "rest_lsp", () => Promise.resolve(transports), options(wishes));
  client.onNotification(STATUS_NOTIFICATION, wishes.onStatus);
  try {
    await within(START_MS, client.start());
  } catch (error) {
    const exit = await within(LAST_WORDS_MS, server.exited).catch(() => undefined);
    await server.end(0);
    throw new LaunchError(
      exit === undefined ? `The server did not answer: ${messageOf(error)}.` : describeExit(exit, server.lastWords),
      "The log has what it said.",
    );
  }
  return {
    run: (command, ...args) => client.sendRequest("workspace/executeCommand", { command, arguments: args }),
    configure: (settings) => client.sendNotification("workspace/didChangeConfiguration", { settings }),
    focus: () => client.sendNotification(FOCUS_NOTIFICATION),
    status: () => client.sendRequest(STATUS_REQUEST),
    stop: async () => {
      // A client whose server has gone already cannot be stopped, and need not be.
      await client.dispose(STOP_MS).catch(() => undefined);
      await server.end(STOP_MS);
    },
  };
}

function options(wishes: Wishes): LanguageClientOptions {
  const { timing } = wishes;
  return {
    documentSelector: DOCUMENTS,
    outputChannel: wishes.log,
    initializationOptions: wishes.settings,
    initializationFailedHandler: () => false,
    // Whether a server that ended is started again is decided where it was started.
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
    },
    middleware: {
      didChange: (event, next) => {
        timing.key();
        return timing.measure(() => next(event));
      },
      notebooks: {
        didChange: (event, next) => {
          if (event.cells?.textContent !== undefined) {
            timing.key();
          }
          return timing.measure(() => next(event));
        },
      },
      provideInlineCompletionItems: async (document, position, context, token, next) => {
        if (!wishes.isWanted(document)) {
          return undefined;
        }
        const answer = await timing.measure(() => next(document, position, context, token));
        if (answer && (Array.isArray(answer) ? answer : answer.items).length > 0) {
          wishes.onSuggestion();
        }
        return answer;
      },
    },
  };
}

/** The server's pipes, with the time that encoding and decoding take counted. */
function transportsOf(server: ServerProcess, timing: KeystrokeTiming): MessageTransports {
  const json = "application/json";
  return {
    reader: new StreamMessageReader(server.child.stdout, {
      contentTypeDecoder: {
        name: json,
        decode: (buffer) => timing.measure(() => Promise.resolve(JSON.parse(Buffer.from(buffer).toString("utf8")))),
      },
    }),
    writer: new StreamMessageWriter(server.child.stdin, {
      contentTypeEncoder: {
        name: json,
        encode: (message) => timing.measure(() => Promise.resolve(Buffer.from(JSON.stringify(message), "utf8"))),
      },
    }),
  };
}
