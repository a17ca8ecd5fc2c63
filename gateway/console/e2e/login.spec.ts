import { expect, sessionFile, test } from "./fixtures";
import { NEW_PASSWORD, ONE_TIME_PASSWORD, USER } from "./stack";

test.use({
  storageState: { cookies: [], origins: [] },
  // The console asks who one is and is told nobody, then that a one-time password must be changed: both are logged.
  loggedErrors: /status of 40[01]/,
});

test("who has a password logs in; a one-time password is changed first", async ({ page, person, language }) => {
  const isFirst = language === "zh";
  await page.goto("/");
  await expect(page.locator('input[autocomplete="username"]')).toBeVisible();
  await person.shoot(`login-${language}`);
  await page.locator('input[autocomplete="username"]').fill(USER);
  await page.locator('input[autocomplete="current-password"]').fill(isFirst ? ONE_TIME_PASSWORD : NEW_PASSWORD);
  await page.locator('button[type="submit"]').click();
  if (isFirst) {
    const fresh = page.locator('input[autocomplete="new-password"]');
    await fresh.nth(0).fill(NEW_PASSWORD);
    await fresh.nth(1).fill(NEW_PASSWORD);
    await person.shoot(`login-change-${language}`);
    await page.locator('button[type="submit"]').click();
  }
  await expect(page.getByRole("navigation")).toBeVisible();
  await page.context().storageState({ path: sessionFile(language) });
});
