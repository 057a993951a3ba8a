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

  /** The suggestion that is shown: what is in the line of the cursor, and the lines below it. */
  private async pieces(): Promise<[string, string[]]> {
    return this.workbench.page.evaluate(
      ([inline, lines]) => {
        const texts = (selector: string) => [...document.querySelectorAll(selector)].map((piece) => piece.textContent);
        return [texts(inline).join(""), texts(lines)];
      },
      [GHOST_INLINE, GHOST_LINES] as const,
    );
  }

  /** The suggestion that is shown; empty when there is none. */
  async ghost(): Promise<string> {
    const [inline, lines] = await this.pieces();
    return plain([inline, ...lines].join("\n"));
  }

  /** Lines below the cursor may be drawn before what is in its line, so a suggestion has come when that has. */
  async waitForGhost(milliseconds = 90_000): Promise<string> {
    return until(
      "a suggestion",
      async () => {
        const [inline, lines] = await this.pieces();
        return inline && plain([inline, ...lines].join("\n"));
      },
      milliseconds,
    );
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
