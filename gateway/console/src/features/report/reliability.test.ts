import { expect, it } from "vitest";
import { bars } from "./reliability";

it("an interval without samples has no bar, and few samples make a pale one", () => {
  const bins = [
    { low: 0, high: 0.5, sampleCount: "0", correctCount: "0" },
    { low: 0.5, high: 0.75, sampleCount: "3", correctCount: "2", accuracy: 2 / 3, meanConfidence: 0.6 },
    { low: 0.75, high: 1, sampleCount: "90", correctCount: "0", accuracy: 0, meanConfidence: 0.8 },
  ];
  const found = bars(bins);
  expect(found.map((bar) => [bar.low, bar.high, bar.correct, bar.samples])).toEqual([
    [0.5, 0.75, 2, 3],
    [0.75, 1, 0, 90],
  ]);
  expect(found.map((bar) => bar.opacity)).toEqual([0.37, 1]);
});
