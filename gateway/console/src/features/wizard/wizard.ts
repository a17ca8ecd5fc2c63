/** The wizard's rules on this side: what is shown is what is sent (W3a), and no warning is passed by (W4, W14). */
import type { DeepPartial, Schemas } from "../../api/client";
import { textOf } from "../../ui/json";

export type Spec = DeepPartial<Schemas["TrainingSpec"]>;
export type Finding = Schemas["ValidateTaskResponse_Finding"];

/** What the servers say of all steps together. */
export type Checked = Schemas["ValidateTaskResponse"];

export const STEPS = 4;
/** What the servers found, by step. */
export type Findings = readonly (readonly Finding[])[];
export const NO_FINDINGS: Findings = Array.from({ length: STEPS }, () => []);

/** What an editor holds: what was written, which may be nothing at all, or the default where nobody wrote. */
export function editorText(written: string | undefined, standard: string): string {
  return written ?? standard;
}

/** What is kept of a text: nothing where it is the default, which then follows the image version that is chosen. */
export function changedText(text: string, standard: string): string | undefined {
  return text === standard ? undefined : text;
}

/** The answers with every default that is on screen written out. A business image brings its own (W2). */
export function withDefaults(
  spec: Spec,
  version: Partial<Schemas["AlgorithmImageVersion"]> | undefined,
  business: boolean,
): Spec {
  if (!version) return spec;
  return {
    ...spec,
    ...(business ? { productionEnvironment: "" } : {}),
    modelParamsJson: business ? "" : editorText(spec.modelParamsJson, textOf(version.defaultModelParams)),
    trainingParamsJson: editorText(spec.trainingParamsJson, textOf(version.defaultTrainingParams)),
  };
}

/** The answers that a retraining begins with (W13). What was acknowledged for the parent is asked again (W4). */
export function retrainingSpec(draft: Spec): Spec {
  return {
    ...draft,
    modelParamsJson: draft.modelParamsJson || undefined,
    trainingParamsJson: draft.trainingParamsJson || undefined,
    acknowledgeMissingTrainingPaths: false,
  };
}

/**
 * The answers of a training that made no model. It holds its name (W1), and a seed is drawn anew; parameters that were
 * left to the servers are those that they took.
 */
export function answersOf(training: Schemas["TrainingSpec"]): Spec {
  const text = (written: string, taken: unknown) => written || (taken === undefined ? "" : textOf(taken));
  return retrainingSpec({
    modelName: training.parentVersion && training.modelName,
    algorithmImageVersion: training.algorithmImageVersion,
    productionEnvironment: training.productionEnvironment,
    dataPaths: training.dataPaths,
    computeResource: training.computeResource,
    modelParamsJson: text(training.modelParamsJson, training.modelParams),
    trainingParamsJson: text(training.trainingParamsJson, training.trainingParams),
    preprocessing: training.preprocessing,
    trainSegmentation: training.trainSegmentation,
    parentVersion: training.parentVersion,
    warmStart: training.warmStart,
  });
}

/** The first `num_of_classes` codes are the classifier's, the rest special defects (W3). */
export interface Codes {
  classes: string[];
  special: string[];
}

/** The codes in model parameters; undefined where there is no list of them. */
export function codesIn(text: string): Codes | undefined {
  const params = objectIn(text);
  const listed: unknown = params?.["code_list"];
  if (!Array.isArray(listed)) return undefined;
  const codes = listed.filter((code) => typeof code === "string");
  const count = asObject(params?.["classification"])?.["num_of_classes"];
  const classes = typeof count === "number" ? count : codes.length;
  return { classes: codes.slice(0, classes), special: codes.slice(classes) };
}

/**
 * Model parameters with the codes of the data: those that the text has keep their order; those that are special in it
 * or in the default stay special, at the end; the other codes are classes after those of the text.
 */
