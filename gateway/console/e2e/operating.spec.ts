/** What an operator does on the system page: sees every replica, drains a worker, limits what is stored. */
import type { Schemas } from "../src/api/client";
import { expect, test } from "./fixtures";

const OLDER = "0.0.9";

test("replicas, drain, quotas", async ({ page, person, language }) => {
  const { t } = person;
  const workers = async () => ((await person.get("/v1/workers")) as Schemas["ListWorkersResponse"]).workers;

  await test.step("each replica with its version; two versions are said", async () => {
    await page.goto("/system");
    const servers = page.getByRole("region", { name: t.system.services });
    await expect(servers.getByRole("row")).toHaveCount(1 + 4);
    // What a registry of the last release would say of itself, as another process.
    await page.route("**/v1/servers/registry", async (route) => {
      const answer = await route.fetch();
      const server = (await answer.json()) as Schemas["Server"];
      const [own] = server.replicas;
      if (!own) throw new Error("the registry tells of no replica");
      await route.fulfill({
        response: answer,
        json: { ...server, replicas: [own, { ...own, address: "10.0.0.9:7101", version: OLDER }] },
      });
    });
    await expect(servers.getByText("10.0.0.9:7101")).toBeVisible();
    await expect(servers.getByText(OLDER, { exact: true })).toBeVisible();
    await expect(page.getByText(t.system.attentionTitle)).toBeVisible();
    await person.shoot(`system-two-versions-${language}`, { fullPage: true });
    await page.unroute("**/v1/servers/registry");
  });

  await test.step("a worker is drained after a confirmation, and undrained", async () => {
    const [worker] = await workers();
    if (!worker) throw new Error("there is no worker");
    const row = page
      .getByRole("region", { name: t.system.workers })
      .getByRole("row")
      .filter({ hasText: worker.name.replace("workers/", "") });
    const { drainWords, undrainWords } = t.system.drain;
    await row.getByRole("button", { name: drainWords.label, exact: true }).click();
    const dialog = page.getByRole("dialog");
    await expect(dialog).toContainText(drainWords.ask);
    await person.shoot(`drain-${language}`);
    await dialog.getByRole("button").last().click();
    await expect(row.getByText(t.system.drain.drained, { exact: true })).toBeVisible();
    await person.shoot(`drained-${language}`, { fullPage: true });
    expect((await workers()).find(({ name }) => name === worker.name)?.drainer).toBe("users/admin");
    await row.getByRole("button", { name: undrainWords.label, exact: true }).click();
    await page.getByRole("dialog").getByRole("button").last().click();
    await expect(row.getByText(t.system.drain.drained, { exact: true })).toBeHidden();
    expect((await workers()).find(({ name }) => name === worker.name)?.drainTime).toBeUndefined();
  });

  await test.step("each user gets a limit, and loses it", async () => {
    const card = page.locator(".ant-card", { hasText: t.system.quota.title }).last();
    const forAll = t.system.quota.forAll["users/-"] ?? "";
    await card.getByRole("combobox", { name: t.system.quota.of }).click();
    await page.locator(".ant-select-item-option", { hasText: forAll }).click();
    await card.getByRole("button", { name: t.system.quota.set }).click();
    await page.getByRole("spinbutton", { name: t.system.quota.limit }).fill("200");
    await page.getByRole("dialog").getByRole("button").last().click();
    await expect(card.getByRole("row").filter({ hasText: forAll })).toContainText("200 GiB");
    await person.shoot(`quotas-${language}`, { fullPage: true });
    await card.getByRole("button", { name: t.system.quota.remove }).click();
    await page.getByRole("dialog").getByRole("button").last().click();
    await expect(card.getByRole("row").filter({ hasText: forAll })).toHaveCount(0);
  });
});
