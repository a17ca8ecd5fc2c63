import { expect, it } from "vitest";
import { trainedWith } from "./overlap";

it("data is new to a version only if somebody looked and found nothing (P7)", () => {
  const counts = { sampleCount: "400", trainedSampleCount: "0", trainedGroupCount: "0" };
  expect(trainedWith(undefined)).toBe("unknown");
  expect(trainedWith({ ...counts, affectedSampleCount: "0" })).toBe("none");
  expect(trainedWith({ ...counts, trainedGroupCount: "1", affectedSampleCount: "3" })).toBe("some");
});
