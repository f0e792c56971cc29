/** The report's page in a browser: nothing overflows at a phone's and a desk's width, in light and dark, and the console is quiet. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { svgOf } from "../../../src/cli/vegaSvg.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import { reportContent } from "../../../src/steering/report/report.ts";
import { writeReport } from "../../../src/steering/report/writeReport.ts";
import { describeNeeding, type Need } from "../../support/needs.ts";
import { syntheticStudy } from "../../support/syntheticStudy.ts";

const chromiumPath = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path && existsSync(path));
const needChromium: Need = {
  ok: chromiumPath !== undefined,
  reason: "there is no Chromium: install it, or name it in CHROMIUM",
};

describeNeeding(needChromium, "the page", () => {
  const folder = mkdtempSync(join(tmpdir(), "trimtab-page-"));
  let browser: Browser;

  beforeAll(async () => {
    const study = new StudyData(syntheticStudy(), { bootstrap: { resamples: 50 } });
    const command = (name: string): string =>
      `trimtab study ${name} -m smollm2-135m --data ${"a-long-name,".repeat(9)} -o runs/x`;
    await writeReport(folder, reportContent({ study, title: "page", facts: [["model", "m".repeat(90)]], command }), {
      svgOf,
    });
    browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  for (const width of [360, 1280])
    for (const colorScheme of ["light", "dark"] as const)
      it(`fits ${width} pixels, ${colorScheme}`, async () => {
        const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
        const said: string[] = [];
        page.on("console", (message) => said.push(message.text()));
        page.on("pageerror", (error) => said.push(String(error)));
        page.on("request", (request) => request.url().startsWith("file:") || said.push(request.url()));
        await page.goto(pathToFileURL(join(folder, "index.html")).href);
        await page.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true;
        });
        const facts = await page.evaluate(() => {
          const most = document.documentElement.clientWidth;
          const outside = [...document.querySelectorAll("body *")]
            .filter((e) => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > most + 1)
            .map((e) => e.outerHTML.slice(0, 80));
          const texts = [...document.querySelectorAll("figure svg text")].map((t) => t.getBoundingClientRect().height);
          const ink = getComputedStyle(document.querySelector("figure svg text")!).fill;
          return { overflow: document.documentElement.scrollWidth - most, outside, smallest: Math.min(...texts), ink };
        });
        expect(facts.overflow).toBeLessThanOrEqual(0);
        expect(facts.outside).toEqual([]);
        // a line of 9 pixels' text
        expect(facts.smallest).toBeGreaterThanOrEqual(9);
        expect(facts.ink).toBe(colorScheme === "dark" ? "rgb(230, 237, 243)" : "rgb(36, 41, 47)");
        expect(said).toEqual([]);
        await page.close();
      }, 30_000);

  it("prints its tables, which are closed on the screen", async () => {
    const page = await browser.newPage({ viewport: { width: 794, height: 1100 } });
    await page.goto(pathToFileURL(join(folder, "index.html")).href);
    const shown = (): Promise<boolean[]> =>
      page.evaluate(() => [...document.querySelectorAll("table")].map((t) => t.checkVisibility()));
    expect(new Set(await shown())).toEqual(new Set([false]));
    await page.emulateMedia({ media: "print" });
    expect(new Set(await shown())).toEqual(new Set([true]));
    await page.close();
  }, 30_000);
});
