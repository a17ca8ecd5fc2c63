import { describe, expect, it } from "vitest";
import { deepPicture, importCommand } from "./deepPictures";

/** jsdom's files cannot be read. */
const candidate = (name: string, bytes: number[]) => ({
  file: `A/${name}`,
  image: {
    name,
    slice: (from: number, end: number) => ({
      arrayBuffer: () => Promise.resolve(Uint8Array.from(bytes.slice(from, end)).buffer),
    }),
  } as unknown as File,
});

const png = (depth: number) => [...Array<number>(24).fill(1), depth, 0, 0, 0, 0];

/** A TIFF with one other tag before that of its bits, of which it has one value for each colour. */
function tiff(bits: number, { little = true, colours = 1 } = {}): number[] {
  const two = (value: number) => (little ? [value & 255, value >> 8] : [value >> 8, value & 255]);
  const four = (value: number) => (little ? [...two(value), 0, 0] : [0, 0, ...two(value)]);
  const directory = 8;
  const behind = directory + 2 + 2 * 12;
  const values = Array.from({ length: colours }, () => two(bits)).flat();
  const inEntry = colours > 2 ? four(behind) : [...values, 0, 0, 0, 0].slice(0, 4);
  return [
    ...(little ? [0x49, 0x49] : [0x4d, 0x4d]),
    ...[...two(42), ...four(directory), ...two(2)],
    ...[...two(256), ...two(4), ...four(1), ...four(16)],
    ...[...two(258), ...two(3), ...four(colours), ...inEntry],
    ...values,
  ];
}

describe("pictures of 16 bits (D6)", () => {
  it.each([
    ["a.png", png(16), true],
    ["a.PNG", png(8), false],
    ["a.tif", tiff(16), true],
    ["a.tiff", tiff(16, { little: false }), true],
    ["a.tif", tiff(16, { colours: 3 }), true],
    ["a.tif", tiff(16, { little: false, colours: 3 }), true],
    ["a.tif", tiff(8), false],
    ["a.tif", tiff(8, { colours: 3 }), false],
    ["a.jpg", png(16), false],
    ["cut.png", png(16).slice(0, 24), false],
    ["cut.tif", tiff(16).slice(0, 30), false],
    ["far.tif", [0x49, 0x49, 42, 0, 255, 255, 255, 255], false],
  ])("are told by their headers: %s", async (name, bytes, deep) => {
    expect(await deepPicture([candidate(name, bytes)])).toBe(deep ? `A/${name}` : undefined);
  });
  it("are found behind many others", async () => {
    const others = Array.from({ length: 100 }, (_, index) => candidate(`${index}.png`, png(8)));
    expect(await deepPicture([...others, candidate("deep.png", png(16))])).toBe("A/deep.png");
    expect(await deepPicture(others)).toBeUndefined();
  });
});

describe("the command that scales", () => {
  const asked = { folder: "三线", dataset: "panels", path: "line-3", bits: 12 };
  it("says what was chosen", () => {
    expect(importCommand(asked)).toBe("loupe data import 三线 --dataset panels --path line-3 --bits 12");
    expect(importCommand({ ...asked, bits: 0 })).toBe("loupe data import 三线 --dataset panels --path line-3");
  });
  it("holds nothing that a shell reads otherwise", () => {
    expect(importCommand({ ...asked, folder: "$(reboot)", dataset: "", path: "a b" })).toBe(
      "loupe data import FOLDER --dataset DATASET --path PATH --bits 12",
    );
  });
});
