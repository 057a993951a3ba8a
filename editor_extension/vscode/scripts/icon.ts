// Draws media/icon.png from media/icon.svg.  Usage: node scripts/icon.ts, with Node.js 24 and Chromium.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const media = join(import.meta.dirname, "..", "media");
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const page = await browser.newPage({ viewport: { width: 256, height: 256 } });
await page.setContent(`<body style="margin:0">${readFileSync(join(media, "icon.svg"), "utf8")}</body>`);
await page.screenshot({ path: join(media, "icon.png"), omitBackground: true });
await browser.close();
