import { LockOutlined } from "@ant-design/icons";
import { App, Button, Card, Checkbox, Descriptions, Form, Input, InputNumber, Radio, Select, Steps, Switch, Table, Tag } from "antd";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { ApiError, api, type DeepPartial, type Schemas } from "../../api/client";
import { useQuery, type Query } from "../../api/useQuery";
import { useSpeech } from "../../i18n";
import { Codes, CodesOfData } from "./Codes";
import { JsonEditor } from "../../ui/JsonEditor";
import { Page } from "../../ui/Page";
import { AugmentationPreview } from "./AugmentationPreview";
import { ScheduleChart } from "./ScheduleChart";
import { everyPath, sampleAddress } from "../../api/dataPaths";
import { bytes, ids, lastPart, shortPath, shortVersion, whole } from "../../ui/format";
import { newId } from "../../ui/identity";
import { LR_POLICIES, knownKeys, scheduleOf } from "../../ui/json";
import { StepFindings } from "./StepFindings";
import { Answered, Failure, Loading, Nothing } from "../../ui/states";
import { useDebounced } from "../../ui/useDebounced";
import {
  NO_FINDINGS,
  STEPS,
  acknowledgement,
  asShown,
  begun,
  changed,
  concerns,
  identity,
  isSound,
  mayGoOn,
  ofParameters,
  sampleCounts,
  stillFound,
  textOf,
  written,
  type Finding,
  type Findings,
  type Spec,
} from "./wizard";

const LAST = STEPS - 1;
const AUGMENTATIONS = ["AUGMENTATION_COLOUR", "AUGMENTATION_SCALE", "AUGMENTATION_FLIP", "AUGMENTATION_RANDOM"] as const;
const FIRST: Spec = {
  modelName: "",
  algorithmImageVersion: "",
  dataPaths: [],
  preprocessing: { trainFraction: 0.8, filterResolution: true, augmentations: ["AUGMENTATION_COLOUR", "AUGMENTATION_FLIP"] },
};

/** 新建模型: four steps, each checked by the servers before the next; or a version's answers to change (W). */
export default function NewModel(): ReactNode {
  const { t } = useSpeech();
  const [search] = useSearchParams();
  const parent = search.get("parent") ?? "";
  const draft = useQuery(`draft ${parent}`, async (signal) => {
    if (!parent) return undefined;
    const [model = "", version = ""] = ids(parent);
    return api.get("/v1/models/{model}/versions/{version}:draftRetraining", { path: { model, version }, signal });
  });
  if (draft.error) {
    return (
      <Page title={t.wizard.retrainTitle(shortVersion(parent))}>
        <Failure error={draft.error} retry={draft.reload} />
      </Page>
    );
  }
  if (draft.loading) return <Loading />;
  return (
    <Wizard
      key={parent}
      start={draft.data?.task?.training ? begun(draft.data.task.training) : FIRST}
      locked={draft.data?.lockedDataPaths ?? []}
      parent={parent}
    />
  );
}

