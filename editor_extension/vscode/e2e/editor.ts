// The editor of a workbench: the cursor, typing, the suggestion that it shows.
import { readFileSync } from "node:fs";
import { until } from "./waiting.ts";
import { plain, type Workbench } from "./workbench.ts";

const EDITOR = ".editor-group-container.active .monaco-editor";
/** What follows the cursor in its line, in several pieces, and the lines below it. */
const GHOST_INLINE = `.monaco-editor .view-line [class*="ghost-text-decoration"]`;
const GHOST_LINES = ".monaco-editor .suggest-preview-text .view-line";

export class Editor {
  private readonly workbench: Workbench;

  constructor(workbench: Workbench) {
    this.workbench = workbench;
  }

  /** Puts the cursor at the end of the file. */
  async toEnd(): Promise<void> {
    await this.workbench.page.locator(`${EDITOR} .view-lines`).first().click();
    await this.press("Control+End");
  }

  async type(text: string): Promise<void> {
    await this.workbench.page.keyboard.type(text, { delay: 30 });
  }

  async press(key: string): Promise<void> {
    await this.workbench.page.keyboard.press(key);
  }

  /** The suggestion that is shown; empty when there is none. */
  async ghost(): Promise<string> {
    const { page } = this.workbench;
    const first = (await page.locator(GHOST_INLINE).allTextContents()).join("");
    return plain([first, ...(await page.locator(GHOST_LINES).allTextContents())].join("\n"));
  }

  async waitForGhost(milliseconds = 90_000): Promise<string> {
    return until("a suggestion", () => this.ghost(), milliseconds);
  }

  async waitForNoGhost(): Promise<void> {
    await until("no suggestion", async () => (await this.ghost()) === "");
  }

  async save(): Promise<void> {
    await this.press("Control+s");
    await this.workbench.page.locator(".tab.active:not(.dirty)").waitFor();
  }

  /** Saves, and gives what is in the file then. */
  async saved(path: string): Promise<string> {
    await this.save();
    return readFileSync(path, "utf8");
  }

  /** Where the cursor is, counted from one. */
  async line(): Promise<number> {
    const text = await this.workbench.page.locator("[id='status.editor.selection']").textContent();
    return Number(/Ln (\d+)/.exec(text ?? "")?.[1]);
  }

  /** A line that the active editor shows. */
  async lineWith(text: string): Promise<string> {
    const line = this.workbench.page.locator(`${EDITOR} .view-line`, { hasText: text.replaceAll(" ", "\u00a0") });
    return plain((await line.first().textContent()) ?? "");
  }

  async activeFile(): Promise<string> {
    return (await this.workbench.page.locator(".tab.active").first().getAttribute("data-resource-name")) ?? "";
  }
}
