import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { runsItself, trainingOption, when } from "./bank";

const path = (questionBanks: string[]) => ({ name: "datasets/fab/paths/june", questionBanks }) as Schemas["DataPath"];

it("a path of a bank cannot be chosen for training, and says of which bank it is (P7)", () => {
  for (const language of ["zh", "en"] as const) {
    expect(trainingOption(path([]), language)).toEqual({
      value: "datasets/fab/paths/june",
      label: "fab/june",
      disabled: false,
    });
    const { label, disabled } = trainingOption(path(["questionBanks/panels-june"]), language);
    expect(disabled).toBe(true);
    expect(label).toMatch(/^fab\/june · .*panels-june/);
  }
});

it("a bank tests by itself after trainings, after releases, or both (P8)", () => {
  const bank = (runAfterTraining: boolean, runAfterRelease: boolean) => ({ runAfterTraining, runAfterRelease });
  expect(runsItself(bank(false, false))).toBe(false);
  expect(runsItself(bank(true, false))).toBe(true);
  expect(when(bank(true, true), "en")).toBe("after trainings, after releases");
  expect(when(bank(true, false), "zh")).toBe("训练完成后");
  expect(when(bank(false, true), "en")).toBe("after releases");
});
