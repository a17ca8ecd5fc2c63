import { describe, expect, it } from "vitest";
import type { Schemas } from "../../api/client";
import { isSound, textOf } from "../../ui/json";
import {
  answersOf,
  withDefaults,
  retrainingSpec,
  updatedSpec,
  codesIn,
  type Finding,
  identity,
  canContinue,
  isSameRun,
  type Checked,
  NO_FINDINGS,
  sampleCounts,
  editorText,
  remainingFindings,
  withCodesOfData,
  changedText,
} from "./wizard";

const VERSION = {
  classificationNetworks: ["ResNet18"],
  defaultModelParams: {
    classification: { name: "ResNet18", num_of_classes: 2 },
    code_list: ["TPFIP", "TTFBS", "TSFAS", "TSDFS"],
  } as never,
  defaultTrainingParams: { classification: { max_iter: 450 } } as never,
};
const STANDARD = textOf(VERSION.defaultModelParams);

describe("what is shown is what is sent (W3a)", () => {
  it("sends a default that nobody touched as it stands on screen", () => {
    const sent = withDefaults({ modelName: "panel" }, VERSION, false);
    expect(sent.modelParamsJson).toBe(editorText(undefined, STANDARD));
    expect(sent.trainingParamsJson).toBe(textOf(VERSION.defaultTrainingParams));
    expect(sent.modelName).toBe("panel");
  });

  it("sends what was written instead", () => {
    expect(withDefaults({ modelParamsJson: "{}", trainingParamsJson: "{ }" }, VERSION, false)).toEqual({
      modelParamsJson: "{}",
      trainingParamsJson: "{ }",
    });
  });

  it("shows an emptied text as empty, and does not let it be sent: the server would take something else", () => {
    expect(editorText("", STANDARD)).toBe("");
    expect(withDefaults({ modelParamsJson: "" }, VERSION, false).modelParamsJson).toBe("");
    expect([isSound(""), isSound(" \n"), isSound("{"), isSound("{}")]).toEqual([false, false, false, true]);
  });

  it("leaves model parameters and environment of a business image to the image (W2)", () => {
    expect(withDefaults({}, VERSION, true).modelParamsJson).toBe("");
    expect(withDefaults({ productionEnvironment: "p" }, VERSION, true).productionEnvironment).toBe("");
  });

  it("lets an untouched or restored default follow the image version that is chosen", () => {
    expect(changedText(STANDARD, STANDARD)).toBeUndefined();
    expect(changedText("", STANDARD)).toBe("");
  });

  it("begins a retraining with the parent's answers, and asks again what was acknowledged for it (W13, W4)", () => {
    const draft = {
      modelParamsJson: "",
      trainingParamsJson: "{}",
      warmStart: true,
      acknowledgeMissingTrainingPaths: true,
    };
    expect(retrainingSpec(draft)).toEqual({
      modelParamsJson: undefined,
      trainingParamsJson: "{}",
      warmStart: true,
      acknowledgeMissingTrainingPaths: false,
    });
  });
});

describe("the answers of a training that made no model", () => {
  const training: Schemas["TrainingSpec"] = {
    modelName: "panel",
    algorithmImageVersion: "algorithmImages/surface/versions/v3.0",
    productionEnvironment: "productionEnvironments/fab",
    dataPaths: ["datasets/d/paths/p"],
    computeResource: "computeResources/cpu",
    modelParamsJson: "",
    trainingParamsJson: '{"classification": {"base_lr": 1e30}}',
    preprocessing: { trainFraction: 0.7, filterResolution: true, augmentations: [] },
    trainSegmentation: false,
    seed: "42",
    parentVersion: "",
    warmStart: false,
    acknowledgeMissingTrainingPaths: true,
    snapshots: ["datasets/d/paths/p/snapshots/0"],
    modelParams: VERSION.defaultModelParams,
    trainingParams: VERSION.defaultTrainingParams,
    targetMajor: 1,
  };

  it("are taken but for its name, which it holds, its seed, and what was acknowledged (W1, W4)", () => {
    const answers = answersOf(training);
    expect(answers).toMatchObject({
      modelName: "",
      algorithmImageVersion: training.algorithmImageVersion,
      productionEnvironment: training.productionEnvironment,
      dataPaths: training.dataPaths,
      computeResource: training.computeResource,
      trainingParamsJson: training.trainingParamsJson,
      preprocessing: training.preprocessing,
      acknowledgeMissingTrainingPaths: false,
    });
    for (const name of ["seed", "snapshots", "modelParams", "trainingParams", "targetMajor"])
      expect(answers).not.toHaveProperty(name);
  });

  it("have the parameters that the servers took where none were written (W3)", () => {
    expect(answersOf(training).modelParamsJson).toBe(STANDARD);
    expect(answersOf({ ...training, modelParams: undefined }).modelParamsJson).toBeUndefined();
  });

  it("name the model that is retrained (W13)", () => {
    const parentVersion = "models/panel/versions/v3.01";
    expect(answersOf({ ...training, parentVersion })).toMatchObject({ modelName: "panel", parentVersion });
  });
});

