// A VS Code workbench with the packaged extension in it: started, driven through its page, ended.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { CHROMIUM, CODE_SERVER, NODE, PICTURES, SERVER, scratch, VSIX, write } from "./surroundings.ts";
import { until } from "./waiting.ts";

type Settings = Readonly<Record<string, unknown>>;

export interface Wishes {
  /** A folder, a file of kind .code-workspace, or nothing. */
  readonly open?: string;
  readonly settings?: Settings;
  /** Settings of the machine, where the program is named; the tested server unless said otherwise. */
  readonly machine?: Settings;
  readonly environment?: Readonly<Record<string, string>>;
  readonly trusted?: boolean;
}

const USER_SETTINGS: Settings = {
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Default Dark Modern",
  "telemetry.telemetryLevel": "off",
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "update.mode": "none",
  "chat.disableAIFeatures": true,
  "files.autoSave": "off",
  "editor.accessibilitySupport": "off",
  "editor.wordBasedSuggestions": "off",
  "window.dialogStyle": "custom",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.editor.useModal": "off",
  "editor.minimap.enabled": false,
  // A machine under test is slow now and then; neither how long nor how large a suggestion may be is what is tested.
  "restLsp.completion.timeBudgetAutomaticMs": 30_000,
  "restLsp.completion.timeBudgetInvokedMs": 30_000,
  "restLsp.completion.maxTokensMulti": 40,
};
const PATIENCE_MS = 120_000;
// Nothing is asked of the extension gallery.
const GALLERY = JSON.stringify({ serviceUrl: "http://127.0.0.1:9" });

export class Workbench {
  readonly page: Page;
  /** The folder of all that the workbench writes. */
  readonly root: string;
  private readonly browser: Browser;
  private readonly host: ChildProcess;

  private constructor(page: Page, root: string, browser: Browser, host: ChildProcess) {
    this.page = page;
    this.root = root;
    this.browser = browser;
    this.host = host;
  }

