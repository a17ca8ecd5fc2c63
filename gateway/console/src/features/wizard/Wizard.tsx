import { App, Button, Card, Steps } from "antd";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { ApiError, api, isTransient, type Schemas } from "../../api/client";
import { ids, lastPart, shortVersion } from "../../api/names";
import { useAlgorithmImages, useDataPaths } from "../../api/queries";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { wizardWords } from "../../i18n/wizard";
import { newId } from "../../ui/identity";
import { isSound, textOf } from "../../ui/json";
import { Page } from "../../ui/Page";
import { Answered, Failure, Nothing } from "../../ui/states";
import { useDebounced } from "../../ui/useDebounced";
import { Codes, CodesOfData } from "./Codes";
import { DraftKeeping } from "./DraftKeeping";
import { ImageStep } from "./ImageStep";
import { PathStep } from "./PathStep";
import { PreprocessingStep } from "./PreprocessingStep";
import { StepFindings } from "./StepFindings";
import { SummaryStep } from "./SummaryStep";
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
  isSameRun,
  sampleCounts,
  remainingFindings,
  type Finding,
  type Findings,
  type Spec,
} from "./wizard";

const LAST = STEPS - 1;
/** The page after the last step. */
const SUMMARY = STEPS;

/** Fields of the first step that tell themselves what the servers found in them. */
function shownFields(image: Schemas["AlgorithmImage"] | undefined): (keyof Spec)[] {
  return image?.kind === "IMAGE_KIND_BUSINESS"
    ? ["modelName", "algorithmImageVersion"]
    : ["modelName", "algorithmImageVersion", "productionEnvironment"];
}

interface WizardProps {
  start: Spec;
  firstStep: number;
  /** What the answers are before anybody gives one. */
  pristine: Spec;
  locked: string[];
  parent: string;
  draft: { id: string; etag: string };
  onTakeOther: () => void;
}

export function Wizard({ start, firstStep, pristine, locked, parent, draft, onTakeOther }: WizardProps): ReactNode {
  const { t, language } = useSpeech();
  const words = wizardWords[language];
  const { message } = App.useApp();
  const navigate = useNavigate();
  const [spec, setSpec] = useState<Spec>(start);
  const [step, setStep] = useState(firstStep);
  const [submitted, setSubmitted] = useState("");
  /** Sent without an answer: the same is sent again, which gives the same task (W12). */
  const [sent, setSent] = useState<{ training: Spec }>();
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
    setSent(undefined);
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
      if (await check([step])) go(step + 1);
    });
  const ofAll = useApiQuery(
    ["tasks:validate", answers],
    (signal) => api.post("/v1/tasks:validate", { body: { task: { training: answers } }, signal }),
    { enabled: step === SUMMARY && known, forget: true, placeholderData: (previous) => previous },
  );
  const all = ofAll.data?.findings ?? [];
  const seed = ofAll.data?.summary?.training?.seed;
  const ready = ofAll.data?.summary && !ofAll.loading && canContinue(all, spec, confirmed);
  /** Submits what is on screen, seed included; shows it anew where the servers see something else by now (W3a). */
  const submit = () =>
    guarded(async () => {
      const shown = ofAll.data;
      if (!shown || !seed) return;
      const task = sent ?? { training: { ...answers, seed } };
      if (!sent && !isSameRun(shown, await api.post("/v1/tasks:validate", { body: { task } }))) {
        message.warning(words.changed);
        ofAll.reload();
        return;
      }
      setSent(task);
      try {
        const created = await api.post("/v1/tasks", { body: { task }, idempotencyKey: requestId });
        message.success(t.wizard.submitted);
        setSubmitted(`/tasks/${lastPart(created.name)}`);
      } catch (failure) {
        if (!isTransient(ApiError.of(failure))) setSent(undefined);
        throw failure;
      }
    });
  useEffect(() => {
    if (submitted) void navigate(submitted);
  }, [submitted, navigate]);
  // What is on screen is held against the server's own rules as soon as it rests (W3, W8).
  const rested = useDebounced(step === 0 ? params.model : step === 2 ? params.training : "", 500);
  const latestAnswers = useRef(answers);
  useEffect(() => {
    latestAnswers.current = answers;
  });
  useEffect(() => {
    // The other steps, and the summary, have no parameters.
    if ((step !== 0 && step !== 2) || !isSound(rested)) return;
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
    step < SUMMARY
      ? [{ step, findings: shared.findings.filter((finding) => !isShownElsewhere(finding)) }]
      : t.wizard.steps.map((title, at) => ({ step: at, title, findings: all.filter((one) => one.step === at + 1) }));
  return (
    <Page title={parent ? t.wizard.retrainTitle(shortVersion(parent)) : t.wizard.title}>
      <Steps
        size="small"
        current={step}
        items={[...t.wizard.steps, words.title].map((title, at) => ({ title, disabled: busy || at > step }))}
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
      {step === SUMMARY && (
        <Answered query={ofAll}>
          {({ summary }) => summary && <SummaryStep summary={summary} />}
        </Answered>
      )}
      <div style={{ display: "grid", gap: 8, margin: "12px 0" }}>
        {step === SUMMARY && ofAll.data && (
          <h2 style={{ fontSize: 14, margin: 0 }}>{all.length ? words.findings : words.noFindings}</h2>
        )}
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
        {step < SUMMARY ? (
          <Button type="primary" loading={busy} disabled={malformed} onClick={next}>
            {t.common.next}
          </Button>
        ) : (
          <Button type="primary" loading={busy} disabled={malformed || !ready} onClick={submit}>
            {t.wizard.submit}
          </Button>
        )}
        <DraftKeeping
          {...draft}
          answered={JSON.stringify(spec) !== JSON.stringify(pristine)}
          // The seed that is on screen is the one that is sent, also from the draft (W3a).
          kept={{ training: step === SUMMARY && seed ? { ...spec, seed } : spec, step }}
          submitted={submitted !== ""}
          onTakeOther={onTakeOther}
        />
      </div>
    </Page>
  );
}

