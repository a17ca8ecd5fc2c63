/**
 * Question banks: one is made, its data is offered to no training, versions are tested and ranked, a leak is refused,
 * or left out, and the archive gives the data back (P7, P8).
 */
import type { Locator, Page } from "@playwright/test";
import type { Schemas } from "../src/api/client";
import { bankWords, type BankWords } from "../src/i18n/banks";
import { expect, named, send, test, type Person } from "./fixtures";

const TEXTS = {
  zh: { title: "六月题库", about: "1 号线六月复检图片" },
  en: { title: "Panels of June", about: "Review images of line 1, June" },
};
/** A prediction on two busy cores. */
const TEST_MS = 600_000;

/** One person, and what this person's bank is called. */
interface Scene {
  person: Person;
  page: Page;
  t: Person["t"];
  words: BankWords;
  id: string;
  title: string;
  about: string;
  dataset: string;
  /** Versions of one model, newest first. */
  versions: string[];
  shoot: Person["shoot"];
}

test("question banks", async ({ page, person, language }) => {
  test.setTimeout(1_800_000);
  let taken = 0;
  const model = `console-${language}`;
  const { versions } = (await person.get(`/v1/models/${model}/versions`)) as Schemas["ListModelVersionsResponse"];
  const scene: Scene = {
    person,
    page,
    t: person.t,
    words: bankWords[language],
    id: `june-${language}`,
    ...TEXTS[language],
    dataset: `fab-${language}`,
    versions: versions.map(({ name }) => name.replace("models/", "").replace("/versions/", "@")),
    shoot: (name, how) => {
      taken += 1;
      return person.shoot(`banks-${language}-${String(taken).padStart(2, "0")}-${name}`, how);
    },
  };
  expect(versions.length, "versions that the story released").toBeGreaterThanOrEqual(2);
  const first = versions.at(-1)?.name ?? "";
  await send(page, "POST", `/v1/${first}:setAlias`, { alias: "production" });
  await send(page, "POST", `/v1/datasets/${scene.dataset}/paths?dataPathId=nothing-yet&allowExisting=true`, {});
  await test.step("a bank is made", () => make(scene));
  await test.step("its data is not trained with", () => offeredToNoTraining(scene));
  await test.step("versions are tested and ranked", () => rank(scene));
  await test.step("a leak is refused, and left out on demand", () => leak(scene));
  await test.step("what is said of it is changed", () => edit(scene));
  await test.step("the archive gives its data back", () => archive(scene));
  // Other specs train with the data.
  await send(page, "POST", `/v1/questionBanks/${scene.id}:archive`, {});
});

const primary = (form: Locator) => form.locator(".ant-modal-footer .ant-btn-primary");
const dialog = (page: Page) => page.locator(".ant-modal-wrap:visible");

async function make({ person, page, t, words, id, title, about, dataset, shoot }: Scene): Promise<void> {
  await page.goto("/");
  await person.menu(t.nav.banks).click();
  await expect(page.locator(".ant-empty, .ant-table-row").first()).toBeVisible();
  await shoot("first");
  await person.button(words.create).click();
  const form = dialog(page);
  await form.getByRole("textbox", { name: words.id }).fill(id);
  await primary(form).click();
  await expect(form.getByText(words.chooseEnvironment)).toBeVisible();
  await expect(form.getByText(words.choosePaths)).toBeVisible();
  await person.choose(t.common.environment, "Cell array", form);
  await form.getByRole("searchbox", { name: words.findPath }).fill(dataset);
  // What cannot be a bank's data is shown as such, with the reason.
  const empty = form.locator(".ant-table-row", { hasText: `${dataset}/nothing-yet` });
  await expect(empty.getByText(words.refusedEmpty)).toBeVisible();
  await expect(empty.getByRole("checkbox")).toBeDisabled();
  await form.getByRole("checkbox", { name: `${dataset}/bank`, exact: true }).check();
  await form.getByRole("textbox", { name: words.displayName }).fill(title);
  await form.getByRole("textbox", { name: t.common.description }).fill(about);
  await shoot("new");
  await primary(form).click();
  await page.waitForURL(new RegExp(`/banks/${id}$`));
  await expect(page.getByRole("heading", { name: title })).toBeVisible();
  await expect(page.getByText(words.leaderboardEmpty)).toBeVisible();
  await expect(page.getByText(words.leak)).not.toBeAttached();
  await shoot("made", { fullPage: true });
}

