// The main job, as a person does it: imports two folders, creates a model in the wizard, watches the loss move, opens
// the report, looks at a misjudged picture at full size, releases, predicts on a bank, corrects a label, exports,
// retrains, and compares the two versions.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** What people write about what they import. */
const ABOUT = {
  zh: { panels: "1 号线复检图片", bank: "1 号线题库", version: "更大的学习率步长" },
  en: { panels: "Review images of line 1", bank: "Question bank of line 1", version: "Larger steps of the learning rate" },
};
/** A training on two busy cores. */
const TRAINING_MS = 600_000;

/** A button's name: its icon's stands before it, and two Chinese characters are set apart. */
const named = (text) =>
  new RegExp(`(^|\\s)${(text.length === 2 ? [...text] : [text]).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("\\s?")}$`);

/** What is in a folder, as it was written; every different content once. */
function contents(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && /\.(jpg|png)$/.test(entry.name),
  );
  const digest = (entry) => createHash("sha256").update(readFileSync(join(entry.parentPath ?? entry.path, entry.name))).digest("hex");
  return {
    images: files.filter(({ name }) => !name.endsWith(".mask.png")).length,
    distinct: new Set(files.map(digest)).size,
  };
}

/**
 * `look` is one person's browser (look.mjs); `folder` holds `panels` to train with and `bank` to predict on, where
 * some pictures are wrongly filed; `iterations` are those of the training and of the retraining.
 */
