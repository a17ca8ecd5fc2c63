import { expect, it } from "vitest";
import { ids, shortVersion } from "./names";

it("resource names read as people write them", () => {
  expect(ids("models/panel/versions/v3.01")).toEqual(["panel", "v3.01"]);
  expect(shortVersion("models/panel/versions/v3.01")).toBe("panel@v3.01");
});
