import { describe, expect, it } from "vitest";
import { byFileAtFault, listing, masksOfRefused } from "./importing";

describe("a folder that was dropped (D1, D2)", () => {
  const file = (path: string, content: string | number[] = "") => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : Uint8Array.from(content);
    // jsdom's files cannot be read.
    const read = { arrayBuffer: () => Promise.resolve(bytes.buffer) };
    return { path, file: Object.assign(new File([bytes], path.split("/").at(-1) ?? ""), read) };
  };
  it("is taken by its codes, with masks and groups, wherever it lies", async () => {
    const { candidates, left } = await listing([
      file("top/A/1.png"),
      file("top/A/1.mask.png"),
      file("top/B/2.jpg"),
      file("top/groups.csv", 'file,group\nA/1.png,"panel, 7"\n'),
      file("top/A/notes.txt"),
      file("top/B/3.jpg"),
      file("top/B/3.png"),
    ]);
    expect(candidates.map(({ file: name, mask, group }) => [name, mask?.name, group])).toEqual([
      ["A/1.png", "1.mask.png", "panel, 7"],
      ["B/2.jpg", undefined, ""],
      ["B/3.jpg", "3.png", ""],
    ]);
    expect(left).toEqual([{ path: "top/A/notes.txt", reason: "NOT_AN_IMAGE" }]);
  });
  it("tells a refused mask by its own name, and a refused picture by its (D5)", () => {
    const told = (reason: string, mask?: string) => byFileAtFault({ file: "A/a.jpg", reason }, mask).file;
    expect(told("BAD_MASK", "a.mask.png")).toBe("A/a.mask.png");
    expect(told("TRUNCATED", "a.mask.png")).toBe("A/a.jpg");
    expect(told("BAD_MASK")).toBe("A/a.jpg");
  });

  it.each([
    [["a.jpg", "a.png"], { "a.jpg": "EMPTY" }, ["a.png"]],
    [["a.jpg", "a.png"], { "a.jpg": "TRUNCATED" }, ["a.png"]],
    [["a.jpg", "a.png"], { "a.jpg": "BAD_NAME" }, ["a.png"]],
    [["b.png", "b_mask.png"], { "b.png": "NOT_AN_IMAGE" }, ["b_mask.png"]],
    [["c.png", "c.mask.png"], { "c.png": "EMPTY" }, ["c.mask.png"]],
    [["c.png", "c.mask.png"], { "c.png": "BAD_MASK" }, []],
    [["a.jpg", "a.png"], {}, []],
  ])("names the mask of a refused picture (D7): %j %j", async (files, refused: Record<string, string>, told) => {
    const { candidates } = await listing(files.map((name) => file(`top/A/${name}`)));
    const outcomes = candidates.map(({ file: name, image }) => {
      const reason = refused[image.name] ?? "";
      return { file: name, outcome: reason ? ("OUTCOME_REJECTED" as const) : ("OUTCOME_ADDED" as const), reason };
    });
    const masks = new Map(candidates.map(({ file: name, mask }) => [name, mask?.name]));
    const [image] = Object.keys(refused);
    expect(masksOfRefused(outcomes, masks)).toEqual(told.map((name) => ({ file: `A/${name}`, image })));
  });

  it("names every file that it does not take, and takes the others (D7)", async () => {
    const odd = ["\u00a0", "\u200b", "\u202e", "\u2028", "\u3000", "\ufffd", "(", "[", "%"].map(
      (one) => `top/A/${one}.png`,
    );
    const { candidates, left, unclearMasks } = await listing([
      ...odd.map((path) => file(path)),
      file("top/A/._a.png"),
      file("top/.cache/a.png"),
      file("top/A/Thumbs.db"),
      file("top/A/b.gif"),
      file("top/A/lost.mask.png"),
      file("top/mygroups.csv", "no table"),
      { path: "top/A/gone.png", file: undefined },
      file("other/A/(.png"),
    ]);
    expect(candidates.map(({ file: name }) => `top/${name}`).sort()).toEqual(odd.sort());
    expect(unclearMasks).toEqual(["A/lost.mask.png"]);
    expect(Object.fromEntries(left.map(({ path, reason }) => [path, reason]))).toEqual({
      "top/A/._a.png": "HIDDEN",
      "top/.cache/a.png": "HIDDEN",
      "top/A/Thumbs.db": "NOT_AN_IMAGE",
      "top/A/b.gif": "OTHER_FORMAT",
      "top/mygroups.csv": "NOT_AN_IMAGE",
      "top/A/gone.png": "UNREADABLE",
      "other/A/(.png": "NAME_TAKEN",
    });
  });
  it.each([
    [["a.png", "a_mask.png"], [["a.png", "a_mask.png", true]], []],
    [["a.jpg", "a_gt.png"], [["a.jpg", "a_gt.png", true]], []],
    [["b_gt.png"], [["b_gt.png", undefined, false]], []],
    [["a.jpg", "a.mask.png"], [["a.jpg", "a.mask.png", false]], []],
    [["a.jpg", "a.png"], [["a.jpg", "a.png", true]], []],
    [["a.jpg", "a.mask.png", "a_mask.png"], [["a.jpg", "a.mask.png", false]], ["a_mask.png"]],
    [
      ["a.jpg", "a.tif", "a.png"],
      [
        ["a.jpg", undefined, false],
        ["a.tif", undefined, false],
      ],
      ["a.png"],
    ],
    [
      ["a.PNG", "a.png"],
      [
        ["a.PNG", undefined, false],
        ["a.png", undefined, false],
      ],
      [],
    ],
    [["b_mask.jpg"], [], ["b_mask.jpg"]],
  ])("has masks of one picture each, and names the others (D5): %j", async (files, expected, unclear) => {
    const listed = await listing(files.map((name) => file(`top/A/${name}`)));
    const found = listed.candidates.map(({ image, mask, maskIsGuess }) => [image.name, mask?.name, maskIsGuess]);
    expect(found).toEqual(expected);
    expect(listed.unclearMasks).toEqual(unclear.map((name) => `A/${name}`));
  });
  it.each([
    ["file,panel,brightness\nA/1.png,P7,0.9\nx/B/2.jpg,P8,1\n", ["P7", "P8"], undefined],
    ["image;lot\n1;L1\nB\\2.jpg;L1\n", ["L1", "L1"], undefined],
    ["picture,panel\nA/1.png,P7\n", ["", ""], { kind: "file", header: "picture,panel" }],
    ["file,brightness\nA/1.png,1\n", ["", ""], { kind: "group", header: "file,brightness" }],
    ["sep=;\rfile;group\rA/1.png;g\rB/2.jpg;h\r", ["g", "h"], undefined],
    ["file,group,Group\nA/1.png,a,b\n", ["", ""], { kind: "twin", header: "file,group,Group" }],
    ["file,group\na/1.PNG,u\u0308\nB/2.JPG,ü\n", ["ü", "ü"], undefined],
    ["file,group,panel\nA/1.png,,P7\nB/2.jpg, ,P8\n", ["P7", "P8"], undefined],
    ["file,group\nA/1.png,\n", ["", ""], { kind: "empty", header: "group" }],
    ["file,group\nA/9.png,a\n", ["", ""], { kind: "unmatched", file: "A/9.png" }],
    ['file,group\n"A/1.png,a\nB/2.jpg",b\n', ["", ""], { kind: "quote", line: 2 }],
    ["file,group\nA/1.png,a\nA/1.png,b\n", ["", ""], { kind: "twice", file: "A/1.png", groups: ["a", "b"] }],
  ])("is not torn apart: its groups are found or their fault is told (D3): %j", async (table, groups, fault) => {
    const listed = await listing([file("top/A/1.png"), file("top/B/2.jpg"), file("top/groups.csv", table)]);
    expect(listed.candidates.map(({ group }) => group)).toEqual(groups);
    expect(listed.fault).toEqual(fault);
  });
  it("has its table in GBK, under a name of another case and beside the pictures (D3)", async () => {
    // 面板 in GBK.
    const table = [...new TextEncoder().encode("file,group\n1.png,"), 0xc3, 0xe6, 0xb0, 0xe5];
    const listed = await listing([file("top/A/1.png"), file("top/A/Groups.CSV", table)]);
    expect(listed.candidates.map(({ group }) => group)).toEqual(["面板"]);
    expect(listed.left).toEqual([]);
    const unread = await listing([file("top/A/1.png"), file("top/A/groups.csv", [0x66, 0xff, 0xff])]);
    expect(unread.fault).toEqual({ kind: "encoding" });
  });
  it("is refused where its table may mean several pictures, or is there twice (D3)", async () => {
    const pictures = [file("top/A/1.png"), file("top/B/1.png")];
    const unclear = await listing([...pictures, file("top/groups.csv", "file,group\n1.png,a\n")]);
    expect(unclear.fault).toEqual({ kind: "unclear", line: 2, file: "1.png" });
    const tables = ["top/A/groups.csv", "top/B/groups.csv"];
    const several = await listing([...pictures, ...tables.map((path) => file(path, "file,group\n1.png,a\n"))]);
    expect(several.fault).toEqual({ kind: "several", tables });
  });
});
