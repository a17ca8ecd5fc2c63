import type { Schemas } from "../src/api/client";
import { expect, test } from "./fixtures";
import { USABLE, firstLoad } from "./firstLoad.mjs";
import { CONSOLE_URL } from "./stack";

const SCRIPT_BUDGET_BYTES = 350_000;

test("a cold browser loads little script before its first curve", async ({ browser, person, storageState }) => {
  const released = await person.get("/v1/tasks?kind=TASK_KIND_TRAINING&states=TASK_STATE_RELEASED");
  const [task] = (released as Schemas["ListTasksResponse"]).tasks;
  if (!task) throw new Error("there is no released task: a story makes one");
  const { scriptBytes, ms } = await firstLoad({
    browser,
    storageState,
    url: CONSOLE_URL,
    path: `/${task.name}`,
    usable: USABLE.curve,
  });
  const told =
    `${(scriptBytes / 1000).toFixed(1)} kB of script before the first curve; ` +
    `curve after ${ms.toFixed(0)} ms at 10 Mbit/s, 50 ms`;
  console.log(told);
  expect(scriptBytes, told).toBeLessThanOrEqual(SCRIPT_BUDGET_BYTES);
});
