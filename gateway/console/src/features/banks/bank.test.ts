import { expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { trainingOption } from "./bank";

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
