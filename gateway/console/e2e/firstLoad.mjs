// How long a cold browser on a thin line takes to show what people came for, and how much it loads for that.
import { VIEWPORT } from "./chromium.mjs";

const MBIT = 1e6 / 8;
const LINE = { offline: false, latency: 50, downloadThroughput: 10 * MBIT, uploadThroughput: 10 * MBIT };

/** When each page is of use, told by the page itself: what must be there. */
export const USABLE = {
  login: 'input[autocomplete="username"]:enabled',
  library: ".ant-table-row",
  // The badge comes with the curve, in one state; the plot's frame is there before.
  curve: ".ant-card:has(.u-over) .ant-badge-status-text",
};

/**
 * A cold browser on a thin line opens `path`: ms until what is usable is drawn, script before it, requests, and
 * main-thread time.
 *
 * @param {{
 *   browser: import("@playwright/test").Browser;
 *   storageState: import("@playwright/test").BrowserContextOptions["storageState"];
 *   url: string;
 *   path: string;
 *   usable: string;
 * }} asked
 * @returns {Promise<{ ms: number; requests: number; scriptBytes: number; cpuMs: number }>}
 */
export async function firstLoad({ browser, storageState, url, path, usable }) {
  const context = await browser.newContext({ storageState, viewport: VIEWPORT, locale: "zh-CN" });
  const page = await context.newPage();
  page.setDefaultTimeout(180_000);
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.emulateNetworkConditions", LINE);
  await page.addInitScript((selector) => {
    const look = () => {
      if (!document.querySelector(selector)) return requestAnimationFrame(look);
      window.__found = performance.now();
      // By the next frame but one it has been painted.
      requestAnimationFrame(() => requestAnimationFrame((now) => (window.__usable = now)));
    };
    requestAnimationFrame(look);
  }, usable);
  const tasks = await traced(browser, page, async () => {
    await page.goto(url + path, { waitUntil: "commit" });
    await page.waitForFunction(() => window.__usable !== undefined);
  });
  const found = await page.evaluate(() => {
    const loaded = performance.getEntriesByType("resource").filter(({ responseEnd }) => responseEnd <= window.__found);
    const scripts = loaded.filter(({ name }) => name.endsWith(".js"));
    return {
      ms: window.__usable,
      requests: loaded.length + 1,
      scriptBytes: scripts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
    };
  });
  if (usable === USABLE.login) {
    await page.locator(usable).pressSequentially("an");
    if ((await page.locator(usable).inputValue()) !== "an")
      throw new Error("the log-in page does not take what is typed");
  }
  await context.close();
  return { ...found, cpuMs: tasks.reduce((sum, { cpuMs }) => sum + cpuMs, 0) };
}

/** What Chromium says of the main threads of its pages while `work` goes on: every task's time, longest first. */
export async function traced(browser, page, work) {
  await browser.startTracing(page, { categories: ["toplevel"] });
  let buffer;
  try {
    await work();
  } finally {
    buffer = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(buffer.toString());
  const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const main = new Set(threads.map(({ pid, tid }) => `${pid} ${tid}`));
  return traceEvents
    .filter(
      ({ name, pid, tid, dur }) =>
        name === "ThreadControllerImpl::RunTask" && dur !== undefined && main.has(`${pid} ${tid}`),
    )
    .map(({ dur, tdur }) => ({ ms: dur / 1000, cpuMs: (tdur ?? dur) / 1000 }))
    .sort((a, b) => b.cpuMs - a.cpuMs);
}
