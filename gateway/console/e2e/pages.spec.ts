/** Every page, looked at in both languages and in the dark, with what the stories have made. */
import type { Schemas } from "../src/api/client";
import { expect, test, type Person } from "./fixtures";

interface Shown {
  name: string;
  path: string | ((person: Person) => Promise<string>);
  /** What must be there before one looks. */
  ready?: string;
}

const last = (name: string) => name.split("/").at(-1) ?? "";

async function newestModel(person: Person): Promise<Schemas["Model"]> {
  const [model] = ((await person.get("/v1/models")) as Schemas["ListModelsResponse"]).models;
  if (!model) throw new Error("there is no model: a story makes one");
  return model;
}

const PAGES: Shown[] = [
  { name: "models", path: "/models" },
  { name: "tasks", path: "/tasks" },
  { name: "predictions", path: "/predictions" },
  { name: "banks", path: "/banks" },
  { name: "datasets", path: "/datasets" },
  { name: "marks", path: "/datasets?tab=marks" },
  { name: "bin", path: "/datasets?tab=bin" },
  { name: "images", path: "/images" },
  { name: "master-data", path: "/master-data" },
  { name: "users", path: "/users" },
  { name: "audit", path: "/audit" },
  { name: "system", path: "/system" },
  { name: "new", path: "/new" },
  { name: "no-such-page", path: "/no-such-page" },
  { name: "model", path: async (person) => `/models/${last((await newestModel(person)).name)}` },
  {
    name: "compare",
    path: async (person) => `/models/${last((await newestModel(person)).name)}/compare`,
    ready: ".linklike",
  },
  {
    name: "retrain",
    path: async (person) => `/new?parent=${encodeURIComponent((await newestModel(person)).latestVersion)}`,
  },
  {
    name: "monitor",
    path: async (person) => {
      const released = await person.get("/v1/tasks?kind=TASK_KIND_TRAINING&states=TASK_STATE_RELEASED");
      const { tasks } = released as Schemas["ListTasksResponse"];
      return `/tasks/${last(tasks[0]?.name ?? "")}`;
    },
    ready: ".u-wrap canvas",
  },
  {
    name: "report",
    path: async (person) => {
      const { reports } = (await person.get("/v1/reports")) as Schemas["ListReportsResponse"];
      return `/reports/${last(reports[0]?.name ?? "")}`;
    },
    ready: ".matrix",
  },
  {
    name: "samples",
    path: (person) => Promise.resolve(`/datasets/fab-${person.language}/line-1`),
    ready: ".tile-picture[src]",
  },
];

for (const { name, path, ready = ".page-title" } of PAGES) {
  test(`page ${name}`, async ({ page, person, language, colorScheme }) => {
    await page.goto(typeof path === "string" ? path : await path(person));
    await expect(page.locator(ready).first()).toBeVisible();
    await page.waitForLoadState("networkidle", { timeout: 1500 }).catch(() => undefined);
    await person.shoot(`page-${name}-${language}${colorScheme === "dark" ? "-dark" : ""}`, { fullPage: true });
    expect(
      await page.locator(".ant-alert-error, .big[role=alert]").allInnerTexts(),
      "errors that the page shows",
    ).toEqual([]);
  });
}
