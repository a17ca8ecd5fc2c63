// Opens every page of a console as a person would, and keeps pictures of what is there.
//
//   node tests/console/look.mjs URL USER PASSWORD OUT [story | budget | measure | page …]
//
// `story` is the main job: a person imports a folder, creates a model in the wizard, watches the loss move, opens the
// report, looks at a misjudged picture at full size, releases, predicts on a bank, exports, and begins a retraining;
// in Chinese, and its main stations in English. Without a page named, the story and then every page.
//
// A page fails if it shows an error, logs one, asks anything of another machine, or if axe finds a serious fault.
// USER's password may be a one-time one: the first log-in then chooses NEW_PASSWORD.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { budget, measure } from "./measure.mjs";

const require = createRequire(new URL("../../gateway/console/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [url, user, password, out, ...only] = process.argv.slice(2);
const NEW_PASSWORD = "a console to look at";
const LOOKS = [
  { language: "zh", dark: false },
  { language: "en", dark: false },
  { language: "zh", dark: true },
];

const executablePath =
  process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: "zh-CN", bypassCSP: false });
const page = await context.newPage();
page.setDefaultTimeout(60000);
const faults = [];
let where = "log in";
const fault = (text) => {
  faults.push(`${where}: ${text}`);
  console.error(`${where}: ${text}`);
};
page.on("pageerror", (error) => fault(error.message));
page.on("console", (line) => {
  // The log-in asks who one is, and is told nobody: the browser logs that as an error.
  if (line.type() === "error" && !(where === "log in" && line.text().includes("40"))) fault(line.text());
});
page.on("request", (request) => {
  const host = new URL(request.url()).hostname;
  if (!["127.0.0.1", new URL(url).hostname].includes(host) && /^https?:/.test(request.url())) fault(`asks ${request.url()}`);
});

async function settle() {
  await page.waitForLoadState("networkidle", { timeout: 4000 }).catch(() => undefined);
  await page.waitForTimeout(400);
}

async function logIn() {
  await page.goto(url);
  await page.locator('input[autocomplete="username"]').waitFor({ timeout: 30000 });
  await settle();
  await page.screenshot({ path: `${out}/login-zh.png` });
  for (const [name, text] of [["username", user], ["current-password", password]]) {
    await page.locator(`input[autocomplete="${name}"]`).fill(text);
  }
  const submit = page.locator('button[type="submit"]');
  const fresh = page.locator('input[autocomplete="new-password"]');
  const refused = page.locator(".ant-alert-error");
  const inside = page.locator("nav");
  const any = fresh.first().or(refused.first()).or(inside);
  await submit.click();
  await any.first().waitFor({ timeout: 60000 });
  if (await refused.count()) {
    await page.locator('input[autocomplete="current-password"]').fill(NEW_PASSWORD);
    await submit.click();
  } else if (await fresh.count()) {
    await fresh.nth(0).fill(NEW_PASSWORD);
    await fresh.nth(1).fill(NEW_PASSWORD);
    await page.screenshot({ path: `${out}/login-change-zh.png` });
    await submit.click();
  }
  await inside.waitFor({ timeout: 60000 });
}

const get = async (path) => (await context.request.get(url + path)).json();
const last = (name) => name.split("/").at(-1);

async function pages() {
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
  ];
  const { models } = await get("/v1/models");
  if (models[0]) {
    found.push(["model", `/models/${last(models[0].name)}`]);
    found.push(["compare", `/models/${last(models[0].name)}/compare`]);
    found.push(["retrain", `/new?parent=${encodeURIComponent(models[0].latestVersion)}`]);
  }
  const { tasks } = await get("/v1/tasks?kind=TASK_KIND_TRAINING");
  if (tasks[0]) found.push(["monitor", `/tasks/${last(tasks[0].name)}`]);
  const { reports } = await get("/v1/reports");
  if (reports[0]) found.push(["report", `/reports/${last(reports[0].name)}`]);
  const { datasets } = await get("/v1/datasets");
  if (datasets[0]) {
    const { dataPaths } = await get(`/v1/${datasets[0].name}/paths`);
    if (dataPaths?.[0]) found.push(["samples", `/datasets/${last(datasets[0].name)}/${last(dataPaths[0].name)}`]);
  }
  return found;
}

