import { expect, it } from "vitest";
import { axisOf } from "./axis";

const entry = (low: number, high: number) =>
  ({ overall: { accuracy: { value: (low + high) / 2, low, high } } }) as Parameters<typeof axisOf>[0][number];

it("the axis holds every interval, in steps of 5 %", () => {
  expect(axisOf([entry(0.83, 0.91), entry(0.71, 0.88)])).toEqual([0.7, 0.95]);
  expect(axisOf([entry(0, 1)])).toEqual([0, 1]);
});

it("is all shares where there is nothing to show", () => {
  expect(axisOf([])).toEqual([0, 1]);
  expect(axisOf([{}])).toEqual([0, 1]);
});
