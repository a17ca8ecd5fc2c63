import { expect, it } from "vitest";
import { rows } from "./confusion";

it("a confusion matrix is shaded row by row", () => {
  const [first, second] = rows(["a", "b"], ["8", "2", "1", "0"]);
  expect(first?.map((cell) => cell.share)).toEqual([0.8, 0.2]);
  expect(second?.map((cell) => [cell.count, cell.right])).toEqual([
    [1, false],
    [0, true],
  ]);
});