async function offeredToNoTraining({ person, page, t, words, id, dataset, shoot }: Scene): Promise<void> {
  await send(page, "DELETE", "/v1/drafts/new");
  await page.goto("/new");
  await page.getByRole("textbox", { name: t.wizard.modelName }).fill(`of-${id}`);
  await person.choose(t.wizard.image, "Surface defect classification");
  await person.choose(t.common.environment, "Cell array");
  await person.next.click();
  const offered = page.getByRole("combobox", { name: t.wizard.addPath, exact: true });
  await offered.click();
  const list = page.locator(".ant-select-dropdown:visible");
  const option = list.locator(".ant-select-item-option", { hasText: `${dataset}/bank` });
  await expect(option).toHaveClass(/ant-select-item-option-disabled/);
  await expect(option).toContainText(words.trainable(id));
  await shoot("wizard");
  await page.keyboard.press("Escape");
  // Nor with all paths of its dataset; the page says why, and of which bank.
  await person.choose(t.wizard.addDataset, dataset);
  const rows = page.locator(".ant-table-row");
  await expect(rows.filter({ hasText: `${dataset}/line-1` })).toBeVisible();
  await expect(rows.filter({ hasText: `${dataset}/bank` })).toHaveCount(0);
  await expect(page.locator(".of-banks").getByRole("link", { name: id })).toHaveAttribute("href", `/banks/${id}`);
  await shoot("wizard-dataset");
  await page.goto("/datasets");
  await send(page, "DELETE", "/v1/drafts/new");
  const path = page.locator(`[data-row-key="datasets/${dataset}/paths/bank"]`);
  await expect(path.getByRole("link", { name: id })).toBeVisible();
  await shoot("datasets");
  await path.getByRole("link", { name: id }).click();
  await page.waitForURL(new RegExp(`/banks/${id}$`));
}

/** Opens the form that tests versions, and chooses some. */
async function choose({ person, page, words }: Scene, versions: readonly string[]): Promise<Locator> {
  await person.button(words.test).click();
  const form = dialog(page);
  for (const version of versions) await person.choose(words.versions, version, form);
  await page.keyboard.press("Escape");
  await expect(form).toBeVisible();
  return form;
}

const entry = (page: Page, version: string) =>
  page.locator(`[data-row-key="models/${version.replace("@", "/versions/")}"]`);

async function rank(scene: Scene): Promise<void> {
  const { page, words, versions, shoot, t } = scene;
  const [newest = "", other = ""] = [versions[0], versions.at(-1)];
  const form = await choose(scene, [newest, other]);
  await expect(form.getByText(newest).last()).toBeVisible();
  await expect(primary(form)).toBeEnabled();
  await shoot("test");
  await primary(form).click();
  await expect(form).toBeHidden();
  await expect(page.locator(".ant-card", { hasText: words.underWay })).toBeVisible();
  await shoot("under-way");
  for (const version of [newest, other]) await expect(entry(page, version)).toBeVisible({ timeout: TEST_MS });
  await expect(page.locator(".ant-card", { hasText: words.underWay })).toBeHidden({ timeout: TEST_MS });
  await expect(entry(page, other)).toContainText(words.production);
  // The newer one is held against the version in production, and its bar against that one's accuracy.
  await expect(entry(page, newest)).toContainText(/p = |p =\s/);
  await expect(entry(page, newest).locator(".interval-span")).toBeVisible();
  await expect(entry(page, newest).locator(".interval-mark")).toHaveCount(1);
  await shoot("ranked", { fullPage: true });
  await entry(page, newest).getByRole("link", { name: t.tasks.report }).click();
  await expect(page.locator(".matrix")).toBeVisible();
  await page.goBack();
}

