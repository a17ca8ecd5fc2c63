// How the console bears much data: frames, requests and elements, with answers that this file makes.
//
// The servers' part is measured elsewhere (tests/bench/listing.py for 1,000,000 tasks); here a page answers to itself, so
// that what is measured is the browser's part.

const TASKS = 1_000_000;
const SAMPLES = 5_000;
const POINTS = 100_000;
const PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAF0lEQVR4nGP8z4AfMBGQHzVgVMGQVQAAXDEBHyd+3mAAAAAASUVORK5CYII=",
  "base64",
);

/** Longest and 99th percentile of the time between two frames while `work` goes on, in ms. */
async function frames(page, work) {
  await page.evaluate(() => {
    window.__frames = [];
    let before = performance.now();
    const tick = (now) => {
      window.__frames?.push(now - before);
      before = now;
      if (window.__frames) requestAnimationFrame(tick);
    };
    requestAnimationFrame((now) => {
      before = now;
      requestAnimationFrame(tick);
    });
  });
  await work();
  const all = await page.evaluate(() => {
    const found = window.__frames;
    window.__frames = undefined;
    return found;
  });
  all.sort((a, b) => a - b);
  return { frames: all.length, p50: all[Math.floor(all.length / 2)], p99: all[Math.floor(all.length * 0.99)], longest: all.at(-1) };
}

const shown = ({ frames: count, p50, p99, longest }) => `${count} frames, p50 ${p50.toFixed(0)}, p99 ${p99.toFixed(0)}, longest ${longest.toFixed(0)} ms`;

function paged(url, total, make) {
  const asked = new URL(url).searchParams;
  const size = Number(asked.get("pageSize") ?? 50);
  const from = Number(asked.get("pageToken") ?? 0);
  const end = Math.min(total, from + size);
  const items = Array.from({ length: end - from }, (_, index) => make(from + index));
  return { items, nextPageToken: end < total ? String(end) : "" };
}

const get = async (context, address) => (await context.request.get(address)).json();

const SCRIPT_BUDGET_BYTES = 350_000;

/** How much script a cold browser loads before it sees its first curve, and how long it takes on a thin line. */
export async function budget({ browser, context, url, fault }) {
  const { tasks } = await get(context, `${url}/v1/tasks?kind=TASK_KIND_TRAINING&states=TASK_STATE_RELEASED`);
  if (!tasks[0]) return fault("there is no released task to look at");
  const cold = await browser.newContext({ storageState: await context.storageState(), viewport: { width: 1366, height: 768 } });
  const first = await cold.newPage();
  const network = await cold.newCDPSession(first);
  await network.send("Network.enable");
  const mbit = 1e6 / 8;
  await network.send("Network.emulateNetworkConditions", { offline: false, latency: 50, downloadThroughput: 10 * mbit, uploadThroughput: 10 * mbit });
  const began = performance.now();
  await first.goto(`${url}/${tasks[0].name}`);
  await first.locator(".u-wrap canvas").first().waitFor();
  const tookMs = performance.now() - began;
  const until = await first.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .filter(({ name }) => name.endsWith(".js"))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  );
  console.log(`scripts before the first chart: ${(until / 1000).toFixed(0)} kB compressed; chart after ${tookMs.toFixed(0)} ms at 10 Mbit/s, 50 ms`);
  if (until > SCRIPT_BUDGET_BYTES) fault(`${until} bytes of script before the first chart; ${SCRIPT_BUDGET_BYTES} are allowed`);
  await cold.close();
}

