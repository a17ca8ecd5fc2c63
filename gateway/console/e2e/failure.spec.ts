/** A training that fails: cause and remedy, what was set aside, attempts, and who did what (M6, M1a). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Schemas } from "../src/api/client";
import { expect, test, type Person } from "./fixtures";
import { FOLDER } from "./stack";

/** Submits a training whose loss is no number after a few steps; nothing is augmented. */
async function submit({ page, language }: Person, dataset: string): Promise<string> {
  const rate = { base_lr: 1e30, max_iter: 500, batch_size: 16 };
  const answer = await page.request.post("/v1/tasks", {
    headers: { "X-Loupe-Client": "console" },
    data: {
      task: {
        training: {
          modelName: `failure-${language}`,
          algorithmImageVersion: "algorithmImages/surface-classification/versions/v3.0",
          productionEnvironment: "productionEnvironments/demo-fab-cell-array",
          dataPaths: [`datasets/${dataset}/paths/line-1`],
          computeResource: "computeResources/cpu",
          trainingParamsJson: JSON.stringify({ classification: rate }),
          preprocessing: { filterResolution: true },
          acknowledgeMissingTrainingPaths: true,
        },
      },
    },
  });
  expect(answer.status(), await answer.text()).toBe(200);
  return ((await answer.json()) as Schemas["Task"]).name;
}

test("a training that fails", async ({ page, person, language }) => {
  test.setTimeout(1_800_000);
  const { t } = person;
  const dataset = `failure-${language}`;
  await person.importFolder(join(FOLDER, language, "panels"), dataset);
  const name = await submit(person, dataset);
  await page.goto(`/${name}`);
  const failure = page.locator(".ant-alert-error");
  const task = async () => (await person.get(`/v1/${name}`)) as Schemas["Task"];

  await test.step("code, cause and remedy in the reader's language", async () => {
    await expect(failure).toContainText("NAN_LOSS", { timeout: 600_000 });
    const { failure: told } = await task();
    const inChinese = language === "zh";
    await expect(failure).toContainText((inChinese ? told?.messageZh : told?.message) ?? "none");
    await expect(failure).toContainText(t.monitor.remedy);
    await expect(failure).toContainText((inChinese ? told?.remedyZh : told?.remedy) ?? "none");
    await expect(page.locator("body")).not.toContainText("Traceback");
    await expect(page.getByText(t.monitor.stageStates.STAGE_STATE_SKIPPED)).toHaveCount(1);
    await expect(page.getByText(t.monitor.actions.submitted(t.monitor.who("users/admin")))).toBeVisible();
    await person.shoot(`failure-${language}`, { fullPage: true });
  });

  await test.step("what was set aside, with picture, size and rule", async () => {
    const count = String((await task()).stages[0]?.nonconformingCount);
    await page.getByRole("button", { name: t.monitor.nonconforming(count) }).click();
    const list = page.getByRole("dialog");
    await expect(list.getByText(t.monitor.reasons.RESOLUTION_TOO_LOW).first()).toBeVisible();
    await person.seePicture(".ant-modal .ant-image-img");
    await person.shoot(`nonconforming-${language}`);
    const coming = page.waitForEvent("download");
    await list.getByText(t.monitor.downloadList).click();
    const lines = readFileSync(await (await coming).path(), "utf8").trimEnd().split("\r\n");
    expect(lines).toHaveLength(1 + Number(count));
    expect(lines[1]).toMatch(/,\d+,\d+,RESOLUTION_TOO_LOW,/);
    await list.locator(".ant-image-img").first().click();
    await expect(page.locator(".ant-image-preview-img")).toBeVisible();
    await person.shoot(`nonconforming-whole-${language}`);
    await page.keyboard.press("Escape");
    await list.locator(".ant-modal-close").click();
  });

  await test.step("an earlier attempt's log ends with cause and remedy", async () => {
    const started = await page.request.post(`/v1/${name}:start`, {
      headers: { "X-Loupe-Client": "console" },
      data: {},
    });
    expect(started.status()).toBe(200);
    await person.choose(t.monitor.attempt, t.tasks.attempt(1));
    const { english, chinese } = { english: "FAILED NAN_LOSS", chinese: "失败 NAN_LOSS" };
    const log = page.locator("pre.log").last();
    await expect(log).toContainText(english);
    await expect(log).toContainText(chinese);
    await expect(failure).toContainText("NAN_LOSS", { timeout: 600_000 });
    await person.shoot(`attempts-${language}`, { fullPage: true });
  });
});