async function leak(scene: Scene): Promise<void> {
  const { person, page, t, words, dataset, versions, shoot } = scene;
  const newest = versions[0] ?? "";
  await person.button(words.newRevision).click();
  let form = dialog(page);
  await form.getByRole("searchbox", { name: words.findPath }).fill(dataset);
  await expect(form.getByRole("checkbox", { name: `${dataset}/bank`, exact: true })).toBeChecked();
  await form.getByRole("checkbox", { name: `${dataset}/line-1`, exact: true }).check();
  await shoot("revise");
  await primary(form).click();
  await expect(form).toBeHidden();
  const warned = page.locator(".ant-alert-warning", { hasText: words.leak });
  await expect(warned).toContainText(newest);
  await expect(page.getByText(words.leaderboardEmpty)).toBeVisible();
  await shoot("leak", { fullPage: true });
  form = await choose(scene, [newest]);
  const told = form.locator(".ant-alert-error");
  await expect(told).toContainText(person.language === "zh" ? "训练或验证" : "were trained or validated with");
  await expect(primary(form)).toBeDisabled();
  await shoot("leak-refused");
  await form.getByRole("checkbox", { name: words.exclude }).check();
  await expect(told).toBeHidden();
  await expect(primary(form)).toBeEnabled();
  await shoot("leak-left-out");
  await primary(form).click();
  await expect(form).toBeHidden();
  await expect(entry(page, newest).locator(".ant-tag-warning")).toBeVisible({ timeout: TEST_MS });
  await shoot("leak-ranked", { fullPage: true });
  // The report says so too, and leads back.
  await entry(page, newest).getByRole("link", { name: t.tasks.report }).click();
  await expect(page.locator(".matrix")).toBeVisible();
  const report = (await person.get(`/v1${new URL(page.url()).pathname}`)) as Schemas["Report"];
  expect(Number(report.excludedSampleCount)).toBeGreaterThan(0);
  await expect(page.getByText(words.excludedHere(report.excludedSampleCount))).toBeVisible();
  await shoot("leak-report");
  await page.getByRole("link", { name: words.revisionOf(2) }).click();
  // The first revision's leaderboard stays as it was.
  await page.getByRole("button", { name: words.revisionOf(1), exact: true }).click();
  await expect(entry(page, versions.at(-1) ?? "")).toBeVisible();
  await expect(entry(page, newest).locator(".ant-tag-warning")).toHaveCount(0);
}

async function edit({ person, page, words, shoot }: Scene): Promise<void> {
  await person.button(words.edit).click();
  const form = dialog(page);
  for (const label of [words.runAfterTraining, words.runAfterRelease])
    await form.getByRole("switch", { name: label }).check();
  await person.choose(words.resource, "cpu", form);
  await shoot("edit");
  await primary(form).click();
  await expect(form).toBeHidden();
  await expect(page.locator(".ant-descriptions-item", { hasText: words.automatic }).first()).toContainText(
    `${words.afterTrainings}, ${words.afterReleases}`,
  );
  await expect(page.getByText(words.noAutomaticTests)).toBeVisible();
}

async function archive({ person, page, t, words, id, title, dataset, shoot }: Scene): Promise<void> {
  await person.button(words.archive).click();
  await page.locator(".ant-modal-confirm-btns .ant-btn-primary").click();
  await expect(page.getByText(words.isArchived)).toBeVisible();
  await expect(person.button(words.test)).toHaveCount(0);
  await shoot("archived");
  await page.goto("/datasets");
  const path = page.locator(`[data-row-key="datasets/${dataset}/paths/bank"]`);
  await expect(path).toBeVisible();
  await expect(path.getByRole("link", { name: id })).toHaveCount(0);
  await person.menu(t.nav.banks).click();
  const listed = page.locator(`[data-row-key="questionBanks/${id}"]`).getByRole("link", { name: title });
  await expect(page.locator(".ant-empty, .ant-table-row").first()).toBeVisible();
  await expect(listed).toHaveCount(0);
  await page.getByRole("switch", { name: words.showArchived }).click();
  await listed.click();
  await person.button(words.restore).click();
  await expect(page.getByText(words.isArchived)).toBeHidden();
  await expect(page.getByRole("button", { name: named(words.archive) })).toBeVisible();
}
