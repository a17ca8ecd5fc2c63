import { App, Button, Card, Steps } from "antd";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { ApiError, api, type Schemas } from "../../api/client";
import { ids, lastPart, shortVersion } from "../../api/names";
import { useAlgorithmImages, useDataPaths } from "../../api/queries";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { newId } from "../../ui/identity";
import { isSound } from "../../ui/json";
import { Page } from "../../ui/Page";
import { Answered, Failure, Nothing } from "../../ui/states";
import { useDebounced } from "../../ui/useDebounced";
import { Codes, CodesOfData } from "./Codes";
import { ImageStep } from "./ImageStep";
import { PathStep } from "./PathStep";
import { PreprocessingStep } from "./PreprocessingStep";
import { StepFindings } from "./StepFindings";
import { TrainingStep } from "./TrainingStep";
import {
  NO_FINDINGS,
  STEPS,
  acknowledgement,
  withDefaults,
  updatedSpec,
  isAbout,
  identity,
  canContinue,
  isParameterFinding,
  sampleCounts,
  remainingFindings,
  textOf,
  type Finding,
  type Findings,
  type Spec,
} from "./wizard";

const LAST = STEPS - 1;

/** Fields of the first step that tell themselves what the servers found in them. */
function shownFields(image: Schemas["AlgorithmImage"] | undefined): (keyof Spec)[] {
  return image?.kind === "IMAGE_KIND_BUSINESS"
    ? ["modelName", "algorithmImageVersion"]
    : ["modelName", "algorithmImageVersion", "productionEnvironment"];
}

