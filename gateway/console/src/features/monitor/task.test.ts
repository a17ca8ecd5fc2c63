import { describe, expect, it } from "vitest";
import { action, operations, wizardOf, type Task } from "./task";

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

describe("a new model with a training's answers", () => {
  const task = (state: Task["state"], parentVersion = "") =>
    ({ name: "tasks/7f3a", state, training: { parentVersion } }) as unknown as Task;
  it("is offered where the training made none", () => {
    expect(wizardOf(task("TASK_STATE_FAILED"))).toBe("/new?task=7f3a");
    expect(wizardOf(task("TASK_STATE_TERMINATED"))).toBe("/new?task=7f3a");
    expect(wizardOf(task("TASK_STATE_TRAINING"))).toBeUndefined();
    expect(wizardOf(task("TASK_STATE_COMPLETED"))).toBeUndefined();
    expect(wizardOf({ ...task("TASK_STATE_FAILED"), training: undefined })).toBeUndefined();
  });
  it("is a retraining where that was one", () => {
    const address = wizardOf(task("TASK_STATE_FAILED", "models/panel/versions/v3.01")) ?? "";
    const search = new URLSearchParams(address.slice("/new?".length));
    expect(search.get("parent")).toBe("models/panel/versions/v3.01");
    expect(search.get("task")).toBe("7f3a");
  });
});

describe("what was done to a task (M6)", () => {
  it.each([
    ["TASK_STATE_UNSPECIFIED", "TASK_STATE_WAITING", "submitted"],
    ["TASK_STATE_FAILED", "TASK_STATE_WAITING", "startedAgain"],
    ["TASK_STATE_WAITING", "TASK_STATE_PREDICTING", "began"],
    ["TASK_STATE_TRAINING", "TASK_STATE_TERMINATED", "terminated"],
    ["TASK_STATE_TRAINING", "TASK_STATE_FAILED", "failed"],
    ["TASK_STATE_COMPLETED", "TASK_STATE_RELEASED", "released"],
  ] as const)("%s to %s", (from, to, done) => {
    expect(action({ from, to, terminationRequested: false })).toBe(done);
  });

  it("that somebody asked for its end is told before it has ended", () => {
    const state = "TASK_STATE_TRAINING";
    expect(action({ from: state, to: state, terminationRequested: true })).toBe("endRequested");
  });
});