  static async start(wishes: Wishes): Promise<Workbench> {
    const root = scratch();
    const data = join(root, "data");
    write(join(data, "User", "settings.json"), JSON.stringify({ ...USER_SETTINGS, ...wishes.settings }));
    const machine = wishes.machine ?? { "restLsp.command": SERVER };
    write(join(data, "Machine", "settings.json"), JSON.stringify(machine));
    const places = ["--user-data-dir", data, "--extensions-dir", join(root, "extensions")];
    const environment = {
      ...process.env,
      EXTENSIONS_GALLERY: GALLERY,
      XDG_CONFIG_HOME: join(root, "config"),
      XDG_DATA_HOME: join(root, "share"),
      // The model comes from the user's cache; what is indexed does not go there.
      REST_LSP_DATASTORE_DIRECTORY: join(root, "datastores"),
      // No daemon of the person's is met, and none is left behind.
      REST_LSP_RUNTIME_DIR: join(root, "run"),
      REST_LSP_SERVER_LINGER_MINUTES: "0",
      ...wishes.environment,
    };
    execFileSync(NODE, [CODE_SERVER, ...places, "--install-extension", VSIX], { env: environment, stdio: "pipe" });
    const port = await freePort();
    const args = [
      "--auth",
      "none",
      "--bind-addr",
      `127.0.0.1:${port}`,
      "--disable-telemetry",
      "--disable-update-check",
    ];
    if (wishes.trusted !== false) {
      args.push("--disable-workspace-trust");
    }
    const host = spawn(NODE, [CODE_SERVER, ...places, ...args, "--disable-getting-started-override"], {
      env: environment,
      stdio: ["ignore", openSync(join(root, "host.log"), "w"), openSync(join(root, "host.err"), "w")],
      detached: true,
    });
    // Whatever ends the test ends the workbench and all that it started.
    process.once("exit", () => end(host));
    await until("the workbench answers", () => answers(port));
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    });
    const context = await browser.newContext({
      viewport: { width: 1100, height: 640 },
      deviceScaleFactor: 1.5,
      permissions: ["clipboard-read", "clipboard-write"],
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const kind = wishes.open?.endsWith(".code-workspace") ? "workspace" : "folder";
    const query = wishes.open === undefined ? "ew=true" : `${kind}=${encodeURIComponent(wishes.open)}`;
    await page.goto(`http://127.0.0.1:${port}/?${query}`);
    await page.waitForSelector(".monaco-workbench");
    await page.waitForSelector("#restLsp\\.status, [id$='restLsp.status']");
    const workbench = new Workbench(page, root, browser, host);
    await workbench.watchStates();
    return workbench;
  }

  async close(): Promise<void> {
    await this.browser.close();
    end(this.host);
  }

  async picture(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.waitForFunction(() => {
      const animations = document.querySelector(".notifications-toasts")?.getAnimations({ subtree: true }) ?? [];
      // A bar that shows progress moves for ever; a message that comes into view does not.
      return animations.every((animation) => animation.effect?.getComputedTiming().endTime === Infinity);
    });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`) });
  }

  async pictureOfFailure(test: object): Promise<void> {
    const { name, passed } = test as { name: string; passed: boolean };
    if (!passed) {
      await this.picture(`failed: ${name}`);
    }
  }

  /** What the status bar says, icon left out. */
  async status(): Promise<string> {
    return plain((await this.page.locator("[id$='restLsp.status']").textContent()) ?? "");
  }

  /** What a screen reader says of it, which also tells states that are shown as an icon alone. */
  async state(): Promise<string> {
    const label = await this.page.locator("[id$='restLsp.status'] a").getAttribute("aria-label");
    return (label ?? "").replace(/^rest_lsp: /, "");
  }

  async reach(state: string | RegExp, milliseconds = 180_000): Promise<void> {
    let last = "";
    const matches = async () => {
      last = await this.state();
      return typeof state === "string" ? last === state : state.test(last);
    };
    await until(`state ${state}`, matches, milliseconds).catch((error: Error) => {
      throw new Error(`${error.message}; it is ${last}`);
    });
  }

  /** All states since the start, in order. */
  async states(): Promise<string[]> {
    return this.page.evaluate(() => (globalThis as unknown as { restLspStates: string[] }).restLspStates);
  }

  private async watchStates(): Promise<void> {
    await this.page.evaluate(() => {
      const seen: string[] = [];
      const look = () => {
        const label = document.querySelector("[id$='restLsp.status'] a")?.getAttribute("aria-label") ?? "";
        const state = label.replace(/^rest_lsp: /, "");
        if (state !== "" && state !== seen.at(-1)) {
          seen.push(state);
        }
      };
      look();
      const all = { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-label"] };
      new MutationObserver(look).observe(document.body, all);
      (globalThis as unknown as { restLspStates: string[] }).restLspStates = seen;
    });
  }

  /** Runs a command of the extension by its title. */
  async command(title: string): Promise<void> {
    await this.runCommand(`rest_lsp: ${title}`);
  }

  async runCommand(title: string): Promise<void> {
    await this.ask(`>${title}`);
    await this.row(title).first().click();
  }

  /** Opens the palette with `text` in it.  It closes again when the workbench moves its focus meanwhile. */
  private async ask(text: string): Promise<void> {
    const input = this.page.locator(".quick-input-widget input[type=text]").first();
    await until("the command palette", async () => {
      await this.page.keyboard.press("F1");
      return input.fill(text, { timeout: 1_500 }).then(
        () => true,
        () => false,
      );
    });
  }

  /** Chooses an entry of the list that is open. */
  async choose(text: string | RegExp): Promise<void> {
    await this.row(text).first().click();
  }

  /** Changes a setting as a person does: in the editor.  Nobody watches the file itself. */
  async setting(key: string, value: unknown, whose: "User" | "Remote" = "User"): Promise<void> {
    const path = join(this.root, "data", whose === "User" ? "User" : "Machine", "settings.json");
    const text = JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), [key]: value });
    await this.runCommand(`Preferences: Open ${whose} Settings (JSON)`);
    await this.page.locator('.tab.active[data-resource-name="settings.json"]').waitFor();
    await this.page.locator(".editor-group-container.active .monaco-editor .view-lines").first().click();
    await this.page.evaluate((content) => navigator.clipboard.writeText(content), text);
    await this.page.keyboard.press("Control+a");
    await this.page.keyboard.press("Control+v");
    await this.page.keyboard.press("Control+s");
    await until("the setting on the disk", () => readFileSync(path, "utf8") === text);
    // A tab that is closed before it knows that it was saved asks whether to save.
    await this.page.locator('.tab.active[data-resource-name="settings.json"]:not(.dirty)').waitFor();
    await this.closeEditor();
  }

  async closeEditor(): Promise<void> {
    await this.runCommand("View: Close Editor");
  }

  /** The process that is the editor's server now. */
  serverProcess(): number | undefined {
    return this.process("rest_lsp\0serve");
  }

  /** The process that holds the model. */
  daemonProcess(): number | undefined {
    return this.process("rest_lsp.cli_daemon");
  }

  /** The process that answers the dashboard's tab. */
  dashboardProcess(): number | undefined {
    return this.process("rest_lsp\0dashboard");
  }

  isRunning(pid: number): boolean {
    return ofProcess(pid, "cmdline") !== "";
  }

  /** Whether the open editors, as the browser keeps them for the next time, name `kind`: it writes them every 5 s. */
  async remembers(kind: string): Promise<boolean> {
    return this.page.evaluate(async (wanted) => {
      const read = <Result>(request: IDBRequest<Result>) =>
        new Promise<Result>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      for (const { name } of await indexedDB.databases()) {
        if (name?.startsWith("vscode-web-state-db-")) {
          const database = await read(indexedDB.open(name));
          const editors = "memento/workbench.parts.editor";
          const kept = await read(database.transaction("ItemTable").objectStore("ItemTable").get(editors));
          database.close();
          if (String(kept).includes(wanted)) {
            return true;
          }
        }
      }
      return false;
    }, kind);
  }

  private process(words: string): number | undefined {
    return processes().find(
      (pid) =>
        ofProcess(pid, "cmdline").includes(words) && ofProcess(pid, "environ").includes(`${this.root}/datastores`),
    );
  }

  /** What the extension has logged. */
  log(): string {
    const logs = join(this.root, "data", "logs");
    const files = readdirSync(logs, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith("rest_lsp.log"),
    );
    return files.map((name) => readFileSync(join(logs, name), "utf8")).join("\n");
  }

  /** Opens a file of the workspace by its name, and waits until it can be typed in. */
  async file(name: string): Promise<void> {
    await this.quickOpen(name);
    await this.page.locator(".editor-group-container.active .monaco-editor .view-lines").first().waitFor();
  }

  async quickOpen(name: string): Promise<void> {
    await this.ask(name);
    await this.row(name).first().click();
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
  }

  row(text: string | RegExp) {
    return this.page.locator(".quick-input-list .monaco-list-row", { hasText: text });
  }

  notification(text: string | RegExp) {
    return this.page.locator(".notification-toast", { hasText: text });
  }
}

/** Text as it was meant: the workbench draws blanks as no-break spaces. */
export function plain(text: string): string {
  return text.replaceAll("\u00a0", " ").trim();
}

function processes(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0);
}

function ofProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // It has ended, or is somebody else's.
  }
}

function end(host: ChildProcess): void {
  try {
    process.kill(-(host.pid ?? 0), "SIGTERM");
  } catch {
    // It has ended already.
  }
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/healthz`).then(
    (answer) => answer.ok,
    () => false,
  );
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