export function Wizard({ start, locked, parent }: { start: Spec; locked: string[]; parent: string }): ReactNode {
  const { t } = useSpeech();
  const { message } = App.useApp();
  const navigate = useNavigate();
  const [spec, setSpec] = useState<Spec>(start);
  const [step, setStep] = useState(0);
  const [findings, setFindings] = useState<Findings>(NO_FINDINGS);
  const [confirmed, setConfirmed] = useState<ReadonlySet<string>>(new Set());
  const [error, setError] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const [requestId] = useState(() => newId());
  const images = useAlgorithmImages();
  const [imageId = "", number = ""] = ids(spec.algorithmImageVersion ?? "");
  const version = useApiQuery(
    ["algorithmImages", imageId, "versions", number],
    (signal) =>
      api.get("/v1/algorithmImages/{algorithmImage}/versions/{version}", {
        path: { algorithmImage: imageId, version: number },
        signal,
      }),
    { enabled: imageId !== "" },
  );
  const paths = useDataPaths();
  const image = images.data?.find((one) => (spec.algorithmImageVersion ?? "").startsWith(`${one.name}/`));
  const business = image?.kind === "IMAGE_KIND_BUSINESS";
  const known = image !== undefined && version.data !== undefined;
  const answers = withDefaults(spec, version.data, business);
  const params = {
    model: !known ? "" : business ? textOf(version.data?.defaultModelParams) : (answers.modelParamsJson ?? ""),
    training: !known ? "" : (answers.trainingParamsJson ?? ""),
  };
  const change = (part: Spec) => {
    setSpec((before) => updatedSpec(before, part));
    setFindings((before) => remainingFindings(before, part));
  };
  const go = (to: number) => {
    setError(undefined);
    setStep(to);
    paths.reload();
  };
  const confirm = (finding: Finding, holds: boolean) => {
    const answer = acknowledgement(finding);
    if (answer) {
      setSpec((before) => ({ ...before, [answer]: holds }));
      return;
    }
    setConfirmed((before) => {
      const after = new Set(before);
      if (holds) after.add(identity(finding));
      else after.delete(identity(finding));
      return after;
    });
  };

  /** What the servers find in some steps, kept at each; whether one may go on from them. */
  const check = async (steps: readonly number[]): Promise<boolean> => {
    const found = await Promise.all(
      steps.map((of) => api.post("/v1/tasks:validate", { body: { task: { training: answers }, step: of + 1 } })),
    );
    setFindings((before) => before.map((of, at) => found[steps.indexOf(at)]?.findings ?? of));
    return canContinue(found.flatMap((answer) => answer.findings), spec, confirmed);
  };
  const guarded = async (work: () => Promise<void>) => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const next = () =>
    guarded(async () => {
      if (step < LAST) {
        if (await check([step])) go(step + 1);
      } else if (await check([...NO_FINDINGS.keys()])) await submit();
    });
  const submit = async () => {
    const task = await api.post("/v1/tasks", { body: { task: { training: answers } }, idempotencyKey: requestId });
    message.success(t.wizard.submitted);
    await navigate(`/tasks/${lastPart(task.name)}`);
  };
  // What is on screen is held against the server's own rules as soon as it rests (W3, W8).
  const rested = useDebounced(step === 0 ? params.model : step === 2 ? params.training : "", 500);
  const latestAnswers = useRef(answers);
  useEffect(() => {
    latestAnswers.current = answers;
  });
  useEffect(() => {
    if (!isSound(rested)) return;
    const abort = new AbortController();
    api
      .post("/v1/tasks:validate", {
        body: { task: { training: latestAnswers.current }, step: step + 1 },
        signal: abort.signal,
      })
      .then((answer) => {
        setFindings((before) =>
          before.map((of, at) =>
            at === step
              ? [...of.filter((finding) => !isParameterFinding(finding)), ...answer.findings.filter(isParameterFinding)]
              : of,
          ),
        );
      })
      // The check of the whole step shows such a failure.
      .catch(() => undefined);
    return () => {
      abort.abort();
    };
  }, [rested, step]);
  const malformed = Boolean(spec.algorithmImageVersion) && !(isSound(params.model) && isSound(params.training));
  const shared = { spec, change, findings: findings[step] ?? [], version, params };
  const counts = sampleCounts(paths.data ?? [], spec.dataPaths ?? []);
  const fields = shownFields(image);
  const isShownElsewhere = (finding: Finding) =>
    !finding.warning &&
    ((step === 0 && (isParameterFinding(finding) || fields.some((name) => isAbout(finding, name)))) ||
      (step === 2 && isParameterFinding(finding)));
  const listed =
    step < LAST
      ? [{ step, findings: shared.findings.filter((finding) => !isShownElsewhere(finding)) }]
      : findings.map((of, at) => ({ step: at, title: t.wizard.steps[at] ?? "", findings: of }));
  return (
    <Page title={parent ? t.wizard.retrainTitle(shortVersion(parent)) : t.wizard.title}>
      <Steps
        size="small"
        current={step}
        items={t.wizard.steps.map((title, at) => ({ title, disabled: busy || at > step }))}
        onChange={go}
        style={{ marginBottom: 16 }}
      />
      {step === 0 && (
        <Answered query={images}>
          {(algorithmImages) =>
            algorithmImages.length === 0 ? (
              <Nothing text={t.images.empty} />
            ) : (
              <ImageStep
                {...shared}
                images={algorithmImages}
                image={image}
                fixedName={parent !== ""}
                paths={paths.data ?? []}
              />
            )
          }
        </Answered>
      )}
      {step === 1 && <PathStep {...shared} locked={locked} paths={paths} />}
      {step === 2 && (
        <TrainingStep {...shared} segmentation={image?.taskType === "TASK_TYPE_SEGMENTATION_CLASSIFICATION"} />
      )}
      {step === LAST && (
        <PreprocessingStep
          {...shared}
          segmentation={image?.taskType === "TASK_TYPE_SEGMENTATION_CLASSIFICATION"}
          retraining={parent !== ""}
        />
      )}
      {(step === 1 || step === LAST) && version.data && (
        <Card
          size="small"
          title={t.wizard.codes}
          style={{ marginTop: 12 }}
          extra={
            step === 1 &&
            !business && (
              <CodesOfData
                text={params.model}
                version={version.data}
                paths={paths.data ?? []}
                chosen={spec.dataPaths ?? []}
                change={change}
              />
            )
          }
        >
          <Codes text={params.model} counts={counts} />
        </Card>
      )}
      <div style={{ display: "grid", gap: 8, margin: "12px 0" }}>
        <StepFindings found={listed} spec={spec} confirmed={confirmed} onConfirm={confirm} onGo={go} />
        {error && <Failure error={error} />}
      </div>
      <div className="row">
        <Button
          disabled={step === 0 || busy}
          onClick={() => {
            go(step - 1);
          }}
        >
          {t.common.previous}
        </Button>
        <Button type="primary" loading={busy} disabled={malformed} onClick={next}>
          {step < LAST ? t.common.next : t.wizard.submit}
        </Button>
      </div>
    </Page>
  );
}

