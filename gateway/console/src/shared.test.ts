import { describe, expect, it } from "vitest";
import type { Schemas } from "./api/client";
import { dictionaries } from "./i18n";
import { place } from "./features/library/Lineage";
import { rows } from "./features/report/confusion";
import { EMPTY, detailed, extended, smoothed } from "./features/monitor/curves";
import { bytes, duration, ids, percent, shortVersion } from "./ui/format";
import { jsonFault, knownKeys, learningRate, pathOf, scheduleOf } from "./ui/json";
import { listing } from "./features/data/importing";
import { augmented, type Pixels } from "./features/wizard/augmentation";
import { trainedWith } from "./features/monitor/overlap";
import { admits } from "./api/session";
import { digest } from "./features/data/sha256";
import { placeOf } from "./ui/useWindow";
import { operations, type Task } from "./features/monitor/task";

describe("a live curve", () => {
  it("misses no point and doubles none when the stream repeats some (M5)", () => {
    const once = extended(EMPTY, 0, [3, 2, 1], []);
    const twice = extended(once, 1, [2, 1, 0.5], [{ iteration: 3, accuracy: 0.9 }]);
    expect(twice.iterations).toEqual([0, 1, 2, 3]);
    expect(twice.losses).toEqual([3, 2, 1, 0.5]);
    expect(extended(twice, 3, [0.5], [{ iteration: 3, accuracy: 0.9 }]).validation).toHaveLength(1);
  });

  it("is smoothed alike whether or not the server thinned it out", () => {
    const whole = { ...EMPTY, iterations: [...Array(101).keys()], losses: Array<number>(101).fill(2) };
    const thin = { ...EMPTY, iterations: [0, 50, 100], losses: [2, 2, 2] };
    expect(smoothed(whole, 0.9).at(-1)).toBeCloseTo(2);
    expect(smoothed(thin, 0.9).at(-1)).toBeCloseTo(2);
    expect(smoothed({ ...EMPTY, iterations: [0, 1], losses: [1, 3] }, 0)).toEqual([1, 3]);
  });
});

it("a part of a curve in detail stands where the thinned one was (M4)", () => {
  const whole = { ...EMPTY, iterations: [0, 10, 20, 30], losses: [4, 3, 2, 1] };
  const part = { ...EMPTY, iterations: [8, 9, 10, 11], losses: [7, 7, 7, 7] };
  expect(detailed(whole, part).iterations).toEqual([0, 8, 9, 10, 11, 20, 30]);
  expect(detailed(whole, EMPTY)).toBe(whole);
});

describe("augmentation of one's own picture (W10)", () => {
  const pixels: Pixels = { width: 2, height: 1, data: new Uint8ClampedArray([200, 100, 50, 255, 10, 10, 10, 255]) };
  const still = { hue: 0, saturation: 0, value: 0, across: 0, down: 0, flip: false, upsideDown: false };
  it("leaves a picture alone where nothing is drawn", () => {
    for (const kind of ["AUGMENTATION_COLOUR", "AUGMENTATION_SCALE", "AUGMENTATION_FLIP", "AUGMENTATION_RANDOM"] as const) {
      expect([...augmented(pixels, kind, still).data]).toEqual([...pixels.data]);
    }
  });
  it("flips, and turns no grey into a colour", () => {
    expect([...augmented(pixels, "AUGMENTATION_FLIP", { ...still, flip: true }).data.slice(0, 4)]).toEqual([10, 10, 10, 255]);
    const grey = augmented(pixels, "AUGMENTATION_COLOUR", { ...still, hue: 1, saturation: 1 }).data.slice(4, 7);
    expect(new Set(grey).size).toBe(1);
  });
});

