/** The wizard's last page: what will be trained, warnings confirmed, a draft resumed, leaving that asks (W14). */
import type { Page } from "@playwright/test";
import { join } from "node:path";
import type { Schemas } from "../src/api/client";
import { wizardWords } from "../src/i18n/wizard";
import { expect, named, test, type Person } from "./fixtures";
import { FOLDER } from "./stack";

/** Confirms every warning on screen. */
async function confirm(page: Page): Promise<void> {
  const boxes = page.locator(".step-findings .ant-alert-warning").getByRole("checkbox");
  await expect(boxes.first()).toBeVisible();
  for (const box of await boxes.all()) await box.check();
}

async function answer(person: Person, name: string): Promise<void> {
  const { page, t, next } = person;
  await page.getByRole("textbox", { name: t.wizard.modelName }).fill(name);
  await person.choose(t.wizard.image, "Surface defect classification");
  await person.choose(t.common.environment, "Cell array");
  await expect(page.getByRole("textbox", { name: t.wizard.modelParams })).toContainText("code_list");
  await next.click();
  await person.choose(t.wizard.addPath, `${name}/line-1`);
  await next.click();
  await confirm(page);
  await next.click();
  await page.getByRole("radio", { name: /cpu/ }).check();
  const few = { classification: { max_iter: 3, batch_size: 16 } };
  await person.write(page.getByRole("textbox", { name: t.wizard.trainingParams }), JSON.stringify(few));
  await next.click();
  // W15: three iterations are less than an epoch.
  await confirm(page);
  await next.click();
  await expect(page.getByRole("switch", { name: t.wizard.filterResolution })).toBeVisible();
  await next.click();
}

test("a person checks what will be trained, leaves, resumes and submits", async ({ page, person, language }) => {
  test.setTimeout(1_800_000);
  const { t, next } = person;
  const words = wizardWords[language];
  const submit = person.button(t.wizard.submit);
  const name = `summary-${language}`;
  await person.importFolder(join(FOLDER, language, "panels"), name);
  // What another spec has typed may have been kept as a draft.
  await page.request.delete("/v1/drafts/new", { headers: { "X-Loupe-Client": "console" } });
  await page.goto("/new");
  await answer(person, name);

  await test.step("the summary", async () => {
    await expect(page.locator('[data-summary="code"]')).toHaveText(
      ["TPFIP", "TTFBS", "TTMUD", "TGGS0", "TPOTS", "TSFAS", "TSDFS"],
    );
    // The stories have trained with this resource and input.
    const about = new RegExp(words.about("@").replace("@", ".+"));
    await expect(page.locator('[data-summary="duration"]')).toContainText(about);
    await expect(page.locator('[data-summary="workers"]')).toContainText(words.jobs["JOB_KIND_TRAIN"] ?? "");
    await person.shoot(name, { fullPage: true });
  });

  await test.step("a warning that is not confirmed keeps one from submitting", async () => {
    await expect(submit).toBeEnabled();
    const box = page.locator(".step-findings").getByRole("checkbox").last();
    await box.uncheck();
    await expect(submit).toBeDisabled();
    await box.check();
    await expect(submit).toBeEnabled();
  });

  await test.step("leaving asks", async () => {
    await person.menu(t.nav.datasets).click();
    const asked = page.getByRole("dialog", { name: words.leave });
    await expect(asked.getByText(words.leaveKept)).toBeVisible();
    await asked.getByRole("button", { name: named(words.stay) }).click();
    await expect(asked).toBeHidden();
    await expect(submit).toBeVisible();
  });

  await test.step("a draft is resumed by one click", async () => {
    await expect(page.getByText(words.keeping.kept, { exact: true })).toBeVisible();
    await page.reload();
    await expect(page.getByText(words.draftFound)).toBeVisible();
    await person.shoot(`draft-${language}`);
    await person.button(words.resume).click();
    await expect(page.locator('[data-summary="code"]').first()).toBeVisible();
    // What was confirmed is asked again.
    await expect(submit).toBeDisabled();
  });

  await test.step("steps are clickable backwards", async () => {
    await page.locator(".ant-steps-item", { hasText: t.wizard.steps[0] }).click();
    await expect(page.getByRole("textbox", { name: t.wizard.modelName })).toHaveValue(name);
    for (let step = 0; step < 4; step += 1) {
      await next.click();
      if (step === 1 || step === 2) {
        await confirm(page);
        await next.click();
      }
    }
    await expect(page.locator('[data-summary="code"]').first()).toBeVisible();
  });

  await test.step("what was shown is submitted, and its draft is forgotten", async () => {
    await expect(submit).toBeEnabled();
    const seed = await page.locator(".ant-descriptions-row", { hasText: words.seed }).innerText();
    await submit.click();
    await page.waitForURL(/\/tasks\//);
    const task = (await person.get(`/v1${new URL(page.url()).pathname}`)) as Schemas["Task"];
    expect(seed).toContain(task.training?.seed ?? "none");
    await expect.poll(async () => ((await person.get("/v1/drafts/new")) as Schemas["Draft"]).etag).toBe("");
    await page.goto("/new");
    await expect(page.getByRole("textbox", { name: t.wizard.modelName })).toHaveValue("");
  });
});
