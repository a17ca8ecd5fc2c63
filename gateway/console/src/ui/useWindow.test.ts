import { expect, it } from "vitest";
import { placeOf } from "./useWindow";

it("an item is found in its page, whatever their sizes", () => {
  expect(placeOf([50, 20, 50], 69)).toEqual([1, 19]);
  expect(placeOf([50, 20, 50], 120)).toEqual([3, 0]);
});