function Wizard({ start, locked, parent }: { start: Spec; locked: string[]; parent: string }): ReactNode {
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
  const images = useQuery("images", (signal) => api.get("/v1/algorithmImages", { query: { pageSize: 200 }, signal }));
  const [imageId = "", number = ""] = ids(spec.algorithmImageVersion ?? "");
  const version = useQuery(`image version ${spec.algorithmImageVersion ?? ""}`, async (signal) =>
    imageId
      ? api.get("/v1/algorithmImages/{algorithmImage}/versions/{version}", {
          path: { algorithmImage: imageId, version: number },
          signal,
        })
      : undefined,
  );
  const paths = useQuery("all paths", (signal) => everyPath("-", signal));
  const image = images.data?.algorithmImages.find((one) => (spec.algorithmImageVersion ?? "").startsWith(`${one.name}/`));
  const business = image?.kind === "IMAGE_KIND_BUSINESS";
  const known = image !== undefined && version.data !== undefined;
  const answers = asShown(spec, version.data, business);
  const params = {
    model: !known ? "" : business ? textOf(version.data?.defaultModelParams) : (answers.modelParamsJson ?? ""),
    training: !known ? "" : (answers.trainingParamsJson ?? ""),
  };
  const change = (part: Spec) => {
    setSpec((before) => changed(before, part));
    setFindings((before) => stillFound(before, part));
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
    return mayGoOn(found.flatMap((answer) => answer.findings), spec, confirmed);
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
  const asked = useRef(answers);
  useEffect(() => {
    asked.current = answers;
  });
  useEffect(() => {
    if (!isSound(rested)) return;
    const abort = new AbortController();
    api
      .post("/v1/tasks:validate", { body: { task: { training: asked.current }, step: step + 1 }, signal: abort.signal })
      .then((answer) => {
        setFindings((before) =>
          before.map((of, at) =>
            at === step ? [...of.filter((finding) => !ofParameters(finding)), ...answer.findings.filter(ofParameters)] : of,
          ),
        );
      })
      // The step's own check tells what keeps it from being asked.
      .catch(() => undefined);
    return () => {
      abort.abort();
    };
  }, [rested, step]);
  const malformed = Boolean(spec.algorithmImageVersion) && !(isSound(params.model) && isSound(params.training));
  const shared = { spec, change, findings: findings[step] ?? [], version, params };
  const counts = sampleCounts(paths.data ?? [], spec.dataPaths ?? []);
  const fields = shownFields(image);
  const toldElsewhere = (finding: Finding) =>
    !finding.warning &&
    ((step === 0 && (ofParameters(finding) || fields.some((name) => concerns(finding, name)))) || (step === 2 && ofParameters(finding)));
  const told =
    step < LAST
      ? [{ step, findings: shared.findings.filter((finding) => !toldElsewhere(finding)) }]
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
          {({ algorithmImages }) =>
            algorithmImages.length === 0 ? (
              <Nothing text={t.images.empty} />
            ) : (
              <ImageStep {...shared} images={algorithmImages} image={image} fixedName={parent !== ""} paths={paths.data ?? []} />
            )
          }
        </Answered>
      )}
      {step === 1 && <PathStep {...shared} locked={locked} paths={paths} />}
      {step === 2 && <TrainingStep {...shared} segmentation={image?.taskType === "TASK_TYPE_SEGMENTATION_CLASSIFICATION"} />}
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
              <CodesOfData text={params.model} version={version.data} paths={paths.data ?? []} chosen={spec.dataPaths ?? []} change={change} />
            )
          }
        >
          <Codes text={params.model} counts={counts} />
        </Card>
      )}
      <div style={{ display: "grid", gap: 8, margin: "12px 0" }}>
        <StepFindings found={told} spec={spec} confirmed={confirmed} onConfirm={confirm} onGo={go} />
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

/** Fields of the first step that tell themselves what the servers found in them. */
function shownFields(image: Schemas["AlgorithmImage"] | undefined): (keyof Spec)[] {
  return image?.kind === "IMAGE_KIND_BUSINESS"
    ? ["modelName", "algorithmImageVersion"]
    : ["modelName", "algorithmImageVersion", "productionEnvironment"];
}

interface StepProps {
  spec: Spec;
  change: (part: Spec) => void;
  findings: readonly Finding[];
  version: Query<Schemas["AlgorithmImageVersion"] | undefined>;
  /** As they are on screen. */
  params: { model: string; training: string };
}

