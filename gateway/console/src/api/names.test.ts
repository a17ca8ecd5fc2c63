import { expect, it } from "vitest";
import { ids, judged, shortVersion } from "./names";

it("resource names read as people write them", () => {
  expect(ids("models/panel/versions/v3.01")).toEqual(["panel", "v3.01"]);
  expect(shortVersion("models/panel/versions/v3.01")).toBe("panel@v3.01");
});

it("what is judged is a version, or a training of a model (P8)", () => {
  const modelVersion = "models/panel/versions/v3.01";
  expect(judged({ modelVersion, trainingTask: "", model: "panel" })).toBe("panel@v3.01");
  expect(judged({ modelVersion: "", trainingTask: "tasks/01jx4k", model: "panel" })).toBe("panel · 01jx4k");
  // A training that was released since.
  expect(judged({ modelVersion, trainingTask: "tasks/01jx4k", model: "panel" })).toBe("panel@v3.01 · 01jx4k");
});