export function withCodesOfData(
  text: string,
  {
    defaultModelParams,
    classificationNetworks,
  }: Pick<Schemas["AlgorithmImageVersion"], "defaultModelParams" | "classificationNetworks">,
  counts: SampleCounts,
): string {
  const standard = textOf(defaultModelParams);
  const params = objectIn(text) ?? objectIn(standard) ?? {};
  const present = codesIn(text) ?? { classes: [], special: [] };
  const known = codesIn(standard) ?? { classes: [], special: [] };
  const ofData = (codes: string[]) => [...new Set(codes)].filter((code) => counts.has(code));
  const special = ofData([...present.special, ...known.special.filter((code) => !present.classes.includes(code))]);
  const classes = ofData([...present.classes, ...known.classes, ...[...counts.keys()].sort()]).filter(
    (code) => !special.includes(code),
  );
  return textOf({
    ...params,
    classification: {
      name: classificationNetworks[0],
      ...asObject(params["classification"]),
      num_of_classes: classes.length,
    },
    code_list: [...classes, ...special],
  });
}

/** How many samples each code has; codes without one are not in it. */
export type SampleCounts = ReadonlyMap<string, number>;

/** Those of the chosen data paths. */
export function sampleCounts(paths: readonly Schemas["DataPath"][], chosen: readonly string[]): SampleCounts {
  const counts = new Map<string, number>();
  for (const path of paths) {
    if (!chosen.includes(path.name)) continue;
    for (const { code, sampleCount } of path.codeCounts) {
      const samples = (counts.get(code) ?? 0) + Number(sampleCount);
      if (samples) counts.set(code, samples);
    }
  }
  return counts;
}

/** Another number in it makes another warning of it, which is to be confirmed anew. */
export function identity({ field, reason, message }: Finding): string {
  return [field, reason, message].join("\n");
}

/** The answer of the wizard that confirms a warning, whether or not it is given yet (W4); most warnings have none. */
export function acknowledgement({ acknowledgeWith, reason }: Finding): keyof Spec | undefined {
  if (reason === "MISSING_TRAINING_PATHS") return "acknowledgeMissingTrainingPaths";
  if (!acknowledgeWith) return undefined;
  return acknowledgeWith.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as keyof Spec;
}

/** Whether the user has confirmed a warning. */
export function isConfirmed(finding: Finding, spec: Spec, confirmed: ReadonlySet<string>): boolean {
  const answer = acknowledgement(finding);
  return answer ? spec[answer] === true : confirmed.has(identity(finding));
}

/** Whether one may go on: no fault, and every warning was confirmed, which can only be done where it is on screen. */
export function canContinue(findings: readonly Finding[], spec: Spec, confirmed: ReadonlySet<string>): boolean {
  return findings.every((finding) => finding.warning && isConfirmed(finding, spec, confirmed));
}

/**
 * Whether the servers would run what they said before, and warn of the same. How fast the machines are and which of
 * them are there may change meanwhile.
 */
export function isSameRun(shown: Checked, now: Checked): boolean {
  const run = ({ findings, summary }: Checked) =>
    JSON.stringify([
      findings.map(identity),
      summary && [
        summary.training,
        summary.input,
        summary.codes,
        summary.unlistedSampleCount,
        summary.dataPaths,
        summary.networks.map(({ network, name, maxIter, batchSize, trainCount }) => [
          network, name, maxIter, batchSize, trainCount,
        ]),
        summary.warmStartWeightsSha256,
        summary.takes,
      ],
    ]);
  return now.summary !== undefined && run(shown) === run(now);
}

/** The answers with a part of them changed. What training paths are missing is acknowledged of what was chosen (W4). */
export function updatedSpec(spec: Spec, part: Spec): Spec {
  const others = "dataPaths" in part || "algorithmImageVersion" in part;
  return { ...spec, ...(others ? { acknowledgeMissingTrainingPaths: false } : {}), ...part };
}

/** What still holds of the findings once a part of the answers is another. */
export function remainingFindings(findings: Findings, part: Spec): Findings {
  if ("algorithmImageVersion" in part) return NO_FINDINGS;
  const names = Object.keys(part);
  return findings.map((of, step) =>
    // Codes are held against samples there (W5).
    step === 1 && ("dataPaths" in part || "modelParamsJson" in part)
      ? []
      : of.filter((finding) => !names.some((name) => isAbout(finding, name))),
  );
}

export function isAbout(finding: Finding, name: string): boolean {
  const plain = finding.field.replaceAll("_", "").toLowerCase();
  return plain.includes(name.replace("Json", "").toLowerCase());
}

export function isParameterFinding(finding: Finding): boolean {
  return /^(model|training)_?params/i.test(finding.field);
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
