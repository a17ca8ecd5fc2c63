import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { place } from "./Lineage";

it("a version stands right of its parent, and a second child under the first", () => {
  const version = (name: string, parentVersion = "") => ({ name, parentVersion }) as Schemas["ModelVersion"];
  const placed = place([version("m/v3.03", "m/v3.01"), version("m/v3.02", "m/v3.01"), version("m/v3.01")]);
  expect(placed.map(({ label, column, row }) => [label, column, row])).toEqual([
    ["v3.01", 0, 0],
    ["v3.02", 1, 0],
    ["v3.03", 1, 1],
  ]);
});
