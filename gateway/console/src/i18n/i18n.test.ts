import { expect, it } from "vitest";
import { bankWords } from "./banks";
import { dictionaries } from "./index";
import { wizardWords } from "./wizard";

it("no sentence is missing in either language", () => {
  const empty = (words: object, at = ""): string[] =>
    Object.entries(words).flatMap(([name, value]: [string, unknown]) =>
      typeof value === "object" && value !== null
        ? empty(value, `${at}.${name}`)
        : value === "" && name !== "PHASE_UNSPECIFIED"
          ? [`${at}.${name}`]
          : [],
    );
  expect(empty(dictionaries.zh)).toEqual([]);
  expect(empty(dictionaries.en)).toEqual([]);
  expect(empty(wizardWords.zh)).toEqual([]);
  expect(empty(wizardWords.en)).toEqual([]);
  expect(empty(bankWords.zh)).toEqual([]);
  expect(empty(bankWords.en)).toEqual([]);
});
