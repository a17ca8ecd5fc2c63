// Opens every page of a console as a person would, and keeps pictures of what is there.
//
//   node tests/console/look.mjs URL USER PASSWORD OUT FOLDER [story | budget | page …]
//
// `story` is the main job (story.mjs), by one person in Chinese and by another in English, with the pictures of
// FOLDER/zh and FOLDER/en. Without a name: the stories, every page in both languages and in the dark, and the budget.
//
// What fails it: a station that is not reached, an error that a page shows or logs, anything asked of another machine, a
// page that is wider than the window, and what axe calls serious. A picture of each fault is kept as fault-*.png.
// USER's password may be a one-time one: the first log-in then chooses NEW_PASSWORD.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { budget } from "./measure.mjs";
import { story } from "./story.mjs";
import { weather } from "./weather.mjs";
import { words } from "./words.mjs";

const require = createRequire(new URL("../../gateway/console/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [url, user, password, out, folder, ...only] = process.argv.slice(2);
const NEW_PASSWORD = "a console to look at";
const LOCALES = { zh: "zh-CN", en: "en-US" };
/** Of a training and a retraining: long enough to be watched, short enough for a test. */
const ITERATIONS = { zh: [40, 16], en: [24, 12] };
/** Of whatever is waited for on a machine that does other things too. */
const PATIENCE_MS = 180_000;

const executablePath =
  process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
mkdirSync(out, { recursive: true });
for (const old of readdirSync(out)) if (!only.length || old.startsWith("fault-")) rmSync(`${out}/${old}`, { recursive: true });
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const faults = [];
const pictures = [];
const began = performance.now();

const pause = () => new Promise((done) => setTimeout(done, 100));

/** A browser of one person's own, in a language. */
async function person(language) {
  const t = await words(language);
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: LOCALES[language], bypassCSP: false });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  let where = "";
  let counted = 0;
  const fault = (text) => {
    faults.push(`${where}: ${text}`);
    console.error(`FAULT ${where}: ${text}`);
  };
  page.on("pageerror", (error) => fault(error.message));
  page.on("console", (line) => {
    // The log-in asks who one is, and is told nobody: the browser logs that as an error.
    if (line.type() === "error" && !(where.endsWith("log in") && line.text().includes("40"))) fault(`${line.text()} ${line.location().url}`);
  });
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (!["127.0.0.1", new URL(url).hostname].includes(hostname) && protocol.startsWith("http")) fault(`asks ${request.url()}`);
  });

  /** Until nothing loads, and nothing moves that will come to rest. */
  async function settle() {
    await page
      .waitForFunction(
        () =>
          !document.querySelector(".ant-skeleton, .ant-spin-spinning, .ant-btn-loading") &&
          [...document.images].every(
            (image) =>
              // Tiles in the window get their pictures a moment after they are drawn.
              (image.complete && (image.src || !image.matches(".tile-picture"))) ||
              image.loading === "lazy" ||
              image.getBoundingClientRect().top > window.innerHeight,
          ) &&
          document.getAnimations().every((one) => one.playState !== "running" || one.effect?.getComputedTiming().iterations === Infinity),
        undefined,
        { timeout: 15_000 },
      )
      .catch(() => undefined);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }

  /** A picture of what is there, once it has settled; and what is wrong with it. */
  async function shoot(name, { fullPage = false, numbered = true } = {}) {
    for (const end of fullPage ? [true, false] : []) {
      await page.evaluate((down) => window.scrollTo(0, down ? document.body.scrollHeight : 0), end);
      await settle();
    }
    await settle();
    const file = numbered ? `story-${language}-${String((counted += 1)).padStart(2, "0")}-${name}.png` : `${name}.png`;
    await page.screenshot({ path: `${out}/${file}`, fullPage });
    pictures.push(file);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) fault(`${name} is ${wide} px wider than the window`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, impact, nodes } of violations) {
      if (!["serious", "critical"].includes(impact)) continue;
      fault(`${name}: axe: ${id}: ${nodes.slice(0, 2).map(({ html }) => html.slice(0, 140)).join(" | ")}`);
    }
  }

  async function until(holds, what) {
    const end = performance.now() + PATIENCE_MS;
    while (!(await holds())) {
      if (performance.now() > end) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`);
      await pause();
    }
  }

  /** A part of the work by name: if it fails, that is told with a picture, and nothing after it is tried. */
  async function station(name, work) {
    where = `${language}: ${name}`;
    const from = performance.now();
    try {
      await work();
    } catch (failure) {
      const file = `fault-${language}-${name.replaceAll(/\W+/g, "-")}.png`;
      await page.screenshot({ path: `${out}/${file}` }).then(
        () => pictures.push(file),
        () => undefined,
      );
      fault(`${failure.message.split("\n").slice(0, 4).join(" ")} (${file}, at ${page.url()})`);
      throw new Stopped(where);
    }
    console.log(`${where}: ${((performance.now() - from) / 1000).toFixed(0)} s`);
  }

  const look = {
    page,
    context,
    url,
    language,
    t,
    fault,
    shoot,
    station,
    until,
    get: async (path) => (await context.request.get(url + path)).json(),
    /** Picks what has a text from a list that opens; again if the list moved away under the pointer. */
    choose: async (label, option) => {
      const box = page.getByRole("combobox", { name: label, exact: true });
      const list = page.locator(".ant-select-dropdown:visible");
      const isOpen = async () => (await box.getAttribute("aria-expanded")) === "true";
      const chosen = async () =>
        !(await isOpen()) || (await list.locator(".ant-select-item-option-selected", { hasText: option }).count()) > 0;
      await until(async () => {
        if (!(await isOpen())) await box.click();
        const clicked = await list.locator(".ant-select-item-option", { hasText: option }).first().click({ timeout: 10_000 }).then(
          () => true,
          () => false,
        );
        for (let tries = 0; clicked && tries < 20 && !(await chosen()); tries += 1) await pause();
        return clicked && chosen();
      }, `${option} is chosen as ${label}`);
    },
    /** Puts a text in the place of an editor's, as who pastes one does. */
    write: async (editor, text) => {
      await editor.focus();
      await page.keyboard.press("Control+A");
      await editor.evaluate((element, pasted) => {
        const clipboardData = new DataTransfer();
        clipboardData.setData("text/plain", pasted);
        element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
      }, text);
    },
    pictureLoaded: async (selector) => {
      await page.locator(selector).first().waitFor();
      await page.waitForFunction((found) => document.querySelector(found)?.naturalWidth > 0, selector);
    },
  };
  await station("log in", () => logIn(look));
  return look;
}

async function logIn({ page, language, shoot }) {
  await page.goto(url);
  await page.locator('input[autocomplete="username"]').waitFor();
  await shoot(`login-${language}`, { numbered: false });
  for (const [name, text] of [["username", user], ["current-password", password]]) {
    await page.locator(`input[autocomplete="${name}"]`).fill(text);
  }
  const submit = page.locator('button[type="submit"]');
  const fresh = page.locator('input[autocomplete="new-password"]');
  const refused = page.locator(".ant-alert-error");
  const inside = page.locator("nav");
  await submit.click();
  await fresh.first().or(refused.first()).or(inside).first().waitFor();
  if (await refused.count()) {
    await page.locator('input[autocomplete="current-password"]').fill(NEW_PASSWORD);
    await submit.click();
  } else if (await fresh.count()) {
    await fresh.nth(0).fill(NEW_PASSWORD);
    await fresh.nth(1).fill(NEW_PASSWORD);
    await shoot(`login-change-${language}`, { numbered: false });
    await submit.click();
  }
  await inside.waitFor();
}

class Stopped extends Error {}

const last = (name) => name.split("/").at(-1);

/** Name, path, and what must be there before one looks. */
async function pages(get) {
  const found = [
    ["models", "/models"],
    ["tasks", "/tasks"],
    ["predictions", "/predictions"],
    ["datasets", "/datasets"],
    ["marks", "/datasets?tab=marks"],
    ["images", "/images"],
    ["master-data", "/master-data"],
    ["users", "/users"],
    ["audit", "/audit"],
    ["system", "/system"],
    ["new", "/new"],
    ["no-such-page", "/no-such-page"],
  ];
  const { models } = await get("/v1/models");
  if (models[0]) {
    found.push(["model", `/models/${last(models[0].name)}`]);
    found.push(["compare", `/models/${last(models[0].name)}/compare`, ".linklike"]);
    found.push(["retrain", `/new?parent=${encodeURIComponent(models[0].latestVersion)}`]);
  }
  const { tasks } = await get("/v1/tasks?kind=TASK_KIND_TRAINING");
  if (tasks[0]) found.push(["monitor", `/tasks/${last(tasks[0].name)}`, ".u-wrap canvas"]);
  const { reports } = await get("/v1/reports");
  if (reports[0]) found.push(["report", `/reports/${last(reports[0].name)}`, ".matrix"]);
  const { datasets } = await get("/v1/datasets");
  if (datasets[0]) {
    const { dataPaths } = await get(`/v1/${datasets[0].name}/paths`);
    if (dataPaths?.[0]) found.push(["samples", `/datasets/${last(datasets[0].name)}/${last(dataPaths[0].name)}`, ".tile-picture[src]"]);
  }
  return found;
}

/** Every page, looked at in both languages and in the dark. */
async function everyPage({ page, get, station, shoot, fault }) {
  for (const [language, dark] of [["zh", false], ["en", false], ["zh", true]]) {
    await page.evaluate(
      ([chosen, night]) => {
        localStorage.setItem("loupe.language", chosen);
        localStorage.setItem("loupe.dark", night ? "1" : "0");
      },
      [language, dark],
    );
    const look = `${language}${dark ? "-dark" : ""}`;
    for (const [name, path, ready = ".page-title"] of await pages(get)) {
      if (only.length && !only.includes(name)) continue;
      await station(`page ${name} (${look})`, async () => {
        await page.goto(url + path);
        await page.locator(ready).first().waitFor();
        await page.waitForLoadState("networkidle", { timeout: 1500 }).catch(() => undefined);
        await shoot(`page-${name}-${look}`, { numbered: false, fullPage: true });
        if (await page.locator(".ant-alert-error, .big[role=alert]").count()) fault("shows an error");
      });
    }
  }
}

/** All pictures in the order in which they were taken, to be looked through. */
function index() {
  const shown = pictures.map((file) => `<figure><figcaption id="${file}">${file}</figcaption><a href="${file}"><img src="${file}" alt="${file}"></a></figure>`);
  const told = faults.map((text) => `<li>${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</li>`);
  writeFileSync(
    `${out}/index.html`,
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Loupe's console</title>
<style>body{font:15px sans-serif;margin:24px auto;max-width:1400px}img{max-width:100%;border:1px solid #ccc}figure{margin:0 0 36px}figcaption{font-weight:600;margin-bottom:6px}</style>
<h1>Loupe's console</h1><p>${pictures.length} pictures, ${faults.length} faults</p><ul>${told.join("")}</ul>
${shown.join("\n")}</html>\n`,
  );
}

const wanted = (name) => !only.length || only.includes(name);
try {
  const first = await person("zh");
  if (wanted("story")) {
    await story(first, { folder: `${folder}/zh`, iterations: ITERATIONS.zh });
    const second = await person("en");
    await story(second, { folder: `${folder}/en`, iterations: ITERATIONS.en });
    await second.context.close();
  }
  await everyPage(first);
  const { context, fault } = first;
  if (wanted("weather")) await first.station("weather", () => weather({ browser, context, url, user, password: NEW_PASSWORD, fault }));
  if (wanted("budget")) await first.station("budget", () => budget({ browser, context, url, fault }));
} catch (failure) {
  if (!(failure instanceof Stopped)) throw failure;
} finally {
  index();
  await browser.close();
}
const took = `${((performance.now() - began) / 60_000).toFixed(1)} min, ${pictures.length} pictures in ${out}/index.html`;
console.log(faults.length ? `${faults.length} faults; ${took}` : `no fault; ${took}`);
for (const text of faults) console.log(`FAULT ${text}`);
process.exit(faults.length ? 1 : 0);
