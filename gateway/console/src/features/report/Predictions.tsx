import { PlusOutlined } from "@ant-design/icons";
import { Alert, Button, Checkbox, Form, InputNumber, Modal, Select, Slider, Switch, Table } from "antd";
import { useState, type ReactNode } from "react";
import { Link, useSearchParams } from "react-router";
import { ApiError, api, type Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import { readDataPaths } from "../../api/queries";
import { useSession } from "../../api/session";
import { useApiQuery } from "../../api/useApiQuery";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { duration, percent, time } from "../../ui/format";
import { newId } from "../../ui/identity";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered, Failure, Nothing } from "../../ui/states";
import { BankRevision } from "../banks";
import { OverlapTag, runtimeS, StateTag, type Task, TaskActions, TaskProgress, taskTitle } from "../monitor";
import { judgedChoices, judgedField } from "./judged";

/** 题库预测: versions and completed trainings run over question banks (P1). */
export default function Predictions(): ReactNode {
  const { t, language } = useSpeech();
  const { may } = useSession();
  const [search, setSearch] = useSearchParams();
  const version = search.get("version");
  const [creating, setCreating] = useState(version !== null && may("ROLE_ENGINEER"));
  const tasks = usePagedQuery(
    ["tasks", { kind: "TASK_KIND_PREDICTION" }],
    async (page, signal) => {
      const answer = await api.get("/v1/tasks", { query: { ...page, kind: "TASK_KIND_PREDICTION" }, signal });
      return { items: answer.tasks, next: answer.nextPageToken };
    },
    3000,
  );
  const close = () => {
    setCreating(false);
    setSearch({}, { replace: true });
    tasks.reload();
  };
  return (
    <Page
      title={t.predictions.title}
      actions={
        may("ROLE_ENGINEER") && (
          <Button
            type="primary"
            icon={<PlusOutlined />}
            onClick={() => {
              setCreating(true);
            }}
          >
            {t.predictions.create}
          </Button>
        )
      }
    >
      <Answered query={tasks}>
        {(all) => (
          <Table<Task>
            size="middle"
            rowKey="name"
            pagination={false}
            scroll={{ x: "max-content" }}
            dataSource={all}
            locale={{ emptyText: <Nothing text={t.predictions.empty} /> }}
            columns={[
              {
                title: t.predictions.version,
                render: (_, task) => (
                  <Link to={`/tasks/${lastPart(task.name)}`}>{taskTitle(task)}</Link>
                ),
              },
              {
                title: bankWords[language].ofBank,
                render: (_, { prediction }) =>
                  prediction?.questionBank ? <BankRevision name={prediction.questionBank} /> : "—",
              },
              {
                title: t.common.state,
                render: (_, task) => (
                  <>
                    <StateTag task={task} /> <OverlapTag overlap={task.prediction?.trainingOverlap} />
                  </>
                ),
              },
              { title: t.tasks.progress, render: (_, task) => <TaskProgress task={task} /> },
              { title: t.common.creator, render: (_, task) => lastPart(task.creator) },
              { title: t.tasks.duration, render: (_, task) => duration(runtimeS(task), language) },
              { title: t.common.createTime, render: (_, task) => time(task.createTime, language) },
              {
                title: t.common.actions,
                render: (_, task) => (
                  <div className="row">
                    {task.report && <Link to={`/reports/${lastPart(task.report)}`}>{t.tasks.report}</Link>}
                    <TaskActions task={task} />
                  </div>
                ),
              },
            ]}
          />
        )}
      </Answered>
      <More pages={tasks} />
      <NewPrediction open={creating} version={version ?? ""} onClose={close} />
    </Page>
  );
}

interface PredictionForm {
  judged: string;
  dataPaths: string[];
  computeResource: string;
  confidenceThreshold: number;
  batchSize: number;
  filterResolution: boolean;
  classificationOnly: boolean;
  acknowledgeTrainingOverlap: boolean;
}