function ImageStep({
  spec,
  change,
  findings,
  version,
  params,
  images,
  image,
  fixedName,
  paths,
}: StepProps & {
  paths: readonly Schemas["DataPath"][];
  images: Schemas["AlgorithmImage"][];
  image: Schemas["AlgorithmImage"] | undefined;
  fixedName: boolean;
}): ReactNode {
  const { t, pick } = useSpeech();
  const [kind, setKind] = useState<Schemas["ImageKind"]>(image?.kind ?? "IMAGE_KIND_GENERAL");
  const [environment, setEnvironment] = useState("");
  const environments = useQuery("environments", (signal) =>
    api.get("/v1/productionEnvironments", { query: { pageSize: 200 }, signal }),
  );
  const places = environments.data?.productionEnvironments ?? [];
  const offered = images.filter(
    (one) => one.kind === kind && (kind === "IMAGE_KIND_GENERAL" || !environment || one.productionEnvironment === environment),
  );
  const [chosen = "", number = ""] = ids(spec.algorithmImageVersion ?? "");
  const standard = textOf(version.data?.defaultModelParams);
  const versions = useQuery(`image versions ${chosen}`, async (signal) =>
    chosen
      ? api.get("/v1/algorithmImages/{algorithmImage}/versions", { path: { algorithmImage: chosen }, signal })
      : undefined,
  );
  const known = useMemo(
    () =>
      knownKeys(version.data?.defaultModelParams, t.parameters, { name: version.data?.classificationNetworks ?? [] }),
    [version.data, t],
  );
  const options = places.map((place) => ({
    value: place.name,
    label: `${place.site} · ${place.product} · ${place.processStep} · ${place.equipment}`,
  }));
  const told = (name: keyof Spec) => {
    const found = findings.filter((finding) => !finding.warning && concerns(finding, name));
    if (!found.length) return {};
    return {
      validateStatus: "error" as const,
      help: found.map(({ reason, message, messageZh }) => <div key={reason + message}>{pick(message, messageZh)}</div>),
    };
  };
  return (
    <div className="grid">
      <Card size="small" className="span-6">
        <Form layout="vertical" requiredMark={false}>
          <Form.Item label={t.wizard.modelName} extra={t.wizard.modelNameHint} {...told("modelName")}>
            <Input
              aria-label={t.wizard.modelName}
              value={spec.modelName}
              maxLength={60}
              showCount
              disabled={fixedName}
              onChange={(event) => {
                change({ modelName: event.target.value });
              }}
            />
          </Form.Item>
          <Form.Item>
            <Radio.Group
              value={kind}
              disabled={fixedName}
              onChange={(event) => {
                setKind(event.target.value as Schemas["ImageKind"]);
                change({ algorithmImageVersion: "", productionEnvironment: "", modelParamsJson: undefined });
              }}
              options={(["IMAGE_KIND_GENERAL", "IMAGE_KIND_BUSINESS"] as const).map((value) => ({
                value,
                label: t.imageKinds[value],
              }))}
              optionType="button"
            />
          </Form.Item>
          {kind === "IMAGE_KIND_BUSINESS" && (
            <Form.Item label={t.wizard.environmentFilter}>
              <Select
                allowClear
                aria-label={t.wizard.environmentFilter}
                value={environment || null}
                onChange={(value?: string) => {
                  setEnvironment(value ?? "");
                }}
                options={options}
              />
            </Form.Item>
          )}
          <Form.Item label={t.wizard.image} {...told("algorithmImageVersion")}>
            <Select
              aria-label={t.wizard.image}
              value={chosen || null}
              onChange={(value: string) => {
                const found = images.find((one) => lastPart(one.name) === value);
                change({ algorithmImageVersion: found?.latestVersion ?? "", modelParamsJson: undefined });
              }}
              options={offered.map((one) => ({
                value: lastPart(one.name),
                label: `${one.displayName || lastPart(one.name)} · ${t.taskTypes[one.taskType]}`,
              }))}
            />
          </Form.Item>
          <Form.Item label={t.models.version}>
            <Select
              aria-label={t.models.version}
              value={spec.algorithmImageVersion || null}
              onChange={(value: string) => {
                change({ algorithmImageVersion: value });
              }}
              options={(versions.data?.versions ?? []).map((one) => ({ value: one.name, label: lastPart(one.name) }))}
            />
          </Form.Item>
          {kind === "IMAGE_KIND_GENERAL" && (
            <Form.Item label={t.common.environment} {...told("productionEnvironment")}>
              <Select
                aria-label={t.common.environment}
                value={spec.productionEnvironment || null}
                onChange={(value: string) => {
                  change({ productionEnvironment: value });
                }}
                options={options}
              />
            </Form.Item>
          )}
        </Form>
      </Card>
      <div className="span-6" style={{ display: "grid", gap: 12 }}>
        {version.data && (
          <Card size="small" title={t.wizard.imageInfo}>
            <Descriptions
              size="small"
              column={1}
              items={[
                { key: "name", label: t.common.name, children: `${image?.displayName ?? chosen} ${number}` },
                { key: "text", label: t.common.description, children: image?.description },
                { key: "networks", label: t.images.networks, children: version.data.classificationNetworks.join(", ") },
                {
                  key: "input",
                  label: t.wizard.input,
                  children: `${version.data.input?.width ?? 0} × ${version.data.input?.height ?? 0} × ${version.data.input?.channels ?? 0}`,
                },
              ]}
            />
          </Card>
        )}
        <Card size="small">
          {version.data ? (
            <JsonEditor
              label={t.wizard.modelParams}
              value={params.model}
              defaults={standard}
              hint={kind === "IMAGE_KIND_BUSINESS" ? t.wizard.fixedParams : t.wizard.modelParamsHint}
              disabled={kind === "IMAGE_KIND_BUSINESS"}
              known={known}
              findings={findings.filter(ofParameters)}
              onChange={(text) => {
                change({ modelParamsJson: written(text, standard) });
              }}
              actions={<CodesOfData text={params.model} version={version.data} paths={paths} chosen={spec.dataPaths ?? []} change={change} />}
            />
          ) : version.error ? (
            <Failure error={version.error} retry={version.reload} />
          ) : chosen ? (
            <Loading />
          ) : (
            <Nothing text={t.wizard.chooseImage} />
          )}
        </Card>
      </div>
    </div>
  );
}

