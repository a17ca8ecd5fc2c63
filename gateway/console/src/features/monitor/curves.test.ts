import { expect, it } from "vitest";
import { cutBack, merged, visible } from "./curves";

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
  const curve = { iterations: [0, 2, 4, 6], losses: [4, 3, 2, 1], validation: [{ iteration: 1, accuracy: 0 }, { iteration: 5, accuracy: 1 }] };
  expect(cutBack(curve, 4)).toEqual({ iterations: [0, 2], losses: [4, 3], validation: [{ iteration: 1, accuracy: 0 }] });
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