describe("a folder that was dropped (D1, D2)", () => {
  const file = (path: string, text = "") => ({
    path,
    // jsdom's files cannot be read.
    file: Object.assign(new File([text], path.split("/").at(-1) ?? ""), { text: () => Promise.resolve(text) }),
  });
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
    expect(left).toEqual(["top/A/notes.txt"]);
  });
  it("names every file that it does not take, and takes the others (D7)", async () => {
    const odd = ["\u00a0", "\u200b", "\u202e", "\u2028", "\u3000", "\ufffd", "(", "[", "%"].map((one) => `top/A/${one}.png`);
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
    expect(left.sort()).toEqual(
      ["top/A/._a.png", "top/.cache/a.png", "top/A/Thumbs.db", "top/A/b.gif"]
        .concat("top/mygroups.csv", "top/A/gone.png", "other/A/(.png")
        .sort(),
    );
  });
  it.each([
    [["a.png", "a_mask.png"], [["a.png", "a_mask.png", true]], []],
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
    ["file,group\nA/1.png,a\nA/1.png,b\n", ["", ""], { kind: "twice", file: "A/1.png", groups: ["a", "b"] }],
  ])("is not torn apart: its groups are found or their fault is told (D3): %j", async (table, groups, fault) => {
    const listed = await listing([file("top/A/1.png"), file("top/B/2.jpg"), file("top/groups.csv", table)]);
    expect(listed.candidates.map(({ group }) => group)).toEqual(groups);
    expect(listed.fault).toEqual(fault);
  });
  it.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
  ])("is hashed as FIPS 180-4 says, with or without TLS: %s", (text, hash) => {
    expect([...digest(new TextEncoder().encode(text))].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(hash);
  });
});

it("an item is found in its page, whatever their sizes", () => {
  expect(placeOf([50, 20, 50], 69)).toEqual([1, 19]);
  expect(placeOf([50, 20, 50], 120)).toEqual([3, 0]);
});

describe("JSON as people write it (W3)", () => {
  it("names the line of the source document's own missing comma", () => {
    const fault = jsonFault('{\n  "classification": {"num_of_classes": 5}\n  "code_list": []\n}');
    expect([fault?.line, fault?.kind]).toEqual([3, "comma"]);
  });

  it.each([
    ['{"a" 1}', "colon"],
    ['{"a": 1', "comma"],
    ["{a: 1}", "key"],
    ['{"a": }', "value"],
    ["{} x", "rest"],
  ])("says what was expected in %s", (text, kind) => {
    expect(jsonFault(text)?.kind).toBe(kind);
  });

  it("finds the way to a fault that the server names, and every key that may be written (W8)", () => {
    expect(pathOf("training_params.classification.max_iter")).toEqual(["classification", "max_iter"]);
    expect(pathOf("model_params.code_list[5]")).toEqual(["code_list", 5]);
    const known = knownKeys({ classification: { lr_policy: "poly" } }, { lr_policy: "how" }, { lr_policy: ["poly", "exp"] });
    expect([...known.keys()]).toEqual(["classification", "classification.lr_policy"]);
    expect(known.get("classification.lr_policy")).toEqual({ standard: "poly", help: "how", options: ["poly", "exp"] });
  });

  it("finds nothing in what is sound or empty", () => {
    expect(jsonFault('{"a": [1, 2]}')).toBeUndefined();
    expect(jsonFault("  ")).toBeUndefined();
  });
});

describe("the learning rate (W8)", () => {
  const given = { base_lr: 0.1, max_iter: 100, power: 0.5, gamma: 0.9 };
  it.each([
    ["fixed", 0.1],
    ["exp", 0.1 * 0.9 ** 10],
    ["inv", 0.1 * (1 + 9) ** -0.5],
    ["poly", 0.1 * 0.9 ** 0.5],
  ])("%s is the source document's formula at iteration 10", (lr_policy, rate) => {
    const schedule = scheduleOf({ ...given, lr_policy });
    expect(schedule && learningRate(schedule, 10)).toBeCloseTo(rate, 12);
  });

  it("is not drawn of parameters that are no schedule", () => {
    expect(scheduleOf({ ...given, lr_policy: "cosine" })).toBeUndefined();
    expect(scheduleOf({ ...given, lr_policy: "poly", base_lr: -1 })).toBeUndefined();
    expect(scheduleOf("text")).toBeUndefined();
  });
});