describe("codes of the data (W3a)", () => {
  const taken = (text: string, ...codes: string[]) =>
    withCodesOfData(text, VERSION, new Map(codes.map((code) => [code, 3])));

  it("keeps special codes special at the end, and puts new codes after the known classes", () => {
    expect(codesIn(taken(STANDARD, "XNEW1", "TSFAS", "TTFBS", "TPFIP"))).toEqual({
      classes: ["TPFIP", "TTFBS", "XNEW1"],
      special: ["TSFAS"],
    });
    expect(JSON.parse(taken(STANDARD, "TSFAS", "TTFBS", "TPFIP"))).toEqual({
      classification: { name: "ResNet18", num_of_classes: 2 },
      code_list: ["TPFIP", "TTFBS", "TSFAS"],
    });
  });

  it("keeps the order and the sides of the codes that were written", () => {
    const own = textOf({
      classification: { name: "ResNet18", num_of_classes: 2 },
      code_list: ["TSFAS", "TTFBS", "TPFIP"],
    });
    expect(codesIn(taken(own, "TPFIP", "TTFBS", "TSFAS", "TSDFS", "A"))).toEqual({
      classes: ["TSFAS", "TTFBS", "A"],
      special: ["TPFIP", "TSDFS"],
    });
  });

  it("takes the image's default where the text is none", () => {
    for (const text of ["", "{", "[]"])
      expect(codesIn(taken(text, "TSDFS", "TPFIP", "TTFBS"))).toEqual({
        classes: ["TPFIP", "TTFBS"],
        special: ["TSDFS"],
      });
    const bare = { classificationNetworks: ["ResNet18"], defaultModelParams: {} as never };
    expect(JSON.parse(withCodesOfData("", bare, new Map([["B", 1], ["A", 1]])))).toEqual({
      classification: { name: "ResNet18", num_of_classes: 2 },
      code_list: ["A", "B"],
    });
  });

  it("counts the samples of the chosen paths alone", () => {
    const path = (name: string, ...counts: [string, string][]) =>
      ({
        name,
        codeCounts: counts.map(([code, sampleCount]) => ({ code, sampleCount })),
      }) as unknown as Schemas["DataPath"];
    const paths = [path("a", ["A", "2"], ["B", "0"]), path("b", ["A", "3"]), path("c", ["C", "1"])];
    expect([...sampleCounts(paths, ["a", "b"])]).toEqual([["A", 5]]);
  });

  it("tells no codes where the text has none", () => {
    for (const text of ["", "{", "7", "{}", '{"code_list": 7}']) expect(codesIn(text)).toBeUndefined();
  });
});

