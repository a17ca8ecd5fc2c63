import { defineConfig } from "@playwright/test";
import { VIEWPORT, launchOptions } from "./e2e/chromium.mjs";
import type { Options } from "./e2e/fixtures";
import { CONSOLE_URL } from "./e2e/stack";

const OUT = "../../out/console";
/** For anything that is waited for on a machine that does other things too. */
const PATIENCE_MS = 180_000;

const ZH = { language: "zh", locale: "zh-CN" } as const;
const EN = { language: "en", locale: "en-US" } as const;

const PAGES = "pages.spec.ts";
/** What the pages show is made by the stories. */
const STORIES = ["zh-story", "en-story"];

export default defineConfig<Options>({
  testDir: "e2e",
  outputDir: `${OUT}/results`,
  forbidOnly: true,
  retries: 0,
  // All specs share one stack, and its worker trains one task at a time.
  workers: 1,
  timeout: 2 * PATIENCE_MS,
  expect: { timeout: PATIENCE_MS, toPass: { timeout: PATIENCE_MS } },
  reporter: [
    ["list", { printSteps: true }],
    ["html", { outputFolder: `${OUT}/report`, open: "never" }],
    ["./e2e/pictures.ts", { folder: OUT }],
  ],
  use: {
    baseURL: CONSOLE_URL,
    launchOptions,
    viewport: VIEWPORT,
    // What moves is clicked where it was.
    contextOptions: { reducedMotion: "reduce" },
    actionTimeout: PATIENCE_MS,
    navigationTimeout: PATIENCE_MS,
    screenshot: "only-on-failure",
    trace: { mode: "retain-on-failure", screenshots: false, sources: false },
  },
  projects: [
    { name: "zh-login", testMatch: "login.spec.ts", use: ZH },
    // The first log-in of all has a one-time password.
    { name: "en-login", testMatch: "login.spec.ts", use: EN, dependencies: ["zh-login"] },
    { name: "zh-imports", testMatch: "imports.spec.ts", use: ZH, dependencies: ["zh-login"] },
    { name: "en-imports", testMatch: "imports.spec.ts", use: EN, dependencies: ["en-login"] },
    // One after the other: a worker that one drains is the other's, too.
    { name: "zh-operating", testMatch: "operating.spec.ts", use: ZH, dependencies: ["zh-login"] },
    { name: "en-operating", testMatch: "operating.spec.ts", use: EN, dependencies: ["en-login", "zh-operating"] },
    { name: "zh-story", testMatch: "story.spec.ts", use: ZH, dependencies: ["zh-login"] },
    { name: "en-story", testMatch: "story.spec.ts", use: EN, dependencies: ["en-login"] },
    { name: "zh-banks", testMatch: "banks.spec.ts", use: ZH, dependencies: STORIES },
    { name: "en-banks", testMatch: "banks.spec.ts", use: EN, dependencies: STORIES },
    { name: "zh-pages", testMatch: PAGES, use: ZH, dependencies: STORIES },
    { name: "en-pages", testMatch: PAGES, use: EN, dependencies: STORIES },
    { name: "zh-pages-dark", testMatch: PAGES, use: { ...ZH, colorScheme: "dark" }, dependencies: STORIES },
    { name: "weather", testMatch: "weather.spec.ts", use: ZH, dependencies: STORIES },
    { name: "budget", testMatch: "budget.spec.ts", use: ZH, dependencies: STORIES },
    // They import what the stories import: last, so that the stories' files are new. One after the other: a user has
    // one draft of a new model.
    { name: "zh-summary", testMatch: "summary.spec.ts", use: ZH, dependencies: STORIES },
    { name: "en-summary", testMatch: "summary.spec.ts", use: EN, dependencies: ["zh-summary"] },
    // The trainings that fail are the newest then: pages and summaries show those of the stories.
    { name: "zh-failure", testMatch: "failure.spec.ts", use: ZH, dependencies: ["en-summary"] },
    { name: "en-failure", testMatch: "failure.spec.ts", use: EN, dependencies: ["en-summary"] },
  ],
});
