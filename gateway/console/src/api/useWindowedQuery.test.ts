import { expect, it } from "vitest";
import { pageOf } from "./useWindowedQuery";

it("an item is found in its page, whatever their sizes", () => {
  expect(pageOf([50, 20, 50], 69)).toEqual([1, 19]);
  expect(pageOf([50, 20, 50], 120)).toEqual([3, 0]);
});