function PathStep({
  spec,
  change,
  version,
  locked,
  paths: known,
}: StepProps & { locked: string[]; paths: Query<Schemas["DataPath"][]> }): ReactNode {
  const { t } = useSpeech();
  const all = known.data ?? [];
  const chosen = spec.dataPaths ?? [];
  const add = (names: string[]) => {
    change({ dataPaths: [...new Set([...chosen, ...names])] });
  };
  const trainingPaths = version.data?.trainingPaths ?? [];
  const datasets = [...new Set(all.map((path) => ids(path.name)[0] ?? ""))];
  return (
    <Card size="small">
      <div className="filters">
        <Select
          style={{ width: 260 }}
          placeholder={t.wizard.addDataset}
          aria-label={t.wizard.addDataset}
          value={null}
          onChange={(dataset: string | null) => {
            add(all.filter((path) => ids(path.name)[0] === dataset).map((path) => path.name));
          }}
          options={datasets.map((value) => ({ value, label: value }))}
        />
        <Select
          showSearch
          style={{ width: 300 }}
          placeholder={t.wizard.addPath}
          aria-label={t.wizard.addPath}
          value={null}
          onChange={(name: string | null) => {
            if (name) add([name]);
          }}
          options={all
            .filter((path) => !chosen.includes(path.name))
            .map((path) => ({ value: path.name, label: shortPath(path.name) }))}
        />
        {trainingPaths.some((name) => !chosen.includes(name)) && (
          <Button
            onClick={() => {
              add(trainingPaths);
            }}
          >
            {t.wizard.importTraining}
          </Button>
        )}
      </div>
      {known.error && <Failure error={known.error} retry={known.reload} />}
      <Table<string>
        loading={known.loading && known.data === undefined}
        size="small"
        rowKey={(name) => name}
        pagination={false}
        dataSource={chosen}
        scroll={{ x: "max-content" }}
        locale={{ emptyText: <Nothing text={t.wizard.noPaths} /> }}
        columns={[
          { title: t.wizard.path, render: (_, name) => shortPath(name) },
          { title: t.wizard.thumbnails, width: 190, render: (_, name) => <Thumbnails dataPath={name} /> },
          {
            title: t.common.state,
            render: (_, name) => {
              if (!known.data) return null;
              const path = all.find((one) => one.name === name);
              const valid = path?.status === "DATA_PATH_STATUS_VALID";
              return <Tag color={valid ? "green" : "red"}>{valid ? t.wizard.valid : t.wizard.invalid}</Tag>;
            },
          },
          {
            title: t.wizard.count,
            align: "right",
            render: (_, name) => {
              const path = all.find((one) => one.name === name);
              const [dataset = "", id = ""] = ids(name);
              return (
                <Link to={`/datasets/${dataset}/${id}`} target="_blank">
                  {known.data && whole(path?.sampleCount ?? 0)}
                </Link>
              );
            },
          },
          {
            title: t.datasets.codes,
            render: (_, name) => (
              <div className="codes">
                {all
                  .find((one) => one.name === name)
                  ?.codeCounts.map((count) => (
                    <Tag key={count.code}>
                      {count.code} {count.sampleCount}
                    </Tag>
                  ))}
              </div>
            ),
          },
          { title: t.common.description, render: (_, name) => all.find((one) => one.name === name)?.description },
          {
            title: t.common.actions,
            render: (_, name) =>
              locked.includes(name) ? (
                <Tag title={t.wizard.lockedHint} icon={<LockOutlined />}>
                  {t.wizard.locked}
                </Tag>
              ) : (
                <Button
                  type="link"
                  size="small"
                  danger
                  onClick={() => {
                    change({ dataPaths: chosen.filter((other) => other !== name) });
                  }}
                >
                  {t.wizard.remove}
                </Button>
              ),
          },
        ]}
      />
    </Card>
  );
}

