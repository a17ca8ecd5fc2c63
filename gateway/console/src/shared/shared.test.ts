import { describe, expect, it } from "vitest";
import type { Schemas } from "../api/client";
import { dictionaries } from "../i18n";
import { place } from "./Lineage";
import { rows } from "./confusion";
import { EMPTY, extended, smoothed } from "./curves";
import { bytes, duration, ids, percent, shortVersion } from "./format";
import { jsonFault, learningRate, scheduleOf } from "./json";
import { admits } from "./session";
import { operations, type Task } from "./tasks";

describe("a live curve", () => {
  it("misses no point and doubles none when the stream repeats some (M5)", () => {
    const once = extended(EMPTY, 0, [3, 2, 1], []);
    const twice = extended(once, 1, [2, 1, 0.5], [{ iteration: 3, accuracy: 0.9 }]);
    expect(twice.iterations).toEqual([0, 1, 2, 3]);
    expect(twice.losses).toEqual([3, 2, 1, 0.5]);
    expect(extended(twice, 3, [0.5], [{ iteration: 3, accuracy: 0.9 }]).validation).toHaveLength(1);
  });

  it("is smoothed alike whether or not the server thinned it out", () => {
    const whole = { ...EMPTY, iterations: [...Array(101).keys()], losses: Array<number>(101).fill(2) };
    const thin = { ...EMPTY, iterations: [0, 50, 100], losses: [2, 2, 2] };
    expect(smoothed(whole, 0.9).at(-1)).toBeCloseTo(2);
    expect(smoothed(thin, 0.9).at(-1)).toBeCloseTo(2);
    expect(smoothed({ ...EMPTY, iterations: [0, 1], losses: [1, 3] }, 0)).toEqual([1, 3]);
  });
});

describe("JSON as people write it (W3)", () => {
  it("names the line of the source document's own missing comma", () => {
    const fault = jsonFault('{\n  "classification": {"num_of_classes": 5}\n  "code_list": []\n}');
    expect(fault?.line).toBe(3);
  });

  it("finds nothing in what is sound or empty", () => {
    expect(jsonFault('{"a": [1, 2]}')).toBeUndefined();
    expect(jsonFault("  ")).toBeUndefined();
  });
});

describe("the learning rate (W8)", () => {
  const given = { base_lr: 0.1, max_iter: 100, power: 0.5, gamma: 0.9 };
  it.each([
    ["fixed", 0.1],
    ["exp", 0.1 * 0.9 ** 10],
    ["inv", 0.1 * (1 + 9) ** -0.5],
    ["poly", 0.1 * 0.9 ** 0.5],
  ])("%s is the source document's formula at iteration 10", (lr_policy, rate) => {
    const schedule = scheduleOf({ ...given, lr_policy });
    expect(schedule && learningRate(schedule, 10)).toBeCloseTo(rate, 12);
  });

  it("is not drawn of parameters that are no schedule", () => {
    expect(scheduleOf({ ...given, lr_policy: "cosine" })).toBeUndefined();
    expect(scheduleOf({ ...given, lr_policy: "poly", base_lr: -1 })).toBeUndefined();
    expect(scheduleOf("text")).toBeUndefined();
  });
});

describe("what a state allows (T)", () => {
  const task = (state: Task["state"], kind: "training" | "prediction" = "training") =>
    ({ state, terminating: false, [kind]: {} }) as unknown as Task;
  it.each([
    ["TASK_STATE_WAITING", ["delete"]],
    ["TASK_STATE_TRAINING", ["terminate"]],
    ["TASK_STATE_TERMINATED", ["start", "delete"]],
    ["TASK_STATE_COMPLETED", ["release", "delete"]],
    ["TASK_STATE_FAILED", ["start", "delete"]],
    ["TASK_STATE_RELEASED", []],
  ] as const)("%s", (state, allowed) => {
    expect(operations(task(state))).toEqual(allowed);
  });

  it("a prediction is never released, and what is ending is left to end", () => {
    expect(operations(task("TASK_STATE_COMPLETED", "prediction"))).toEqual(["delete"]);
    expect(operations({ ...task("TASK_STATE_TRAINING"), terminating: true })).toEqual([]);
  });
});

it("roles admit what comes before them, and nothing else (A2)", () => {
  expect(admits("ROLE_RELEASER", "ROLE_ENGINEER")).toBe(true);
  expect(admits("ROLE_VIEWER", "ROLE_ENGINEER")).toBe(false);
  expect(admits("ROLE_ADMIN", "ROLE_ANYONE")).toBe(false);
  expect(admits("ROLE_UNSPECIFIED", "ROLE_VIEWER")).toBe(false);
});

it("a confusion matrix is shaded row by row", () => {
  const [first, second] = rows(["a", "b"], ["8", "2", "1", "0"]);
  expect(first?.map((cell) => cell.share)).toEqual([0.8, 0.2]);
  expect(second?.map((cell) => [cell.count, cell.right])).toEqual([
    [1, false],
    [0, true],
  ]);
});

it("a version stands right of its parent, and a second child under the first", () => {
  const version = (name: string, parentVersion = "") => ({ name, parentVersion }) as Schemas["ModelVersion"];
  const placed = place([version("m/v3.03", "m/v3.01"), version("m/v3.02", "m/v3.01"), version("m/v3.01")]);
  expect(placed.map(({ label, column, row }) => [label, column, row])).toEqual([
    ["v3.01", 0, 0],
    ["v3.02", 1, 0],
    ["v3.03", 1, 1],
  ]);
});

it("values read as people write them", () => {
  expect(ids("models/panel/versions/v3.01")).toEqual(["panel", "v3.01"]);
  expect(shortVersion("models/panel/versions/v3.01")).toBe("panel@v3.01");
  expect(duration(3725, "zh")).toBe("1 小时 2 分");
  expect(duration(undefined, "en")).toBe("—");
  expect(percent(undefined)).toBe("—");
  expect(bytes(4 * 2 ** 30)).toBe("4 GiB");
});

it("no sentence is missing in either language", () => {
  const empty = (words: object, at = ""): string[] =>
    Object.entries(words).flatMap(([name, value]: [string, unknown]) =>
      typeof value === "object" && value !== null ? empty(value, `${at}.${name}`) : value === "" && name !== "PHASE_UNSPECIFIED" ? [`${at}.${name}`] : [],
    );
  expect(empty(dictionaries.zh)).toEqual([]);
  expect(empty(dictionaries.en)).toEqual([]);
});