/** Prints what was measured. */
export async function measure({ context, url }) {
  const { tasks } = await get(context, `${url}/v1/tasks?kind=TASK_KIND_TRAINING&states=TASK_STATE_RELEASED`);
  const { reports } = await get(context, `${url}/v1/reports?kind=REPORT_KIND_VALIDATION`);
  const task = await get(context, `${url}/v1/${tasks[0].name}`);
  const [report] = reports;
  const [sample] = (await get(context, `${url}/v1/${report.name}/sampleResults`)).results;
  const page = await context.newPage();
  const json = (route, body) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });

  await page.route(/\/v1\/tasks\?/, (route) => {
    const { items, nextPageToken } = paged(route.request().url(), TASKS, (index) => ({
      ...task,
      name: `tasks/${String(TASKS - index).padStart(12, "0")}`,
      training: { ...task.training, modelName: `model-${TASKS - index}` },
    }));
    return json(route, { tasks: items, nextPageToken });
  });
  await page.goto(`${url}/tasks`);
  await page.getByText(`model-${TASKS}`, { exact: true }).waitFor();
  const list = await frames(page, async () => {
    for (let step = 0; step < 150; step += 1) {
      await page.mouse.wheel(0, 600);
      await page.waitForTimeout(16);
    }
  });
  await page.waitForTimeout(600);
  const rows = await page.locator(".task-rows tbody tr").count();
  const seen = await page.locator(".task-rows tbody tr a").nth(10).innerText();
  console.log(`task list of ${TASKS}: scrolled to ${seen}, ${rows} rows drawn; ${shown(list)}`);
  await page.unroute(/\/v1\/tasks\?/);

  let pictures = 0;
  await page.route(/\/sampleResults\?/, (route) => {
    const { items, nextPageToken } = paged(route.request().url(), SAMPLES, (index) => ({
      ...sample,
      name: `${report.name}/sampleResults/${index}`,
      file: `${sample.trueCode}/${index}.png`,
    }));
    return json(route, { results: items, nextPageToken });
  });
  await page.route(/\/picture\?/, (route) => {
    pictures += 1;
    return route.fulfill({ contentType: "image/png", body: PICTURE });
  });
  await page.goto(`${url}/${report.name}?verdict=VERDICT_CORRECT`);
  await page.locator(".tile").first().scrollIntoViewIfNeeded();
  await page.mouse.move(700, 400);
  const atFirst = pictures;
  const gallery = await frames(page, async () => {
    for (let step = 0; step < 100; step += 1) {
      await page.mouse.wheel(0, 500);
      await page.waitForTimeout(16);
    }
  });
  const tiles = await page.locator(".tile").count();
  console.log(`gallery of ${SAMPLES}: ${atFirst} pictures asked for at first, ${pictures} after scrolling, ${tiles} tiles drawn; ${shown(gallery)}`);

  // As the server answers (M4), and as if it had thinned nothing out.
  for (const held of [2000, POINTS]) {
    await page.unroute(/lossCurve/).catch(() => undefined);
    await page.route(/lossCurve/, (route) => {
      const asked = new URL(route.request().url()).searchParams;
      const first = Number(asked.get("firstIteration") ?? 0);
      const end = Math.min(POINTS, Number(asked.get("endIteration") ?? POINTS));
      const step = Math.max(1, Math.floor((end - first) / held));
      const iterations = Array.from({ length: Math.ceil((end - first) / step) }, (_, index) => first + index * step);
      return json(route, {
        task: task.name,
        network: "NETWORK_CLASSIFICATION",
        attempt: 1,
        iterations: iterations.map(String),
        losses: iterations.map((at) => 2 * Math.exp(-at / 20000) + 0.2 * Math.sin(at * 12.9898) ** 2),
        totalPoints: String(POINTS),
        validation: [],
      });
    });
    const began = performance.now();
    await page.goto(`${url}/${task.name}`);
    await page.locator(".u-over").first().waitFor();
    const openedMs = performance.now() - began;
    const plot = page.locator(".u-over").first();
    await plot.scrollIntoViewIfNeeded();
    const box = await plot.boundingBox();
    await page.mouse.move(box.x + 100, box.y + 80);
    await page.mouse.down();
    await page.mouse.move(box.x + 400, box.y + 80, { steps: 4 });
    await page.mouse.up();
    await page.waitForTimeout(800);
    const pan = await frames(page, async () => {
      await page.keyboard.down("Shift");
      await page.mouse.move(box.x + 500, box.y + 80);
      await page.mouse.down();
      for (let step = 0; step < 120; step += 1) {
        await page.mouse.move(box.x + 500 - 3 * step, box.y + 80);
        await page.waitForTimeout(8);
      }
      await page.mouse.up();
      await page.keyboard.up("Shift");
      await page.waitForTimeout(600);
    });
    console.log(`curve of ${POINTS} points, ${held} held: page and plot after ${openedMs.toFixed(0)} ms; panning ${shown(pan)}`);
  }
  await page.close();
}
