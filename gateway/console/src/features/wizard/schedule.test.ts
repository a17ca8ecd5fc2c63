import { describe, expect, it } from "vitest";
import learningRates from "./learning_rates.json";
import { learningRate, scheduleOf } from "./schedule";

describe("the learning rate (W8)", () => {
  const given = { base_lr: 0.1, max_iter: 100, power: 0.5, gamma: 0.9 };
  // The cases of services/learning_rate.py: the preview and the training must mean the same curve.
  it.each(learningRates)("is that of the trainer for $schedule", ({ schedule: params, rates }) => {
    const schedule = scheduleOf(params);
    if (schedule === undefined) throw new Error("no schedule");
    for (const [iteration = 0, rate = 0] of rates) expect(learningRate(schedule, iteration) / rate).toBeCloseTo(1, 12);
  });

  it("is not drawn of parameters that are no schedule", () => {
    expect(scheduleOf({ ...given, lr_policy: "cosine" })).toBeUndefined();
    expect(scheduleOf({ ...given, lr_policy: "poly", base_lr: -1 })).toBeUndefined();
    expect(scheduleOf("text")).toBeUndefined();
  });
});
