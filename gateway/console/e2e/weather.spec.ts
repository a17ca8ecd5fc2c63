/** Bad weather: a line that breaks, a service that is away, a session that ends, and names that are attacks. */
import type { Schemas } from "../src/api/client";
import { expect, send, test } from "./fixtures";
import { NEW_PASSWORD, USER } from "./stack";

const MARKUP = '<img src=x onerror=alert(1)>"\'><script>alert(2)</script>\u202Efxe.txt\u200B';

test("what people name and describe is shown as they wrote it, and is never markup", async ({ page }) => {
  const id = "weather-markup";
  const scripts: string[] = [];
  page.on("dialog", (dialog) => {
    scripts.push(dialog.message());
    void dialog.dismiss();
  });
  const environment = { site: MARKUP, product: MARKUP, processStep: MARKUP, equipment: MARKUP };
  await send(page, "POST", `/v1/datasets?datasetId=${id}`, { description: MARKUP });
  await send(page, "POST", `/v1/productionEnvironments?productionEnvironmentId=${id}`, environment);
  for (const path of ["/datasets", "/master-data", "/models", "/new"]) {
    await page.goto(path);
    await expect(page.locator(".page-title").first()).toBeVisible();
    if (["/datasets", "/master-data"].includes(path))
      await expect(page.getByText("<script>alert(2)</script>").first()).toBeVisible();
    expect(await page.locator('img[src="x"]').count(), `pictures that ${path} makes of a name`).toBe(0);
  }
  expect(scripts, "names that ran as scripts").toEqual([]);
  await send(page, "DELETE", `/v1/productionEnvironments/${id}`);
});

test.describe("without an answer", () => {
  // The browser logs each answer that does not come, and each that refuses, as an error.
  test.use({ loggedErrors: /./ });

  test("a page whose file could not be fetched comes when the line is back, without anybody's doing", async ({
    page,
    context,
    person,
  }) => {
    const { t } = person;
    await page.goto("/models");
    await expect(page.locator(".page-title").first()).toBeVisible();
    await context.setOffline(true);
    await person.menu(t.nav.images).click();
    await expect(page.locator(".ant-alert-warning", { hasText: t.states.offline })).toBeVisible();
    await context.setOffline(false);
    await expect(page.locator(".page-title", { hasText: t.images.title })).toBeVisible();
  });

  test("a stream that the gateway refuses, which browsers never open again, is opened again", async ({
    page,
    person,
  }) => {
    const [task] = ((await person.get("/v1/tasks?pageSize=1")) as Schemas["ListTasksResponse"]).tasks;
    if (!task) throw new Error("there is no task: a story makes one");
    let refused = 0;
    await page.route("**/*:watch*", async (route) => {
      refused += 1;
      await (refused <= 2
        ? route.fulfill({ status: 503, contentType: "application/problem+json", body: "{}" })
        : route.continue());
    });
    const opened = page.waitForResponse((answer) => answer.url().includes(":watch") && answer.status() === 200);
    await page.goto(`/${task.name}`);
    await opened;
    await page.unrouteAll({ behavior: "ignoreErrors" });
  });

  test("who logs in again goes on where the session ended, with what was filled in", async ({
    page,
    context,
    person,
  }) => {
    const { t } = person;
    const name = page.getByRole("textbox", { name: t.wizard.modelName });
    await page.goto("/new");
    await name.fill("typed-before-the-end");
    await context.clearCookies();
    await person.next.click();
    const again = page.getByRole("dialog", { name: t.states.signedOut });
    await again.locator('input[autocomplete="username"]').fill(USER);
    await again.locator('input[autocomplete="current-password"]').fill(NEW_PASSWORD);
    await again.locator('button[type="submit"]').click();
    await expect(again).not.toBeAttached();
    await expect(name).toHaveValue("typed-before-the-end");
    await send(page, "DELETE", "/v1/drafts/new");
  });
});