export async function story(look, { folder, iterations }) {
  const { page, url, t, get, fault, station, shoot, choose, write } = look;
  const button = (name) => page.getByRole("button", { name: named(name) });
  const menu = (name) => page.getByRole("navigation").getByRole("link", { name, exact: true });
  const about = ABOUT[look.language];
  const dataset = `fab-${look.language}`;
  const modelName = `console-${look.language}-${Date.now().toString(36)}x`;

  async function openImport(path, description) {
    await button(t.datasets.import).first().click();
    const form = page.getByRole("dialog");
    await form.getByRole("combobox", { name: t.datasets.dataset }).fill(dataset);
    await form.getByRole("combobox", { name: t.wizard.path }).fill(path);
    await form.getByRole("textbox", { name: t.common.description }).fill(description);
    return form;
  }
  async function chooseFolder(form, name) {
    const asked = page.waitForEvent("filechooser");
    await form.getByRole("button", { name: named(t.datasets.chooseFolder) }).click();
    await (await asked).setFiles(join(folder, name));
    await form.getByText(t.datasets.foundImages(String(contents(join(folder, name)).images))).waitFor();
  }
  const imported = (path) => page.locator(`a[href="/datasets/${dataset}/${path}"]`);
  const footer = (form) => form.locator(".ant-modal-footer .ant-btn-primary");

  await station("import", async () => {
    await page.goto(url);
    await menu(t.nav.datasets).click();
    await button(t.datasets.import).waitFor();
    await shoot("datasets-first");
    const { distinct } = contents(join(folder, "panels"));
    let form = await openImport("line-1", about.panels);
    await chooseFolder(form, "panels");
    await shoot("import-chosen");

    // The line breaks after twenty files, and the page is loaded again.
    const HELD = 20;
    let sent = 0;
    let started = 0;
    const counted = (response) => {
      if (response.request().method() === "PUT" && response.ok()) sent += 1;
    };
    page.on("response", counted);
    let broken = true;
    const toStorage = (address) => address.host !== new URL(url).host;
    await page.route(toStorage, async (route) => {
      if (route.request().method() === "PUT") started += 1;
      if (!broken || started <= HELD) await route.continue();
    });
    await footer(form).click();
    await look.until(() => sent === HELD, "twenty files are uploaded");
    await shoot("import-running");
    broken = false;
    await page.reload();

    // What is there already is not sent again (D2).
    form = await openImport("line-1", about.panels);
    await chooseFolder(form, "panels");
    await footer(form).click();
    await footer(form).filter({ hasText: named(t.common.close) }).waitFor();
    page.off("response", counted);
    // Four were on their way when the line broke, and may have arrived.
    if (sent > distinct || sent < distinct - 4) fault(`${sent} files were sent in two goes; the folder has ${distinct}`);
    await shoot("import-done");
    await footer(form).click();
    await form.waitFor({ state: "hidden" });
    await imported("line-1").waitFor();
    await page.waitForLoadState("networkidle");
    await page.unroute(toStorage);
  });

  await station("import by dropping", async () => {
    const form = await openImport("bank", about.bank);
    // Once the form has stopped growing: what is dropped is dropped at a place, not on an element.
    await form.locator(".drop").hover({ trial: true });
    const box = await form.locator(".drop").boundingBox();
    const session = await page.context().newCDPSession(page);
    const at = { x: box.x + box.width / 2, y: box.y + 20 };
    const data = { items: [], files: [join(folder, "bank")], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) await session.send("Input.dispatchDragEvent", { type, ...at, data });
    await form.getByText(t.datasets.foundImages(String(contents(join(folder, "bank")).images))).waitFor();
    await footer(form).click();
    await footer(form).filter({ hasText: named(t.common.close) }).waitFor();
    // The same pixels under two codes are told (D2).
    await form.getByRole("table").waitFor();
    await shoot("import-dropped");
    await footer(form).click();
    await form.waitFor({ state: "hidden" });
    await imported("bank").waitFor();
    await shoot("datasets");
    await imported("line-1").click();
    await page.locator(".tile").first().click();
    await look.pictureLoaded(".stage-canvas img");
    await shoot("sample");
    await page.keyboard.press("Escape");
  });

  const next = button(t.common.next);
  /** What an editor shows; all its lines are drawn only where there are few. */
  const written = async (label, part) => {
    await page.waitForFunction((sought) => document.querySelector(".cm-content")?.innerText.includes(sought), part);
    return JSON.parse(await page.getByRole("textbox", { name: label }).innerText());
  };
  /** The codes that the wizard says it will train, class for class (W3a). */
  const shownCodes = async () => {
    const of = (side) => page.locator(`[data-codes="${side}"] .code-name`).allInnerTexts();
    await page.locator('[data-codes="classes"]').waitFor();
    const [classes, special, left] = [await of("classes"), await of("special"), await of("left")];
    return { classes, special, left };
  };
  const same = (one, other, what) => {
    if (JSON.stringify(one) !== JSON.stringify(other)) fault(`${what}: ${JSON.stringify(one)}, not ${JSON.stringify(other)}`);
  };
  /** Each warning on screen is confirmed; before that it keeps one from going on, and stays. */
  const confirm = async (go, least) => {
    const boxes = page.locator(".step-findings .ant-alert-warning").getByRole("checkbox");
    await look.until(async () => (await boxes.count()) >= least, `${least} warnings are told`);
    for (const box of await boxes.all()) {
      if (await box.isChecked()) continue;
      await page.getByText(t.wizard.confirmFirst).waitFor();
      await box.check();
    }
    await page.getByText(t.wizard.confirmFirst).waitFor({ state: "detached" });
    await go.click();
  };
  await station("wizard", async () => {
    await menu(t.nav.models).click();
    await page.getByRole("link", { name: t.models.newModel }).or(button(t.models.newModel)).first().click();
    await page.getByRole("textbox", { name: t.wizard.modelName }).fill("9-starts-with-a-digit");
    await choose(t.wizard.image, "Surface defect classification");
    await choose(t.common.environment, "Cell array");
    await next.click();
    // W1: the fault is told at its field before anything is submitted.
    await page.locator(".ant-form-item-explain-error").first().waitFor();
    await shoot("wizard-1-fault");
    await page.getByRole("textbox", { name: t.wizard.modelName }).fill(modelName);
    // The default is not touched: it is what will be trained (W3a).
    const standard = await written(t.wizard.modelParams, "code_list");
    // No data is chosen yet: whose codes they are to be is asked for.
    await button(t.wizard.codesOfData).click();
    const whose = page.getByRole("dialog");
    await whose.getByText(t.wizard.codesOfDataAsk).waitFor();
    await shoot("wizard-1-codes-of-which-data");
    await page.keyboard.press("Escape");
    await whose.waitFor({ state: "hidden" });
    await next.click();
    await choose(t.wizard.addPath, `${dataset}/line-1`);
    await look.pictureLoaded(".thumbnails img");
    await shoot("wizard-2-paths");
    const split = standard.classification.num_of_classes;
    const own = { classes: standard.code_list.slice(0, split), special: standard.code_list.slice(split), left: ["XNEW1"] };
    same(await shownCodes(), own, "the codes of the default on screen");

    // The codes of the data, by a click: on screen at once, in both steps; special ones stay at the end.
    await button(t.wizard.codesOfData).click();
    await look.until(async () => (await shownCodes()).left.length === 0, "the codes of the data are shown");
    same(await shownCodes(), { classes: [...own.classes, "XNEW1"], special: own.special, left: [] }, "the codes of the data on screen");
    await shoot("wizard-2-codes-of-the-data");
    await button(t.common.previous).click();
    const taken = await written(t.wizard.modelParams, "XNEW1");
    same(taken.code_list, [...own.classes, "XNEW1", ...own.special], "the codes of the data in the editor");
    same(taken.classification.num_of_classes, split + 1, "the classes of the data in the editor");
    // An editor can be emptied, and does not fill itself again.
    await write(page.getByRole("textbox", { name: t.wizard.modelParams }), "");
    await page.getByText(t.wizard.emptyParams).waitFor();
    await shoot("wizard-1-emptied");
    if (await next.isEnabled()) fault("one may go on with an empty text");
    await button(t.wizard.restoreDefaults).click();
    same(await written(t.wizard.modelParams, "code_list"), standard, "the default that was restored");
    await next.click();
    await next.click();
    // Samples are left out: told in this step, which one does not leave before that is confirmed (W14).
    await page.getByText(t.wizard.confirmFirst).waitFor();
    await shoot("wizard-2-warning");
    await confirm(next, 1);
    await page.getByRole("radio", { name: /cpu/ }).check();
    const editor = page.getByRole("textbox", { name: t.wizard.trainingParams });
    await page.waitForFunction(() => document.querySelector(".cm-content")?.innerText.includes("max_iter"));
    const params = JSON.parse(await editor.innerText());
    [params.classification.max_iter] = iterations;
    params.classification.batch_size = 16;
    await write(editor, '{\n  "classification": {}\n  "segmentation": {}\n}');
    await page.locator(".editor-told").waitFor();
    await page.locator(".cm-lint-marker-error").first().waitFor();
    await shoot("wizard-3-malformed");
    // W8: the server's own rules are told of the line while one types.
    await write(editor, JSON.stringify({ classification: { ...params.classification, momentum: 7 } }, undefined, 2));
    await page.locator(".editor-told", { hasText: "momentum" }).waitFor();
    await page.locator(".cm-lint-marker-error").first().waitFor();
    await shoot("wizard-3-out-of-range");
    await write(editor, "{");
    await editor.press("End");
    await page.keyboard.type('"cl');
    await page.locator(".cm-tooltip-autocomplete").waitFor();
    await shoot("wizard-3-completion");
    await page.keyboard.press("Escape");
    await write(editor, JSON.stringify(params, undefined, 2));
    await page.locator(".editor-told").waitFor({ state: "detached" });
    await shoot("wizard-3-parameters");
    await next.click();
    await page.locator(".previews canvas").nth(8).waitFor();
    same(await shownCodes(), own, "the codes on the last page");
    await shoot("wizard-4-preview", { fullPage: true });
    // Nothing is submitted past a warning that is not confirmed.
    const submit = button(t.wizard.submit);
    await page.locator(".step-findings").getByRole("checkbox").first().uncheck();
    await submit.click();
    await shoot("wizard-4-unconfirmed");
    if (!page.url().endsWith("/new")) fault("the wizard submits past a warning");
    await confirm(submit, 1);
    await page.waitForURL(/\/tasks\//);
    const task = await get(`/v1/tasks/${page.url().split("/").at(-1)}`);
    same(task.training.modelParams.code_list, [...own.classes, ...own.special], "the codes that the task trains");
    same(task.training.modelParams.classification.num_of_classes, split, "the classes that the task trains");
    same(JSON.parse(task.training.modelParamsJson), standard, "what the task was given");
  });

  const plotted = () => page.locator(".u-wrap canvas").first().evaluate((canvas) => canvas.toDataURL());
  const trained = () => button(t.tasks.release).waitFor({ timeout: TRAINING_MS });
  /** Until the log on the page tells of a later iteration than one. */
  const beyond = (iteration) =>
    page.waitForFunction(
      (seen) => [...(document.querySelector(".log")?.textContent ?? "").matchAll(/iteration (\d+) loss/g)].some(([, at]) => Number(at) > seen),
      iteration,
      { timeout: TRAINING_MS },
    );
  await station("monitor", async () => {
    await page.getByText(t.monitor.live, { exact: true }).waitFor({ timeout: TRAINING_MS });
    await beyond(1);
    const before = await plotted();
    await beyond(3);
    await look.until(async () => (await plotted()) !== before, "the curve moves");
    await shoot("monitor-live");
    await button(t.monitor.contactSheet).click();
    await look.pictureLoaded(".ant-modal-body img");
    await shoot("monitor-augmentation");
    await page.keyboard.press("Escape");
    await trained();
    await page.getByText(t.monitor.ended, { exact: true }).waitFor();
    await shoot("monitor-completed");
  });

  await station("zoom and pan of the curve", async () => {
    const plot = page.locator(".u-over").first();
    await plot.scrollIntoViewIfNeeded();
    const { x, y, width } = await plot.boundingBox();
    const drag = async (from, to) => {
      await page.mouse.move(x + from * width, y + 60);
      await page.mouse.down();
      await page.mouse.move(x + to * width, y + 60, { steps: 6 });
      await page.mouse.up();
    };
    const whole = await plotted();
    await drag(0.2, 0.6);
    await look.until(async () => (await plotted()) !== whole, "the curve is zoomed");
    const part = await plotted();
    await shoot("curve-zoomed");
    await page.keyboard.down("Shift");
    await drag(0.7, 0.3);
    await page.keyboard.up("Shift");
    await look.until(async () => (await plotted()) !== part, "the curve is panned");
    await shoot("curve-panned");
    await plot.dblclick();
    await look.until(async () => (await plotted()) === whole, "all of the curve is back");
  });

  await station("report", async () => {
    await page.getByRole("link", { name: t.tasks.report }).click();
    await page.locator(".matrix").waitFor();
    await shoot("report", { fullPage: true });
    await page.getByRole("tab", { name: t.report.threshold }).click();
    await page.getByRole("slider", { name: t.report.threshold }).waitFor();
    await shoot("report-threshold");
    await page.locator(".tile").first().click();
    await look.pictureLoaded(".stage-canvas img");
    await shoot("misjudged");
    await page.locator(".stage-canvas").hover();
    await page.mouse.wheel(0, -600);
    await look.until(
      () => page.locator(".stage-canvas img").evaluate((image) => image.style.transform.match(/scale\((.*)\)/)?.[1] > 2),
      "the picture is zoomed",
    );
    await shoot("misjudged-zoomed");
    await page.keyboard.press("Escape");
    await page.locator(".stage-canvas").waitFor({ state: "hidden" });
  });

  const release = async () => {
    await button(t.tasks.release).click();
    await page.locator(".ant-modal-confirm-btns .ant-btn-primary").click();
    const released = page.getByText(/^v\d+\.\d{2,}$/).first();
    await released.waitFor();
    return released.innerText();
  };
  const openModel = async () => {
    await menu(t.nav.models).click();
    await page.getByRole("link", { name: modelName, exact: true }).click();
    await page.getByRole("link", { name: t.models.retrain }).first().waitFor();
  };
  const predict = async (label) => {
    await openModel();
    await page.locator(".ant-table-row").first().getByRole("link", { name: t.models.predict }).click();
    await choose(t.predictions.bank, `${dataset}/bank`);
    await page.keyboard.press("Escape");
    await shoot(`predict-${label}`);
    await page.locator(".ant-modal-footer .ant-btn-primary").click();
    await page.locator(".ant-modal-wrap").waitFor({ state: "hidden" });
    // The newest stands first.
    await page.locator(".ant-table-row").first().getByRole("link", { name: t.tasks.report }).waitFor({ timeout: TRAINING_MS });
    await shoot(`predicted-${label}`);
    await page.locator(".ant-table-row").first().getByRole("link", { name: t.tasks.report }).click();
    await page.locator(".matrix").waitFor();
  };

  let version = "";
  await station("release", async () => {
    await page.goBack();
    version = await release();
    await shoot("released");
    await openModel();
    await button(t.models.setAlias).click();
    await page.locator(".ant-modal-footer .ant-btn-primary").click();
    await page.locator(".ant-tag", { hasText: "production" }).waitFor();
    await shoot("model");
  });

  await station("predict on a bank", async () => {
    await predict("first");
    // A cell of the matrix opens its samples.
    await page.locator(".cell:enabled").first().click();
    await page.locator(".tile").first().waitFor();
    await shoot("bank-cell");
  });

  await station("correct a label", async () => {
    const path = `/v1/datasets/${dataset}/paths/bank`;
    const before = (await get(path)).codeCounts;
    await page.getByText(t.report.suspects, { exact: true }).click();
    const suspect = page.locator(".tile", { has: page.locator('img[alt*="again-"]') }).first();
    await suspect.waitFor();
    await shoot("suspects");
    const right = (await suspect.innerText()).match(/→ (\S+)\?/)?.[1];
    await suspect.click();
    await choose(t.report.rightCode, right);
    await button(t.report.wrongLabel).click();
    await page.locator(".ant-message-success").first().waitFor();
    await shoot("suspect-marked");
    await page.keyboard.press("Escape");
    await page.locator(".stage-canvas").waitFor({ state: "hidden" });
    await page.getByRole("link", { name: t.datasets.marks }).click();
    const apply = page.getByRole("button", { name: new RegExp(`^${t.datasets.apply}`) });
    await apply.waitFor();
    await shoot("corrections");
    await apply.click();
    await page.locator(".ant-modal-confirm-confirm .ant-btn-primary").waitFor();
    await shoot("corrections-confirm");
    await page.locator(".ant-modal-confirm-confirm .ant-btn-primary").click();
    await page.locator(".ant-modal-confirm-title", { hasText: t.datasets.applied(1, 0) }).waitFor();
    await page.locator(".ant-modal-confirm-info .ant-btn-primary").click();
    await page.getByText(t.datasets.markStates.RELABEL_STATE_APPLIED, { exact: true }).click();
    await page.locator(".ant-table-row").first().waitFor();
    await shoot("corrections-applied");
    const of = (counts, code) => Number(counts.find((one) => one.code === code)?.sampleCount ?? 0);
    const after = (await get(path)).codeCounts;
    if (of(after, right) !== of(before, right) + 1) fault(`${right} has ${of(after, right)} samples after the correction, ${of(before, right)} before`);
  });

  await station("export", async () => {
    await openModel();
    await button(t.models.export).first().click();
    await page.locator(".ant-modal-body .ant-btn-primary").click();
    const saved = page.locator(".ant-modal-body a.ant-btn");
    await saved.waitFor({ timeout: TRAINING_MS });
    await shoot("exported");
    const waiting = page.waitForEvent("download");
    await saved.click();
    const file = await waiting;
    if (!/\.zip$/.test(file.suggestedFilename())) fault(`the package is called ${file.suggestedFilename()}`);
    if (await file.failure()) fault(`the package did not come: ${await file.failure()}`);
    await page.keyboard.press("Escape");
    await page.locator(".ant-modal-wrap").waitFor({ state: "hidden" });
  });

  await station("retrain", async () => {
    await page.getByRole("link", { name: t.models.retrain }).first().click();
    await next.click();
    await page.getByText(t.wizard.locked, { exact: true }).first().waitFor();
    await look.pictureLoaded(".thumbnails img");
    await shoot("retrain-locked");
    await next.click();
    await confirm(next, 1);
    const editor = page.getByRole("textbox", { name: t.wizard.trainingParams });
    await page.waitForFunction(() => document.querySelector(".cm-content")?.innerText.includes("max_iter"));
    const params = JSON.parse(await editor.innerText());
    [, params.classification.max_iter] = iterations;
    await write(editor, JSON.stringify(params, undefined, 2));
    await next.click();
    await page.getByRole("switch", { name: t.wizard.warmStart }).click();
    await page.locator(".previews canvas").nth(8).waitFor();
    await shoot("retrain-preprocessing");
    await button(t.wizard.submit).click();
    await page.waitForURL(/\/tasks\//);
    await page.getByText(t.monitor.live, { exact: true }).waitFor({ timeout: TRAINING_MS });
    await trained();
    await page.getByText(t.monitor.ended, { exact: true }).waitFor();
    await choose(t.monitor.compare, modelName);
    await shoot("retrained");
    const second = await release();
    if (second === version) fault(`the retraining was released as ${second} again`);
  });

  await station("compare two versions", async () => {
    await predict("second");
    await openModel();
    await shoot("model-two-versions");
    await page.getByRole("tab", { name: t.models.lineage }).click();
    await page.locator(".lineage").waitFor();
    await shoot("lineage");
    await page.getByRole("tab", { name: t.models.versions }).click();
    await button(t.compare.compare).click();
    await page.locator(".linklike").first().waitFor();
    await shoot("compared", { fullPage: true });
    await page.getByText(t.compare.changes.CHANGE_UNCHANGED_RIGHT, { exact: true }).last().click();
    await page.locator(".tile").first().waitFor();
    await shoot("compared-samples", { fullPage: true });
  });

  await station("new image version", async () => {
    await menu(t.nav.images).click();
    const rows = page.locator(".ant-table-row");
    await rows.first().waitFor();
    const [first] = (await get("/v1/algorithmImages")).algorithmImages;
    await page.locator(`[data-row-key="${first.name}"]`).getByRole("button", { name: t.images.newVersion }).click();
    const form = page.getByRole("dialog");
    await form.getByRole("textbox", { name: t.images.aboutVersion }).fill(about.version);
    await page.locator(".cm-content").nth(1).waitFor();
    await shoot("image-version");
    await footer(form).click();
    await form.waitFor({ state: "hidden" });
    const now = await get(`/v1/${first.name}`);
    if (now.latestVersion === first.latestVersion) fault(`${first.name} has no new version`);
    await page.locator(`[data-row-key="${first.name}"] .ant-table-row-expand-icon`).click();
    await page.locator(".image-version").first().waitFor();
    await shoot("image-versions");
  });
}
