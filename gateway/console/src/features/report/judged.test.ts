import { describe, expect, it } from "vitest";
import { en } from "../../i18n/en";
import { zh } from "../../i18n/zh";
import type { Task } from "../monitor";
import { judgedChoices, judgedField } from "./judged";

const VERSION = "models/panel/versions/v3.01";
const TRAINING = { name: "tasks/01jx4k", training: { modelName: "panel-next" } } as Task;

describe("what a prediction judges (P1)", () => {
  it("is named by one field, whichever it is", () => {
    expect(judgedField(VERSION)).toEqual({ modelVersion: VERSION });
    expect(judgedField(TRAINING.name)).toEqual({ trainingTask: TRAINING.name });
  });

  it.each([zh, en])("is offered in two groups, in both languages", ({ predictions: { judged } }) => {
    expect(judgedChoices([VERSION], [TRAINING], judged, "")).toEqual([
      { label: judged.versions, options: [{ value: VERSION, label: "panel@v3.01" }] },
      { label: judged.trainings, options: [{ value: "tasks/01jx4k", label: "panel-next · 01jx4k" }] },
    ]);
  });

  it("holds what is chosen already, and no empty group", () => {
    const older = "models/panel/versions/v2.07";
    const [group, ...others] = judgedChoices([VERSION], [], en.predictions.judged, older);
    expect(group?.options.map(({ value }) => value)).toEqual([older, VERSION]);
    expect(others).toEqual([]);
    expect(judgedChoices([VERSION], [], en.predictions.judged, VERSION)[0]?.options).toHaveLength(1);
  });
});