const SHOWN_THUMBNAILS = 4;

/** The first few pictures of a path, and all of them one click away (W4). */
function Thumbnails({ dataPath }: { dataPath: string }): ReactNode {
  const [dataset = "", path = ""] = ids(dataPath);
  const samples = useQuery(`thumbnails ${dataPath}`, (signal) =>
    api.get("/v1/datasets/{dataset}/paths/{path}/samples", { path: { dataset, path }, query: { pageSize: SHOWN_THUMBNAILS }, signal }),
  );
  return (
    <Link to={`/datasets/${dataset}/${path}`} target="_blank" className="thumbnails" aria-label={shortPath(dataPath)}>
      {samples.data?.samples.map((sample) => (
        <img key={sample.file} src={sampleAddress(dataPath, sample.file, true)} alt={sample.code} title={sample.file} loading="lazy" />
      ))}
    </Link>
  );
}

function TrainingStep({ spec, change, findings, version, params, segmentation }: StepProps & { segmentation: boolean }): ReactNode {
  const { t } = useSpeech();
  const resources = useQuery("resources", (signal) => api.get("/v1/computeResources", { query: { pageSize: 200 }, signal }));
  const defaults = version.data?.defaultTrainingParams;
  const standard = textOf(defaults);
  const known = useMemo(() => knownKeys(defaults, t.parameters, { lr_policy: LR_POLICIES }), [defaults, t]);
  const parsed = isSound(params.training) ? (JSON.parse(params.training) as Record<string, unknown> | null) : null;
  return (
    <div className="grid">
      <Card size="small" className="span-6">
        <Form layout="vertical" requiredMark={false}>
          <Form.Item label={t.wizard.resource}>
            <Radio.Group
              value={spec.computeResource}
              onChange={(event) => {
                change({ computeResource: event.target.value as string });
              }}
            >
              <div style={{ display: "grid", gap: 6 }}>
                {(resources.data?.computeResources ?? []).map((one) => (
                  <Radio key={one.name} value={one.name}>
                    <strong>{lastPart(one.name)}</strong>{" "}
                    <span className="dim">
                      {one.description} · {one.gpus} {t.wizard.gpus} · {one.cpus} {t.wizard.cpus} · {bytes(Number(one.memoryBytes))}
                    </span>
                  </Radio>
                ))}
              </div>
            </Radio.Group>
          </Form.Item>
        </Form>
        <JsonEditor
          label={t.wizard.trainingParams}
          value={params.training}
          defaults={standard}
          hint={t.wizard.trainingParamsHint}
          known={known}
          findings={findings.filter(ofParameters)}
          onChange={(text) => {
            change({ trainingParamsJson: written(text, standard) });
          }}
        />
      </Card>
      <Card size="small" className="span-6">
        {(["classification", ...(segmentation ? ["segmentation"] : [])] as const).map((network) => {
          const schedule = scheduleOf(parsed?.[network]);
          const label = network === "classification" ? t.networks.NETWORK_CLASSIFICATION : t.networks.NETWORK_SEGMENTATION;
          return schedule ? (
            <ScheduleChart key={network} schedule={schedule} label={label} />
          ) : (
            <Nothing key={network} text={`${label} · ${t.wizard.noSchedule}`} />
          );
        })}
      </Card>
    </div>
  );
}