describe("what a state allows (T)", () => {
  const task = (state: Task["state"], kind: "training" | "prediction" = "training") =>
    ({ state, terminating: false, [kind]: {} }) as unknown as Task;
  it.each([
    ["TASK_STATE_WAITING", ["delete"]],
    ["TASK_STATE_TRAINING", ["terminate"]],
    ["TASK_STATE_TERMINATED", ["start", "delete"]],
    ["TASK_STATE_COMPLETED", ["release", "delete"]],
    ["TASK_STATE_FAILED", ["start", "delete"]],
    ["TASK_STATE_RELEASED", []],
  ] as const)("%s", (state, allowed) => {
    expect(operations(task(state))).toEqual(allowed);
  });

  it("a prediction is never released, and what is ending is left to end", () => {
    expect(operations(task("TASK_STATE_COMPLETED", "prediction"))).toEqual(["delete"]);
    expect(operations({ ...task("TASK_STATE_TRAINING"), terminating: true })).toEqual([]);
  });
});

it("data is new to a version only if somebody looked and found nothing (P7)", () => {
  const counts = { sampleCount: "400", trainedSampleCount: "0", trainedGroupCount: "0" };
  expect(trainedWith(undefined)).toBe("unknown");
  expect(trainedWith({ ...counts, affectedSampleCount: "0" })).toBe("none");
  expect(trainedWith({ ...counts, trainedGroupCount: "1", affectedSampleCount: "3" })).toBe("some");
});

it("roles admit what comes before them, and nothing else (A2)", () => {
  expect(admits("ROLE_RELEASER", "ROLE_ENGINEER")).toBe(true);
  expect(admits("ROLE_VIEWER", "ROLE_ENGINEER")).toBe(false);
  expect(admits("ROLE_ADMIN", "ROLE_ANYONE")).toBe(false);
  expect(admits("ROLE_UNSPECIFIED", "ROLE_VIEWER")).toBe(false);
});

it("a confusion matrix is shaded row by row", () => {
  const [first, second] = rows(["a", "b"], ["8", "2", "1", "0"]);
  expect(first?.map((cell) => cell.share)).toEqual([0.8, 0.2]);
  expect(second?.map((cell) => [cell.count, cell.right])).toEqual([
    [1, false],
    [0, true],
  ]);
});

it("a version stands right of its parent, and a second child under the first", () => {
  const version = (name: string, parentVersion = "") => ({ name, parentVersion }) as Schemas["ModelVersion"];
  const placed = place([version("m/v3.03", "m/v3.01"), version("m/v3.02", "m/v3.01"), version("m/v3.01")]);
  expect(placed.map(({ label, column, row }) => [label, column, row])).toEqual([
    ["v3.01", 0, 0],
    ["v3.02", 1, 0],
    ["v3.03", 1, 1],
  ]);
});

it("values read as people write them", () => {
  expect(ids("models/panel/versions/v3.01")).toEqual(["panel", "v3.01"]);
  expect(shortVersion("models/panel/versions/v3.01")).toBe("panel@v3.01");
  expect(duration(3725, "zh")).toBe("1 小时 2 分");
  expect(duration(undefined, "en")).toBe("—");
  expect(percent(undefined)).toBe("—");
  expect(bytes(4 * 2 ** 30)).toBe("4 GiB");
});

it("no sentence is missing in either language", () => {
  const empty = (words: object, at = ""): string[] =>
    Object.entries(words).flatMap(([name, value]: [string, unknown]) =>
      typeof value === "object" && value !== null ? empty(value, `${at}.${name}`) : value === "" && name !== "PHASE_UNSPECIFIED" ? [`${at}.${name}`] : [],
    );
  expect(empty(dictionaries.zh)).toEqual([]);
  expect(empty(dictionaries.en)).toEqual([]);
});
