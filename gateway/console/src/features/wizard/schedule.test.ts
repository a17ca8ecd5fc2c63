import { describe, expect, it } from "vitest";
import { learningRate, scheduleOf } from "./schedule";

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
