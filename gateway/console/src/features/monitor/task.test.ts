import { describe, expect, it } from "vitest";
import { action, operations, type Task } from "./task";

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
