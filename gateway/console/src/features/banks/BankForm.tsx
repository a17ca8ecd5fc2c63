import { useMutation } from "@tanstack/react-query";
import { App, Form, Input, Modal, Select, Switch } from "antd";
import type { ReactNode } from "react";
import { ApiError, api } from "../../api/client";
import { lastPart } from "../../api/names";
import { useComputeResources, useEnvironments } from "../../api/queries";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { Failure } from "../../ui/states";
import { bankTitle, type Bank } from "./bank";
import { BankPaths } from "./BankPaths";

interface Answers {
  id: string;
  productionEnvironment: string;
  dataPaths: string[];
  displayName: string;
  description: string;
  runAfterTraining: boolean;
  runAfterRelease: boolean;
  computeResource: string;
}

const CHANGEABLE = "displayName,description,runAfterTraining,runAfterRelease,computeResource";

interface Props {
  /** The bank that is edited; a new one is made where it is left out. */
  bank?: Bank;
  /** With the bank, if it was made or changed. */
  onClose: (saved?: Bank) => void;
}

/** Makes a question bank, or changes what is said of one. */
export default function BankForm({ bank, onClose }: Props): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const { message } = App.useApp();
  const [form] = Form.useForm<Answers>();
  const saving = useMutation<Bank, Error, Answers>({
    mutationFn: ({ id, productionEnvironment, dataPaths, ...profile }) =>
      bank
        ? api.patch("/v1/questionBanks/{questionBank}", {
            path: { questionBank: lastPart(bank.name) },
            query: { updateMask: CHANGEABLE },
            body: profile,
            etag: bank.etag,
          })
        : api.post("/v1/questionBanks", {
            query: { questionBankId: id },
            body: { ...profile, productionEnvironment, revision: { dataPaths } },
          }),
    onSuccess: (saved) => {
      message.success(t.common.done);
      onClose(saved);
    },
  });
  return (
    <Modal
      open
      width="min(860px, 96vw)"
      title={bank ? `${words.edit} · ${bankTitle(bank)}` : words.create}
      okText={bank ? t.common.save : t.common.create}
      confirmLoading={saving.isPending}
      onCancel={() => {
        onClose();
      }}
      onOk={() => {
        form.submit();
      }}
    >
      <Form<Answers>
        form={form}
        layout="vertical"
        className="form-grid"
        requiredMark={false}
        onFinish={(answers) => {
          saving.mutate(answers);
        }}
        initialValues={{
          dataPaths: [],
          displayName: bank?.displayName ?? "",
          description: bank?.description ?? "",
          runAfterTraining: bank?.runAfterTraining ?? false,
          runAfterRelease: bank?.runAfterRelease ?? false,
          computeResource: bank?.computeResource ?? "",
        }}
      >
        {!bank && <NewFields />}
        <Form.Item name="displayName" label={words.displayName}>
          <Input />
        </Form.Item>
        <Form.Item name="description" label={t.common.description}>
          <Input.TextArea rows={2} />
        </Form.Item>
        <AutomaticFields />
        {saving.error && <Failure error={ApiError.of(saving.error)} />}
      </Form>
    </Modal>
  );
}

/** What cannot be changed once the bank is made, but for its data, which has revisions. */
function NewFields(): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const environments = useEnvironments();
  return (
    <>
      <Form.Item name="id" label={words.id} extra={words.idHint} rules={[{ required: true, whitespace: true }]}>
        <Input autoFocus />
      </Form.Item>
      <Form.Item
        name="productionEnvironment"
        label={t.common.environment}
        extra={words.environmentHint}
        rules={[{ required: true, message: words.chooseEnvironment }]}
      >
        <Select
          loading={environments.loading}
          options={environments.data?.map(({ name, processStep }) => ({
            value: name,
            label: `${lastPart(name)} · ${processStep}`,
          }))}
        />
      </Form.Item>
      {environments.error && <Failure error={environments.error} retry={environments.reload} />}
      <Form.Item
        name="dataPaths"
        label={words.paths}
        extra={`${words.pathsHint} ${words.givesUp}`}
        rules={[{ required: true, type: "array", min: 1, message: words.choosePaths }]}
      >
        <BankPaths />
      </Form.Item>
    </>
  );
}

function AutomaticFields(): ReactNode {
  const { language } = useSpeech();
  const words = bankWords[language];
  const resources = useComputeResources();
  return (
    <>
      {(["runAfterTraining", "runAfterRelease"] as const).map((name) => (
        <Form.Item key={name} name={name} label={words[name]} extra={words[`${name}Hint`]} valuePropName="checked">
          <Switch />
        </Form.Item>
      ))}
      <Form.Item name="computeResource" label={words.resource}>
        <Select
          options={[
            { value: "", label: words.resourceOfTraining },
            ...(resources.data ?? []).map(({ name }) => ({ value: name, label: lastPart(name) })),
          ]}
        />
      </Form.Item>
    </>
  );
}
