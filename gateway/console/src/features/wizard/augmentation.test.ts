import { describe, expect, it } from "vitest";
import { augmented, type Pixels } from "./augmentation";

describe("augmentation of one's own picture (W10)", () => {
  const pixels: Pixels = { width: 2, height: 1, data: new Uint8ClampedArray([200, 100, 50, 255, 10, 10, 10, 255]) };
  const still = { hue: 0, saturation: 0, value: 0, across: 0, down: 0, flip: false, upsideDown: false };
  it("leaves a picture alone where nothing is drawn", () => {
    for (const kind of [
      "AUGMENTATION_COLOUR",
      "AUGMENTATION_SCALE",
      "AUGMENTATION_FLIP",
      "AUGMENTATION_RANDOM",
    ] as const) {
      expect([...augmented(pixels, kind, still).data]).toEqual([...pixels.data]);
    }
  });
  it("flips, and turns no grey into a colour", () => {
    expect([...augmented(pixels, "AUGMENTATION_FLIP", { ...still, flip: true }).data.slice(0, 4)]).toEqual([
      10, 10, 10, 255,
    ]);
    const grey = augmented(pixels, "AUGMENTATION_COLOUR", { ...still, hue: 1, saturation: 1 }).data.slice(4, 7);
    expect(new Set(grey).size).toBe(1);
  });
});
