// Bad weather: a line that breaks, a service that is away, a session that ends, and names that are attacks.
const MARKUP = '<img src=x onerror=alert(1)>"\'><script>alert(2)</script>\u202Efxe.txt\u200B';

/** In a window of its own that is logged in as `context` is; `fault` is told what is not as it should be. */
export async function weather({ browser, context, url, user, password, fault }) {
  const own = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: "zh-CN", storageState: await context.storageState() });
  await own.addInitScript(() => {
    localStorage.setItem("loupe.language", "zh");
  });
  const page = await own.newPage();
  page.setDefaultTimeout(180_000);
  page.on("pageerror", (error) => fault(error.message));
  page.on("dialog", (dialog) => {
    fault(`a name ran as a script: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const send = async (method, path, data) => {
    const answer = await own.request.fetch(url + path, { method, headers: { "X-Loupe-Client": "console" }, data });
    if (!answer.ok() && answer.status() !== 409) throw new Error(`${method} ${path}: ${await answer.text()}`);
    return answer.json();
  };
  try {
    await names(page, url, send, fault);
    await brokenLine(page, own, url);
    const { tasks } = await send("GET", "/v1/tasks?pageSize=1");
    if (tasks[0]) await refusedStream(page, `${url}/${tasks[0].name}`);
    await endedSession(page, own, { url, user, password }, fault);
  } finally {
    await own.close();
  }
}

/** What people name and describe is shown as they wrote it, and is never markup. */
async function names(page, url, send, fault) {
  const id = "weather-markup";
  await send("POST", `/v1/datasets?datasetId=${id}`, { description: MARKUP });
  await send("POST", `/v1/productionEnvironments?productionEnvironmentId=${id}`, { site: MARKUP, product: MARKUP, processStep: MARKUP, equipment: MARKUP });
  for (const path of ["/datasets", "/master-data", "/models", "/new"]) {
    await page.goto(url + path);
    await page.locator(".page-title").first().waitFor();
    if (path !== "/models" && path !== "/new") await page.getByText("<script>alert(2)</script>").first().waitFor();
    if (await page.locator('img[src="x"]').count()) fault(`${path} makes markup of a name`);
  }
  await send("DELETE", `/v1/productionEnvironments/${id}`);
}

/** A page whose file could not be fetched comes when the line is back, without anybody's doing. */
async function brokenLine(page, own, url) {
  await page.goto(`${url}/models`);
  await page.locator(".page-title").first().waitFor();
  await own.setOffline(true);
  await page.locator('nav a[href="/images"]').click();
  await page.locator(".ant-alert-warning", { hasText: "无法连接到服务器" }).waitFor();
  await own.setOffline(false);
  await page.locator(".page-title", { hasText: "模型镜像" }).waitFor();
}

/** A stream that the gateway refuses, which browsers never open again, is opened again. */
async function refusedStream(page, monitor) {
  let refused = 0;
  await page.route("**/*:watch*", (route) =>
    refused++ < 2 ? route.fulfill({ status: 503, contentType: "application/problem+json", body: "{}" }) : route.continue(),
  );
  const opened = page.waitForResponse((answer) => answer.url().includes(":watch") && answer.status() === 200);
  await page.goto(monitor);
  await opened;
  await page.unrouteAll({ behavior: "ignoreErrors" });
}

/** Who logs in again goes on where the session ended; what was filled in is there. */
async function endedSession(page, own, { url, user, password }, fault) {
  const name = "typed-before-the-end";
  await page.goto(`${url}/new`);
  await page.getByRole("textbox", { name: "模型名称" }).fill(name);
  await own.clearCookies();
  await page.getByRole("button", { name: "下一步" }).click();
  const again = page.getByRole("dialog", { name: "登录已过期" });
  await again.locator('input[autocomplete="username"]').fill(user);
  await again.locator('input[autocomplete="current-password"]').fill(password);
  await again.locator('button[type="submit"]').click();
  await again.waitFor({ state: "detached" });
  if ((await page.getByRole("textbox", { name: "模型名称" }).inputValue()) !== name) fault("the wizard lost what was filled in");
}