describe("warnings stay until each is confirmed (W4, W14)", () => {
  const finding = (part: Partial<Finding>): Finding => ({
    step: 2,
    field: "data_paths",
    reason: "SAMPLES_OF_UNLISTED_CODES",
    message: "2 samples are left out",
    messageZh: "2 个样本将被排除",
    warning: true,
    acknowledgeWith: "",
    ...part,
  });
  const warning = finding({});
  const none = new Set<string>();

  it("lets nobody past a fault or a warning that was not confirmed", () => {
    expect(canContinue([], {}, none)).toBe(true);
    expect(canContinue([warning], {}, none)).toBe(false);
    expect(canContinue([warning], {}, new Set([identity(warning)]))).toBe(true);
    expect(canContinue([warning, finding({ reason: "OTHER" })], {}, new Set([identity(warning)]))).toBe(false);
    const fault = finding({ warning: false });
    expect(canContinue([fault], {}, new Set([identity(fault)]))).toBe(false);
  });

  it("asks again where the warning says something else by now", () => {
    expect(canContinue([finding({ message: "3 samples are left out" })], {}, new Set([identity(warning)]))).toBe(false);
  });

  it("is confirmed by the answer that acknowledges it, before and after the servers know (W4)", () => {
    const asked = finding({
      reason: "UNACKNOWLEDGED_MISSING_TRAINING_PATHS",
      acknowledgeWith: "acknowledge_missing_training_paths",
    });
    const known = finding({ reason: "MISSING_TRAINING_PATHS" });
    for (const one of [asked, known]) {
      expect(canContinue([one], { acknowledgeMissingTrainingPaths: false }, new Set([identity(one)]))).toBe(false);
      expect(canContinue([one], { acknowledgeMissingTrainingPaths: true }, none)).toBe(true);
    }
  });

  it("is acknowledged of the paths that were chosen, and not of others (W4)", () => {
    const spec = { acknowledgeMissingTrainingPaths: true, dataPaths: ["a"] };
    expect(updatedSpec(spec, { modelName: "b" }).acknowledgeMissingTrainingPaths).toBe(true);
    expect(updatedSpec(spec, { dataPaths: [] }).acknowledgeMissingTrainingPaths).toBe(false);
    expect(updatedSpec(spec, { algorithmImageVersion: "c" }).acknowledgeMissingTrainingPaths).toBe(false);
    expect(updatedSpec(spec, { acknowledgeMissingTrainingPaths: true }).acknowledgeMissingTrainingPaths).toBe(true);
  });

  it("forgets what was found in answers that are others now, and nothing else", () => {
    const codes = finding({ field: "model_params.code_list[3]", warning: false });
    const rate = finding({ field: "training_params.classification.lr_policy" });
    const name = finding({ field: "model_name" });
    const found = [[name, codes], [warning, codes], [rate], []];
    expect(remainingFindings(found, { modelName: "a" })).toEqual([[codes], [warning, codes], [rate], []]);
    expect(remainingFindings(found, { modelParamsJson: "{}" })).toEqual([[name], [], [rate], []]);
    expect(remainingFindings(found, { dataPaths: [] })).toEqual([[name, codes], [], [rate], []]);
    expect(remainingFindings(found, { trainingParamsJson: "{}" })).toEqual([[name, codes], [warning, codes], [], []]);
    expect(remainingFindings(found, { algorithmImageVersion: "b" })).toEqual(NO_FINDINGS);
  });
});

describe("what is submitted is what was shown (W3a, W14)", () => {
  const checked = (part: object, findings: Finding[] = []): Checked => ({
    findings,
    summary: {
      training: { seed: "7" }, codes: [], dataPaths: [], unlistedSampleCount: "0", warmStartWeightsSha256: "",
      workers: [], waitingCount: "0", networks: [{ network: "NETWORK_CLASSIFICATION", imagesPerS: 0, trainCount: "9" }],
      ...part,
    } as unknown as NonNullable<Checked["summary"]>,
  });

  it("is the same run whoever works and waits by now", () => {
    const network = { network: "NETWORK_CLASSIFICATION", imagesPerS: 80, trainCount: "9" };
    const later = checked({ waitingCount: "3", estimatedDuration: "9s", networks: [network] });
    expect(isSameRun(checked({}), later)).toBe(true);
  });

  it("is another run where samples, seed or a warning are others, or where it would be refused", () => {
    const network = { network: "NETWORK_CLASSIFICATION", imagesPerS: 0, trainCount: "10" };
    const finding = { field: "a", reason: "B", message: "c", messageZh: "d", warning: true } as Finding;
    for (const now of [
      checked({ networks: [network] }),
      checked({ training: { seed: "8" } }),
      checked({ unlistedSampleCount: "1" }),
      checked({}, [finding]),
      { findings: [] },
    ])
      expect(isSameRun(checked({}), now)).toBe(false);
  });
});
