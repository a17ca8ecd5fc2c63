import { expect, it } from "vitest";
import { cutBack, merged } from "./curves";

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
  // A curve of 100,000 points with its own validations is not copied.
  const whole = merged([loss, { at: [5], columns: [[0.7]] }]);
  expect(whole[0]).toBe(loss.at);
  expect(whole[1]).toBe(loss.columns[0]);
});

it("is cut back to the checkpoint that a training goes on from (T5)", () => {
  const curve = { iterations: [0, 2, 4, 6], losses: [4, 3, 2, 1], validation: [{ iteration: 1, accuracy: 0 }, { iteration: 5, accuracy: 1 }] };
  expect(cutBack(curve, 4)).toEqual({ iterations: [0, 2], losses: [4, 3], validation: [{ iteration: 1, accuracy: 0 }] });
  expect(cutBack(curve, 5).iterations).toEqual([0, 2, 4]);
});