const choose = async (label, option) => {
  await page.getByRole("combobox", { name: label, exact: true }).click();
  await page.locator(".ant-select-dropdown:visible .ant-select-item-option", { hasText: option }).first().click();
};
/** Puts a text in the place of an editor's, as who pastes one does. */
async function write(editor, text) {
  await editor.focus();
  await page.keyboard.press("Control+A");
  await editor.evaluate((element, pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);
}
const shoot = (name) => page.screenshot({ path: `${out}/story-${name}.png` });

async function story() {
  const next = page.getByRole("button", { name: "下一步" });
  where = "story: wizard";
  await page.goto(`${url}/new`);
  await page.getByRole("textbox", { name: "模型名称" }).fill("9-starts-with-a-digit");
  await choose("镜像文件", "Surface defect classification");
  await choose("生产环境", "Cell array");
  await next.click();
  // W1: the fault is told at its field before anything is submitted.
  await page.locator(".ant-alert-error").first().waitFor();
  await shoot("1-fault");
  await page.getByRole("textbox", { name: "模型名称" }).fill(`console-${Date.now().toString(36)}x`);
  await next.click();
  await choose("添加数据路径", "/main");
  await settle();
  await shoot("2-paths");
  await next.click();
  await page.getByRole("radio", { name: /cpu/ }).check();
  const editor = page.getByRole("textbox", { name: "训练参数" });
  await page.waitForFunction(() => document.querySelector(".cm-content")?.innerText.includes("max_iter"));
  const params = JSON.parse(await editor.innerText());
  // Long enough to be watched, short enough for a test.
  params.classification.max_iter = 60;
  await write(editor, '{\n  "classification": {}\n  "segmentation": {}\n}');
  await page.locator(".editor-told").waitFor();
  await page.locator(".cm-lint-marker-error").first().waitFor();
  await shoot("3-malformed");
  // W8: the server's own rules are told of the line while one types.
  await write(editor, JSON.stringify({ classification: { ...params.classification, momentum: 7 } }, undefined, 2));
  await page.locator(".editor-told", { hasText: "momentum" }).waitFor();
  await page.locator(".cm-lint-marker-error").first().waitFor();
  await shoot("3-out-of-range");
  await write(editor, "{");
  await editor.press("End");
  await page.keyboard.type('"cl');
  await page.locator(".cm-tooltip-autocomplete").waitFor();
  await shoot("3-completion");
  await page.keyboard.press("Escape");
  await write(editor, JSON.stringify(params, undefined, 2));
  await shoot("3-parameters");
  await next.click();
  await page.locator(".previews canvas").nth(8).waitFor();
  await shoot("4-preview");
  await page.getByRole("button", { name: "提交训练" }).click();
  await page.waitForURL(/\/tasks\//, { timeout: 60000 });

  where = "story: monitor";
  await page.getByText("实时", { exact: true }).waitFor({ timeout: 240000 });
  const iteration = async () => Number((await page.locator(".log").first().innerText()).match(/iteration (\d+) loss/g)?.at(-1)?.match(/\d+/)?.[0] ?? -1);
  await page.waitForFunction(() => /iteration [1-9]\d* loss/.test(document.querySelector(".log")?.textContent ?? ""), undefined, { timeout: 300000 });
  const [first] = [await iteration()];
  await page.waitForTimeout(4000);
  if ((await iteration()) <= first) fault("the training does not move on the page");
  await shoot("5-live");
  await page.getByRole("button", { name: "模型发布" }).waitFor({ timeout: 400000 });
  await shoot("5-completed");

  where = "story: report";
  await page.getByRole("link", { name: "模型评估报告" }).click();
  await page.locator(".matrix").waitFor();
  await settle();
  if (await page.locator(".tile").count()) {
    await page.locator(".tile").first().click();
    const picture = page.locator(".stage-canvas img");
    await picture.waitFor();
    await page.waitForFunction(() => document.querySelector(".stage-canvas img")?.naturalWidth > 0);
    await page.locator(".stage-canvas").hover();
    await page.mouse.wheel(0, -600);
    await page.waitForTimeout(500);
    await shoot("6-sample");
    await page.keyboard.press("Escape");
  } else fault("the report shows no misjudged sample");

  where = "story: release";
  await page.goBack();
  await page.getByRole("button", { name: "模型发布" }).click();
  await page.locator(".ant-modal-confirm-btns .ant-btn-primary").click();
  await page.getByText(/^v\d+\.\d{2,}$/).first().waitFor({ timeout: 60000 });
  await shoot("7-released");
  const [model] = (await get("/v1/models")).models;
  const version = encodeURIComponent(model.latestVersion);

  where = "story: predict";
  await page.goto(`${url}/predictions?version=${version}`);
  await choose("题库数据路径", "/main");
  await page.keyboard.press("Escape");
  await page.locator(".ant-modal-footer .ant-btn-primary").click();
  await page.locator(".ant-modal-wrap").waitFor({ state: "hidden" });
  await page.getByRole("link", { name: "评估报告" }).first().waitFor({ timeout: 300000 });
  await shoot("8-predicted");
  await page.getByRole("link", { name: "评估报告" }).first().click();
  await page.locator(".matrix").waitFor();
  // A cell of the matrix opens its samples.
  await page.locator(".cell:enabled").first().click();
  await page.locator(".tile").first().waitFor();

  where = "story: relabel";
  await page.locator(".tile").first().click();
  await choose("正确的代码", "T");
  await page.getByRole("button", { name: "标注有误" }).click();
  await page.locator(".ant-message-success").waitFor();
  await page.keyboard.press("Escape");
  await page.goto(`${url}/datasets?tab=marks`);
  await page.getByRole("button", { name: /应用更正/ }).waitFor();
  await settle();
  await shoot("9-marks");

  where = "story: export";
  await page.goto(`${url}/models/${last(model.name)}`);
  await page.getByRole("button", { name: "导出" }).first().click();
  await page.locator(".ant-modal-body .ant-btn-primary").click();
  const saved = page.locator(".ant-modal-body a.ant-btn");
  await saved.waitFor({ timeout: 300000 });
  await shoot("10-exported");
  const waiting = page.waitForEvent("download");
  await saved.click();
  const file = await waiting;
  if (!/\.zip$/.test(file.suggestedFilename())) fault(`the package is called ${file.suggestedFilename()}`);
  if (await file.failure()) fault(`the package did not come: ${await file.failure()}`);

  where = "story: retrain";
  await page.evaluate(() => localStorage.setItem("loupe.language", "en"));
  await page.goto(`${url}/new?parent=${version}`);
  const on = page.getByRole("button", { name: "Next" });
  await on.click();
  await page.getByText("locked", { exact: true }).first().waitFor();
  await settle();
  await shoot("11-retrain-locked");
  await on.click();
  await on.click();
  await page.getByText("Start from the parent's weights").waitFor();
  await page.getByRole("button", { name: "Submit" }).click();
  await page.waitForURL(/\/tasks\//, { timeout: 60000 });
  await page.getByText("live", { exact: true }).waitFor({ timeout: 240000 });
  await shoot("12-retraining-en");
  await page.evaluate(() => localStorage.setItem("loupe.language", "zh"));
}

await logIn();
if (!only.length || only.includes("story")) await story();
if (!only.length || only.includes("budget")) {
  where = "budget";
  await budget({ browser, context, url, fault });
}
// Only on a machine that does nothing else do frames say anything.
if (only.includes("measure")) {
  where = "measure";
  await measure({ browser, context, url, fault });
}
for (const { language, dark } of LOOKS) {
  await page.evaluate(
    ([chosen, night]) => {
      localStorage.setItem("loupe.language", chosen);
      localStorage.setItem("loupe.dark", night ? "1" : "0");
    },
    [language, dark],
  );
  const wanted = only.length ? (await pages()).filter(([name]) => only.includes(name)) : await pages();
  for (const [name, path] of wanted) {
    where = `${name} (${language}${dark ? ", dark" : ""})`;
    await page.goto(url + path);
    await page.locator(".page-title").first().waitFor({ timeout: 30000 }).catch(() => fault("has no title"));
    await settle();
    await page.screenshot({ path: `${out}/${name}-${language}${dark ? "-dark" : ""}.png`, fullPage: true });
    if (await page.locator(".ant-alert-error, .big[role=alert]").count()) fault("shows an error");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) fault(`is ${wide} px wider than the window`);
    await page.evaluate(axe);
    const serious = await page
      .evaluate(() => window.axe?.run(document, { resultTypes: ["violations"] }))
      .then((result) => (result?.violations ?? []).filter(({ impact }) => impact === "serious" || impact === "critical"));
    for (const { id, nodes } of serious) fault(`axe: ${id}: ${nodes.slice(0, 2).map(({ html }) => html.slice(0, 140)).join(" | ")}`);
  }
}
await browser.close();
console.log(faults.length ? `${faults.length} faults; pictures in ${out}` : `no fault; pictures in ${out}`);
process.exit(faults.length ? 1 : 0);
