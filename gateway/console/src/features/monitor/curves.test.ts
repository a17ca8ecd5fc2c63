import { describe, expect, it } from "vitest";
import { cutBack, detailed, EMPTY, extended, lossText, merged, smoothed, visible } from "./curves";

it("tables of other iterations stand in one, with nothing where one says nothing", () => {
  const loss = { at: [0, 1, 2, 5], columns: [[9, 8, 7, 6], [1, 2, 3, 4]] };
  const validation = { at: [2, 4], columns: [[0.5, 0.6]] };
  expect(merged([loss, validation])).toEqual([
    [0, 1, 2, 4, 5],
    [9, 8, 7, null, 6],
    [1, 2, 3, null, 4],
    [null, null, 0.5, 0.6, null],
  ]);
  expect(merged([])).toEqual([[]]);
  // Where one has all iterations, nothing is copied.
  const whole = merged([loss, { at: [5], columns: [[0.7]] }]);
  expect(whole[0]).toBe(loss.at);
  expect(whole[1]).toBe(loss.columns[0]);
});

it("is cut back to the checkpoint that a training goes on from (T5)", () => {
  const curve = {
    iterations: [0, 2, 4, 6],
    losses: [4, 3, 2, 1],
    validation: [
      { iteration: 1, accuracy: 0 },
      { iteration: 5, accuracy: 1 },
    ],
  };
  expect(cutBack(curve, 4)).toEqual({
    iterations: [0, 2],
    losses: [4, 3],
    validation: [{ iteration: 1, accuracy: 0 }],
  });
  expect(cutBack(curve, 5).iterations).toEqual([0, 2, 4]);
});

it("100,000 points are drawn as the extremes of each pixel, and never otherwise than they are", () => {
  const at = [...Array(100_000).keys()];
  const losses = at.map((iteration) => Math.sin(iteration) + (iteration === 54_321 ? 9 : 0));
  const drawn = visible({ at, columns: [losses] }, 50_000, 60_000, 500);
  expect(drawn.at.length).toBeLessThanOrEqual(2 * 502);
  expect([drawn.at[0], drawn.at.at(-1)]).toEqual([49_999, 60_001]);
  const values = drawn.columns[0] ?? [];
  expect(drawn.at.every((iteration, row) => values[row] === losses[iteration])).toBe(true);
  const shown = losses.slice(50_000, 60_001);
  expect([Math.min(...values), Math.max(...values)]).toEqual([Math.min(...shown), Math.max(...shown)]);
  expect(drawn.at).toEqual([...new Set(drawn.at)].sort((a, b) => a - b));
  // What fits is all there.
  expect(visible({ at, columns: [losses] }, 100, 600, 500).at).toEqual(at.slice(99, 602));
});

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

it("a part of a curve in detail stands where the thinned one was (M4)", () => {
  const whole = { ...EMPTY, iterations: [0, 10, 20, 30], losses: [4, 3, 2, 1] };
  const part = { ...EMPTY, iterations: [8, 9, 10, 11], losses: [7, 7, 7, 7] };
  expect(detailed(whole, part).iterations).toEqual([0, 8, 9, 10, 11, 20, 30]);
  expect(detailed(whole, EMPTY)).toBe(whole);
});

it("a loss beside its axis is short, however large or small", () => {
  expect([4.2e20, 250, 0.125, 0.00004, 0, null].map(lossText)).toEqual(["4.2e+20", "250", "0.125", "4.0e-5", "0", ""]);
});
