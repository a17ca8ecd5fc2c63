import { Form, Input, InputNumber, Modal, Select, Switch } from "antd";
import { useState, type ReactNode } from "react";
import { ApiError, api, type Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import { readDataPaths } from "../../api/queries";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { isSound, textOf } from "../../ui/json";
import { JsonEditor } from "../../ui/JsonEditor";
import { Failure, Loading } from "../../ui/states";

interface FormValues {
  id: string;
  displayName: string;
  imageDescription: string;
  kind: Schemas["ImageKind"];
  taskType: Schemas["TaskType"];
  productionEnvironment?: string;
  major: number;
  minor: number;
  description: string;
  networks: string[];
  side: number;
  minSide: number;
  maxAspectRatio: number;
  perImageNormalisation: boolean;
  detail: number;
  trainingPaths: string[];
}

/** 新建模型镜像, or a new version of one. Fields that the form lacks are taken from the newest version. */
export default function NewImageVersion({
  image,
  onClose,
}: {
  image: Schemas["AlgorithmImage"] | undefined;
  onClose: (made: boolean) => void;
}): ReactNode {
  const id = image && lastPart(image.name);
  const known = useApiQuery(
    ["newImageVersion", id],
    async (signal) => {
      const [paths, environments, versions] = await Promise.all([
        readDataPaths("-", signal),
        api.get("/v1/productionEnvironments", { query: { pageSize: 500 }, signal }),
        id
          ? api.get("/v1/algorithmImages/{algorithmImage}/versions", {
              path: { algorithmImage: id },
              query: { pageSize: 1 },
              signal,
            })
          : undefined,
      ]);
      return { paths, environments: environments.productionEnvironments, newest: versions?.versions[0] };
    },
    { forget: true },
  );
  const { t } = useSpeech();
  if (!known.data) {
    return (
      <Modal open footer={null} title={t.images.newVersion} onCancel={() => { onClose(false); }}>
        {known.error ? <Failure error={known.error} retry={known.reload} /> : <Loading />}
      </Modal>
    );
  }
  return <NewImageVersionForm image={image} {...known.data} onClose={onClose} />;
}

const PARAMETERS = {
  model: { classification: { name: "ResNet18", num_of_classes: 2 }, code_list: ["TPFIP", "TTFBS"] },
  training: {
    classification: {
      base_lr: 0.01,
      batch_size: 32,
      max_iter: 4000,
      weight_decay: 0.0001,
      momentum: 0.9,
      lr_policy: "poly",
      power: 0.9,
      gamma: 0.1,
    },
  },
};

interface FormProps {
  image: Schemas["AlgorithmImage"] | undefined;
  paths: Schemas["DataPath"][];
  environments: Schemas["ProductionEnvironment"][];
  newest: Schemas["AlgorithmImageVersion"] | undefined;
  onClose: (made: boolean) => void;
}

function NewImageVersionForm({ image, paths, environments, newest, onClose }: FormProps): ReactNode {
  const { t } = useSpeech();
  const [form] = Form.useForm<FormValues>();
  const [error, setError] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const standard = {
    model: textOf(newest?.defaultModelParams ?? PARAMETERS.model),
    training: textOf(newest?.defaultTrainingParams ?? PARAMETERS.training),
  };
  const [model, setModel] = useState(standard.model);
  const [training, setTraining] = useState(standard.training);
  const kind = Form.useWatch("kind", form) as Schemas["ImageKind"] | undefined;
  const broken = !isSound(model) || !isSound(training);
  const submit = async (answers: FormValues) => {
    setBusy(true);
    setError(undefined);
    try {
      const id = image ? lastPart(image.name) : answers.id;
      if (!image) {
        await api.post("/v1/algorithmImages", {
          query: { algorithmImageId: id },
          body: {
            displayName: answers.displayName,
            description: answers.imageDescription,
            kind: answers.kind,
            taskType: answers.taskType,
            productionEnvironment: answers.kind === "IMAGE_KIND_BUSINESS" ? (answers.productionEnvironment ?? "") : "",
          },
        }).catch((failure: unknown) => {
          // Made before a version of it was refused.
          if (!(failure instanceof ApiError) || failure.status !== 409) throw failure;
        });
      }
      await api.post("/v1/algorithmImages/{algorithmImage}/versions", {
        path: { algorithmImage: id },
        body: {
          major: answers.major,
          minor: answers.minor,
          description: answers.description,
          classificationNetworks: answers.networks,
          input: {
            // 0 and empty: the registry's defaults.
            ...(newest?.input ?? { channels: 0, mean: [], std: [] }),
            width: answers.side,
            height: answers.side,
            minSide: answers.minSide,
            maxAspectRatio: answers.maxAspectRatio,
            perImageNormalisation: answers.perImageNormalisation,
            detail: answers.detail,
          },
          defaultModelParams: JSON.parse(model) as Record<string, never>,
          defaultTrainingParams: JSON.parse(training) as Record<string, never>,
          trainingPaths: answers.trainingPaths,
        },
      });
      onClose(true);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const required = [{ required: true }];
  return (
    <Modal
      open
      width={980}
      style={{ top: 24 }}
      title={image ? `${t.images.newVersion} · ${image.displayName || lastPart(image.name)}` : t.images.newImage}
      okText={t.common.create}
      okButtonProps={{ loading: busy, disabled: broken }}
      onOk={() => {
        form.submit();
      }}
      onCancel={() => {
        onClose(false);
      }}
    >
      <Form<FormValues>
        form={form}
        layout="vertical"
        requiredMark={false}
        onFinish={submit}
        initialValues={{
          kind: "IMAGE_KIND_GENERAL",
          taskType: "TASK_TYPE_CLASSIFICATION",
          major: newest?.major ?? 1,
          minor: newest ? newest.minor + 1 : 0,
          networks: newest?.classificationNetworks ?? ["ResNet18"],
          side: newest?.input?.width ?? 64,
          minSide: newest?.input?.minSide ?? 32,
          maxAspectRatio: newest?.input?.maxAspectRatio ?? 8,
          perImageNormalisation: newest?.input?.perImageNormalisation ?? false,
          detail: newest?.input?.detail ?? 1,
          trainingPaths: newest?.trainingPaths ?? [],
          description: "",
          displayName: "",
          imageDescription: "",
        }}
      >
        <div className="grid form-grid">
          {!image && (
            <>
              <Form.Item className="span-3" name="id" label={t.datasets.id} rules={required}>
                <Input />
              </Form.Item>
              <Form.Item className="span-3" name="displayName" label={t.users.displayName} rules={required}>
                <Input />
              </Form.Item>
              <Form.Item className="span-3" name="kind" label={t.common.type}>
                <Select
                  options={(["IMAGE_KIND_GENERAL", "IMAGE_KIND_BUSINESS"] as const).map((value) => ({
                    value,
                    label: t.imageKinds[value],
                  }))}
                />
              </Form.Item>
              <Form.Item className="span-3" name="taskType" label={t.images.taskType}>
                <Select
                  options={(["TASK_TYPE_CLASSIFICATION", "TASK_TYPE_SEGMENTATION_CLASSIFICATION"] as const).map(
                    (value) => ({
                      value,
                      label: t.taskTypes[value],
                    }),
                  )}
                />
              </Form.Item>
              {kind === "IMAGE_KIND_BUSINESS" && (
                <Form.Item
                  className="span-6"
                  name="productionEnvironment"
                  label={t.common.environment}
                  rules={required}
                >
                  <Select
                    options={environments.map(({ name, product, processStep }) => ({
                      value: name,
                      label: `${lastPart(name)} · ${product} · ${processStep}`,
                    }))}
                  />
                </Form.Item>
              )}
              <Form.Item className="span-6" name="imageDescription" label={t.images.about}>
                <Input />
              </Form.Item>
            </>
          )}
          <Form.Item className="span-3" name="major" label={t.images.major} rules={required}>
            <InputNumber min={1} precision={0} style={{ width: "100%" }} />
          </Form.Item>
          <Form.Item className="span-3" name="minor" label={t.images.minor} rules={required}>
            <InputNumber min={0} precision={0} style={{ width: "100%" }} />
          </Form.Item>
          <Form.Item className="span-6" name="description" label={t.images.aboutVersion}>
            <Input />
          </Form.Item>
          <Form.Item className="span-3" name="networks" label={t.images.networks} rules={required}>
            <Select mode="tags" />
          </Form.Item>
          <Form.Item className="span-3" name="side" label={t.images.side} rules={required}>
            <InputNumber min={8} max={1024} precision={0} suffix="px" style={{ width: "100%" }} />
          </Form.Item>
          <Form.Item className="span-3" name="minSide" label={t.images.minSide}>
            <InputNumber min={0} precision={0} suffix="px" style={{ width: "100%" }} />
          </Form.Item>
          <Form.Item className="span-3" name="maxAspectRatio" label={t.images.maxAspectRatio}>
            <InputNumber min={0} style={{ width: "100%" }} />
          </Form.Item>
          <Form.Item className="span-3" name="detail" label={t.images.detail}>
            <InputNumber min={0} max={16} precision={0} style={{ width: "100%" }} />
          </Form.Item>
          <Form.Item className="span-3" name="perImageNormalisation" label={t.images.perImage} valuePropName="checked">
            <Switch />
          </Form.Item>
          <Form.Item className="span-6" name="trainingPaths" label={t.images.trainingPaths}>
            <Select mode="multiple" options={paths.map(({ name }) => ({ value: name, label: shortPath(name) }))} />
          </Form.Item>
          <div className="span-6">
            <JsonEditor
              label={t.models.modelParams}
              value={model}
              defaults={standard.model}
              hint=""
              findings={[]}
              onChange={setModel}
            />
          </div>
          <div className="span-6">
            <JsonEditor
              label={t.models.trainingParams}
              value={training}
              defaults={standard.training}
              hint=""
              findings={[]}
              onChange={setTraining}
            />
          </div>
        </div>
        {error && <Failure error={error} />}
      </Form>
    </Modal>
  );
}
