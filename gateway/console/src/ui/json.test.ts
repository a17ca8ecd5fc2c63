import { describe, expect, it } from "vitest";
import { jsonFault, knownKeys, pathOf, textOf } from "./json";

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
    ['{"a": 1 x}', "comma"],
    ['{"a": 1,}', "key"],
    ['{"a": tru}', "value"],
    ["// a comment", "value"],
    ['{"a": "x', "string"],
    ['{"a": "\\q"}', "string"],
    ['{"a":', "end"],
    ["{} x", "rest"],
    ["{}}", "rest"],
  ])("says what was expected in %s", (text, kind) => {
    expect(jsonFault(text)?.kind).toBe(kind);
  });

  it("finds the way to a fault that the server names, and every key that may be written (W8)", () => {
    expect(pathOf("training_params.classification.max_iter")).toEqual(["classification", "max_iter"]);
    expect(pathOf("model_params.code_list[5]")).toEqual(["code_list", 5]);
    const known = knownKeys(
      { classification: { lr_policy: "poly" } },
      { lr_policy: "how" },
      { lr_policy: ["poly", "exp"] },
    );
    expect([...known.keys()]).toEqual(["classification", "classification.lr_policy"]);
    expect(known.get("classification.lr_policy")).toEqual({ standard: "poly", help: "how", options: ["poly", "exp"] });
  });

  it("finds nothing in what is sound or empty", () => {
    expect(jsonFault('{"a": [1, 2]}')).toBeUndefined();
    expect(jsonFault("  ")).toBeUndefined();
  });
});

it("shows the same parameters as the same text, in whatever order the server sends them", () => {
  const sent = { training: { max_iter: 40, base_lr: 0.02 }, code_list: ["TB", "TA"] };
  const again = { code_list: ["TB", "TA"], training: { base_lr: 0.02, max_iter: 40 } };
  expect(textOf(sent)).toBe(textOf(again));
  expect(textOf(sent).indexOf("base_lr")).toBeLessThan(textOf(sent).indexOf("max_iter"));
});