function PreprocessingStep({
  spec,
  change,
  segmentation,
  retraining,
}: StepProps & { segmentation: boolean; retraining: boolean }): ReactNode {
  const { t } = useSpeech();
  const preprocessing = spec.preprocessing ?? {};
  const put = (part: DeepPartial<Schemas["PreprocessingParams"]>) => {
    change({ preprocessing: { ...preprocessing, ...part } });
  };
  return (
    <div className="grid">
    <Card size="small" className="span-4">
      <Form layout="vertical" requiredMark={false}>
        <Form.Item label={t.wizard.trainFraction}>
          <InputNumber
            min={0.01}
            max={0.99}
            step={0.05}
            value={preprocessing.trainFraction ?? 0.8}
            aria-label={t.wizard.trainFraction}
            onChange={(value) => {
              put({ trainFraction: value ?? 0.8 });
            }}
          />
        </Form.Item>
        <Form.Item label={t.wizard.filterResolution}>
          <Switch
            checked={preprocessing.filterResolution ?? false}
            aria-label={t.wizard.filterResolution}
            onChange={(filterResolution) => {
              put({ filterResolution });
            }}
          />
        </Form.Item>
        <Form.Item label={t.wizard.augmentations}>
          <Checkbox.Group
            className="stacked"
            value={preprocessing.augmentations ?? []}
            onChange={(augmentations) => {
              put({ augmentations });
            }}
            options={AUGMENTATIONS.map((value) => ({ value, label: t.wizard.augmentation[value] }))}
          />
        </Form.Item>
        <Form.Item label={t.wizard.trainSegmentation} extra={segmentation ? undefined : t.wizard.segmentationHint}>
          <Switch
            disabled={!segmentation}
            checked={spec.trainSegmentation ?? false}
            aria-label={t.wizard.trainSegmentation}
            onChange={(trainSegmentation) => {
              change({ trainSegmentation });
            }}
          />
        </Form.Item>
        {retraining && (
          <Form.Item label={t.wizard.warmStart}>
            <Switch
              checked={spec.warmStart ?? false}
              aria-label={t.wizard.warmStart}
              onChange={(warmStart) => {
                change({ warmStart });
              }}
            />
          </Form.Item>
        )}
      </Form>
    </Card>
      <Card size="small" className="span-8" title={t.wizard.preview}>
        <AugmentationPreview kinds={AUGMENTATIONS} chosen={preprocessing.augmentations ?? []} dataPath={spec.dataPaths?.[0]} />
      </Card>
    </div>
  );
}
