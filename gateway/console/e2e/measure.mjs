// How long the console lets people wait, and how it bears much data: of the whole system, with real answers.
//
//   node gateway/console/e2e/measure.mjs URL USER ONE-TIME-PASSWORD [loads | curve | tasks | gallery …]
//
// `python -m tests.bench console` makes the stack that this needs: 1,000,000 tasks, a curve of 100,000 points, a report
// of 5,000 samples. On a machine that does other things too, the time between two frames says little; beside it stands
// the processor time of the longest task of the page's main thread, and what an empty page shows in the same run.
import { chromium } from "@playwright/test";
import { VIEWPORT, launchOptions } from "./chromium.mjs";
import { USABLE, firstLoad, traced } from "./firstLoad.mjs";

const LOADS = 5;

const get = async (context, address) => (await context.request.get(address)).json();
const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];

/** Time between frames while `work` goes on, and the longest task of the main thread. */
async function frames(browser, page, work) {
  const tasks = await traced(browser, page, async () => {
    await page.evaluate(() => {
      window.__frames = [];
      const tick = (now) => {
        window.__frames?.push(now);
        if (window.__frames) requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    });
    await work();
  });
  const gaps = await page.evaluate(() => {
    const at = window.__frames;
    window.__frames = undefined;
    return at.slice(1).map((now, index) => now - at[index]);
  });
  gaps.sort((a, b) => a - b);
  return {
    count: gaps.length,
    p50: median(gaps),
    p99: gaps[Math.floor(gaps.length * 0.99)],
    longest: gaps.at(-1),
    over50: gaps.filter((gap) => gap > 50).length,
    taskMs: tasks[0].ms,
    taskCpuMs: tasks[0].cpuMs,
  };
}

const shown = (of) =>
  `${of.count} frames, p50 ${of.p50.toFixed(0)}, p99 ${of.p99.toFixed(0)}, longest ${of.longest.toFixed(0)} ms, ` +
  `${of.over50} over 50; longest task ${of.taskCpuMs.toFixed(1)} ms of processor, ` +
  `${of.taskMs.toFixed(1)} ms by the clock`;

async function wheel(page, steps, byPx) {
  await page.mouse.move(700, 500);
  for (let step = 0; step < steps; step += 1) {
    await page.mouse.wheel(0, byPx);
    await page.waitForTimeout(16);
  }
  await page.waitForTimeout(500);
}

/** Prints what was measured: all of it, or the parts that are named. */
async function measure({ browser, context, url, only }) {
  const [task] = (await get(context, `${url}/v1/tasks?modelNameContains=long-curve`)).tasks;
  const { reports } = await get(context, `${url}/v1/reports?kind=REPORT_KIND_PREDICTION`);
  if (!task || !reports[0])
    throw new Error("there is not much in this stack: `python -m tests.bench console` makes one");
  const wanted = (part) => !only.length || only.includes(part);
  if (wanted("loads")) await firstLoads({ browser, context, url, task });

  const page = await context.newPage();
  await page.setContent('<div style="height: 1000000px">nothing</div>');
  console.log(`empty page, scrolled: ${shown(await frames(browser, page, () => wheel(page, 100, 500)))}`);
  if (wanted("curve")) {
    await curve({ browser, page, url, task, held: "as the server thins it out" });
    // As if the server thinned nothing out.
    await page.route(/lossCurve/, (route) =>
      route.continue({ url: route.request().url().replace(/maxPoints=\d+/, "maxPoints=0") }),
    );
    await curve({ browser, page, url, task, held: "all of them" });
    await page.unroute(/lossCurve/);
  }
  if (wanted("tasks")) await taskList({ browser, page, url });
  if (wanted("gallery")) await gallery({ browser, page, url, report: reports[0] });
  await page.close();
}

async function firstLoads({ browser, context, url, task }) {
  const storageState = await context.storageState();
  for (const [what, path, usable, state] of [
    ["log-in page takes typing", "/", USABLE.login, undefined],
    ["library shows its rows", "/models", USABLE.library, storageState],
    ["monitor shows its first curve", `/${task.name}`, USABLE.curve, storageState],
  ]) {
    const loads = [];
    for (let turn = 0; turn < LOADS; turn += 1)
      loads.push(await firstLoad({ browser, storageState: state, url, path, usable }));
    const of = (name) => median(loads.map((load) => load[name]));
    const ms = loads.map((load) => load.ms);
    console.log(
      `cold, 10 Mbit/s, 50 ms: ${what} after ${of("ms").toFixed(0)} ms ` +
        `(${Math.min(...ms).toFixed(0)} to ${Math.max(...ms).toFixed(0)}), ${of("requests")} requests, ` +
        `${(of("scriptBytes") / 1000).toFixed(0)} kB of script, ${of("cpuMs").toFixed(0)} ms of the main thread`,
    );
  }
}

/** Opened from the task list of a console that runs, zoomed, and panned. */
async function curve({ browser, page, url, task, held }) {
  await page.goto(`${url}/tasks?q=long-curve`);
  const link = page.locator(`a[href="/${task.name}"]`).first();
  await link.waitFor();
  await page.waitForTimeout(500);
  const opened = await frames(browser, page, async () => {
    await link.click();
    await page.locator(USABLE.curve).first().waitFor();
    await page.waitForTimeout(700);
  });
  // A line of 100,000 noisy points inks more than a straight one.
  const inked = await page.locator(".u-wrap canvas").first().evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let blue = 0;
    for (let at = 0; at < data.length; at += 4) blue += Number(data[at + 3] > 0 && data[at + 2] > data[at] + 60);
    return blue;
  });
  if (inked < 3000) throw new Error(`the plot has ${inked} pixels of a curve`);
  const plot = page.locator(".u-over").first();
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  const y = box.y + 80;
  const drag = async (from, to, steps) => {
    await page.mouse.move(box.x + from, y);
    await page.mouse.down();
    for (let step = 1; step <= steps; step += 1) {
      await page.mouse.move(box.x + from + ((to - from) * step) / steps, y);
      await page.waitForTimeout(8);
    }
    await page.mouse.up();
    await page.waitForTimeout(700);
  };
  const zoomed = await frames(browser, page, () => drag(100, 700, 20));
  const panned = await frames(browser, page, async () => {
    await page.keyboard.down("Shift");
    await drag(600, 240, 120);
    await page.keyboard.up("Shift");
  });
  for (const [what, of] of Object.entries({ opened, zoomed, panned }))
    console.log(`curve of 100,000 points, ${held}, ${what}: ${shown(of)}`);
}