function NewPrediction({ open, version, onClose }: { open: boolean; version: string; onClose: () => void }): ReactNode {
  const { t, pick } = useSpeech();
  const [form] = Form.useForm<PredictionForm>();
  const threshold = Form.useWatch("confidenceThreshold", form) as number | undefined;
  const judged = (Form.useWatch("judged", form) as string | undefined) ?? "";
  const dataPaths = (Form.useWatch("dataPaths", form) as string[] | undefined) ?? [];
  const acknowledged = Form.useWatch("acknowledgeTrainingOverlap", form) as boolean | undefined;
  const [error, setError] = useState<ApiError>();
  // A repeated submission, after no answer came, returns the task of the first one.
  const [key, setKey] = useState(newId);
  const offered = useApiQuery(["newPrediction"], async (signal) => {
    // The newest version of each model; older versions are chosen on the page of the model.
    const [models, trainings, paths, resources] = await Promise.all([
      api.get("/v1/models", { query: { pageSize: 500 }, signal }),
      api.get("/v1/tasks", {
        query: { kind: "TASK_KIND_TRAINING", states: ["TASK_STATE_COMPLETED"], pageSize: 200 },
        signal,
      }),
      readDataPaths("-", signal),
      api.get("/v1/computeResources", { query: { pageSize: 200 }, signal }),
    ]);
    return {
      versions: models.models.map((model) => model.latestVersion),
      trainings: trainings.tasks,
      paths,
      resources: resources.computeResources,
    };
  });
  // The findings for what is judged and the data, as soon as both are chosen (P7).
  const checked = useApiQuery(
    ["tasks", "validate", { judged, dataPaths }],
    async (signal) => {
      const task = { prediction: { ...judgedField(judged), dataPaths } };
      return (await api.post("/v1/tasks:validate", { body: { task, step: 2 }, signal })).findings;
    },
    { enabled: judged !== "" && dataPaths.length > 0, forget: true },
  );
  const findings = checked.data ?? [];
  const unacknowledged = !acknowledged && findings.some((finding) => finding.acknowledgeWith);
  const submit = async ({ judged: name, ...values }: PredictionForm) => {
    setError(undefined);
    const prediction = { ...judgedField(name), ...values } satisfies Partial<Schemas["PredictionSpec"]>;
    try {
      await api.post("/v1/tasks", { body: { task: { prediction } }, idempotencyKey: key });
      setKey(newId());
      onClose();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
      // The data may have changed since it was checked.
      checked.reload();
    }
  };
  const names = (all: { name: string }[] | undefined, shown: (name: string) => string) =>
    all?.map(({ name }) => ({ value: name, label: shown(name) })) ?? [];
  return (
    <Modal
      open={open}
      title={t.predictions.create}
      okText={t.predictions.submit}
      okButtonProps={{ disabled: unacknowledged }}
      onCancel={onClose}
      onOk={() => {
        form.submit();
      }}
      destroyOnHidden
    >
      <Form<PredictionForm>
        form={form}
        layout="vertical"
        preserve={false}
        requiredMark={false}
        onFinish={submit}
        onValuesChange={(changed: Partial<PredictionForm>) => {
          // The acknowledgement was about other data.
          if (changed.judged ?? changed.dataPaths) form.setFieldValue("acknowledgeTrainingOverlap", false);
        }}
        initialValues={{
          ...(version ? { judged: version } : {}),
          dataPaths: [],
          computeResource: "computeResources/cpu",
          confidenceThreshold: 0.5,
          batchSize: 32,
          filterResolution: true,
          classificationOnly: false,
          acknowledgeTrainingOverlap: false,
        }}
      >
        <Form.Item name="judged" label={t.predictions.judged.title} rules={[{ required: true }]}>
          <Select
            showSearch={{ optionFilterProp: "label" }}
            options={judgedChoices(
              offered.data?.versions ?? [],
              offered.data?.trainings ?? [],
              t.predictions.judged,
              version,
            )}
          />
        </Form.Item>
        <Form.Item name="dataPaths" label={t.predictions.bank} rules={[{ required: true }]}>
          <Select mode="multiple" options={names(offered.data?.paths, shortPath)} />
        </Form.Item>
        <Form.Item name="computeResource" label={t.wizard.resource} rules={[{ required: true }]}>
          <Select options={names(offered.data?.resources, lastPart)} />
        </Form.Item>
        <Form.Item name="confidenceThreshold" label={`${t.predictions.threshold} · ${percent(threshold, 0)}`}>
          <Slider min={0} max={0.99} step={0.01} ariaLabelForHandle={t.predictions.threshold} />
        </Form.Item>
        <div className="row" style={{ gap: 24 }}>
          <Form.Item name="batchSize" label={t.predictions.batchSize}>
            <InputNumber min={1} max={4096} />
          </Form.Item>
          <Form.Item name="filterResolution" label={t.wizard.filterResolution} valuePropName="checked">
            <Switch />
          </Form.Item>
          <Form.Item name="classificationOnly" label={t.predictions.classificationOnly} valuePropName="checked">
            <Switch />
          </Form.Item>
        </div>
        <div style={{ display: "grid", gap: 8 }}>
          {findings.map((finding) => (
            <Alert
              key={finding.reason + finding.field}
              type={finding.warning ? "warning" : "error"}
              showIcon
              title={pick(finding.message, finding.messageZh)}
            />
          ))}
        </div>
        <Form.Item
          name="acknowledgeTrainingOverlap"
          valuePropName="checked"
          hidden={!findings.some((finding) => finding.acknowledgeWith === "acknowledge_training_overlap")}
        >
          <Checkbox>{t.overlap.acknowledge}</Checkbox>
        </Form.Item>
        {error && <Failure error={error} />}
      </Form>
    </Modal>
  );
}