async function taskList({ browser, page, url }) {
  await page.goto(`${url}/tasks`);
  await page.locator(".task-rows a").first().waitFor();
  await page.waitForTimeout(500);
  const found = await frames(browser, page, () => wheel(page, 150, 600));
  const { at, rows, empty } = await page.evaluate(() => {
    const all = [...document.querySelectorAll(".task-rows tbody tr:not([aria-hidden])")];
    return {
      at: Math.round(window.scrollY),
      rows: all.length,
      empty: all.filter((row) => !row.querySelector("a")).length,
    };
  });
  console.log(
    `task list of 1,000,000, scrolled by ${at} px, ${rows} rows drawn, ${empty} of them still empty: ${shown(found)}`,
  );
}

async function gallery({ browser, page, url, report }) {
  const asked = new Set();
  page.on("request", (request) => {
    if (/\/picture\?/.test(request.url())) asked.add(request.url());
  });
  await page.goto(`${url}/${report.name}?verdict=VERDICT_CORRECT`);
  await page.locator(".tile-picture").first().scrollIntoViewIfNeeded();
  await page.waitForTimeout(1500);
  const visible = await page.evaluate(
    () =>
      [...document.querySelectorAll(".tile")].filter((tile) => {
        const { top, bottom } = tile.getBoundingClientRect();
        return bottom > 0 && top < innerHeight;
      }).length,
  );
  const atFirst = asked.size;
  const found = await frames(browser, page, () => wheel(page, 100, 500));
  const { at, tiles } = await page.evaluate(() => ({
    at: Math.round(window.scrollY),
    tiles: document.querySelectorAll(".tile").length,
  }));
  console.log(
    `gallery of 5,000 samples: ${visible} tiles in sight, ${atFirst} pictures asked for; ` +
      `scrolled by ${at} px, ${asked.size} asked for, ${tiles} tiles drawn: ${shown(found)}`,
  );
}

const [url, userId, password, ...only] = process.argv.slice(2);
const browser = await chromium.launch(launchOptions);
try {
  const context = await browser.newContext({ viewport: VIEWPORT, locale: "zh-CN" });
  const entered = await context.request.post(`${url}/v1/session`, {
    headers: { "X-Loupe-Client": "console" },
    data: { userId, password, newPassword: "a console to be measured" },
  });
  if (!entered.ok()) throw new Error(`${userId} cannot log in: ${await entered.text()}`);
  await measure({ browser, context, url, only });
} finally {
  await browser.close();
}
