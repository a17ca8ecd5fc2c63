import { useMutation } from "@tanstack/react-query";
import { Alert, App, Checkbox, Form, Modal, Select } from "antd";
import { useRef, useState, type ReactNode } from "react";
import { ApiError, api, type Schemas } from "../../api/client";
import { lastPart, shortVersion } from "../../api/names";
import { LARGEST_PAGE } from "../../api/pages";
import { useComputeResources } from "../../api/queries";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { newId } from "../../ui/identity";
import { Failure } from "../../ui/states";
import { bankTitle, type Bank } from "./bank";

type Finding = Schemas["ValidateTaskResponse_Finding"];

/** Of so many models all versions are offered, of the others the newest. */
const MODELS_WITH_ALL = 20;

/** The versions of an environment that are not archived. */
async function readVersions(environment: string, signal: AbortSignal): Promise<string[]> {
  const { models } = await api.get("/v1/models", {
    query: { productionEnvironment: environment, pageSize: LARGEST_PAGE },
    signal,
  });
  const versions = await Promise.all(
    models.map(async ({ name, latestVersion }, index) => {
      if (index >= MODELS_WITH_ALL) return [latestVersion];
      const path = { model: lastPart(name) };
      const answer = await api.get("/v1/models/{model}/versions", { path, query: { pageSize: LARGEST_PAGE }, signal });
      return answer.versions.map((version) => version.name);
    }),
  );
  return versions.flat();
}

/** What is sent for one version. */
function prediction(bank: Bank, modelVersion: string, excludeTrainingOverlap: boolean) {
  return { prediction: { modelVersion, questionBank: bank.name, excludeTrainingOverlap } };
}

/** A fault, or a warning that the servers take only once its question is answered. */
function refuses(finding: Finding): boolean {
  return !finding.warning || finding.acknowledgeWith !== "";
}

/** Submits predictions over a bank; what the servers say of each version is told before (P7). */
export default function TestVersions({ bank, onClose }: { bank: Bank; onClose: () => void }): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const { message } = App.useApp();
  const [chosen, setChosen] = useState<string[]>([]);
  const [exclude, setExclude] = useState(false);
  const [resource, setResource] = useState(bank.computeResource || "computeResources/cpu");
  // A repeated submission, after no answer came, returns the tasks of the first one.
  const keys = useRef(new Map<string, string>());
  const environment = bank.productionEnvironment;
  const offered = useApiQuery(["models", "versions", { environment }], (signal) => readVersions(environment, signal));
  const resources = useComputeResources();
  const checked = useApiQuery(
    ["tasks", "validate", bank.name, { chosen, exclude }],
    (signal) =>
      Promise.all(
        chosen.map(async (version) => {
          const body = { task: prediction(bank, version, exclude), step: 2 };
          return { version, findings: (await api.post("/v1/tasks:validate", { body, signal })).findings };
        }),
      ),
    { enabled: chosen.length > 0, forget: true },
  );
  const found = chosen.length ? (checked.data ?? []) : [];
  const refused = found.some(({ findings }) => findings.some(refuses));
  const leaks = found.some(({ findings }) =>
    findings.some(({ acknowledgeWith }) => acknowledgeWith === "exclude_training_overlap"),
  );
  const submitting = useMutation({
    mutationFn: async () => {
      for (const [at, version] of chosen.entries()) {
        const { prediction: of } = prediction(bank, version, exclude);
        const task = { prediction: { ...of, computeResource: resource } };
        const idempotencyKey = keys.current.get(JSON.stringify(task)) ?? newId();
        keys.current.set(JSON.stringify(task), idempotencyKey);
        await api.post("/v1/tasks", { body: { task }, idempotencyKey });
        // Those that are submitted are not submitted again after a refusal.
        setChosen(chosen.slice(at + 1));
      }
      return chosen.length;
    },
    onSuccess: (count) => {
      message.success(words.submitted(count));
      onClose();
    },
  });
  return (
    <Modal
      open
      width={640}
      title={words.testTitle(bankTitle(bank))}
      okText={words.submitTests}
      okButtonProps={{ disabled: chosen.length === 0 || refused || checked.data === undefined || checked.loading }}
      confirmLoading={submitting.isPending}
      onCancel={onClose}
      onOk={() => {
        submitting.mutate();
      }}
    >
      <Form layout="vertical" className="form-grid">
        <Form.Item
          label={words.versions}
          htmlFor="tested-versions"
          {...(offered.data?.length === 0 ? { extra: words.noVersions } : {})}
        >
          <Select
            id="tested-versions"
            mode="multiple"
            loading={offered.loading}
            value={chosen}
            onChange={setChosen}
            options={(offered.data ?? []).map((name) => ({ value: name, label: shortVersion(name) }))}
          />
        </Form.Item>
        {offered.error && <Failure error={offered.error} retry={offered.reload} />}
        <Form.Item label={t.wizard.resource} htmlFor="test-resource">
          <Select
            id="test-resource"
            value={resource}
            onChange={setResource}
            options={(resources.data ?? []).map(({ name }) => ({ value: name, label: lastPart(name) }))}
          />
        </Form.Item>
      </Form>
      <div className="step-findings" aria-live="polite">
        {found.map(({ version, findings }) => (
          <Told key={version} version={version} findings={findings} />
        ))}
        {(leaks || exclude) && (
          <Checkbox
            checked={exclude}
            onChange={(event) => {
              setExclude(event.target.checked);
            }}
          >
            {words.exclude}
          </Checkbox>
        )}
        {checked.error && <Failure error={checked.error} retry={checked.reload} />}
        {submitting.error && <Failure error={ApiError.of(submitting.error)} />}
      </div>
    </Modal>
  );
}

/** What the servers say of testing a version. */
function Told({ version, findings }: { version: string; findings: readonly Finding[] }): ReactNode {
  const { language, pick } = useSpeech();
  const words = bankWords[language];
  const worst = findings.some(refuses) ? "error" : findings.length ? "warning" : "success";
  return (
    <Alert
      type={worst}
      showIcon
      title={findings.length ? shortVersion(version) : `${shortVersion(version)} · ${words.nothingFound}`}
      description={
        findings.length > 0 && (
          <ul className="faults">
            {findings.map((finding) => (
              <li key={finding.reason + finding.field}>{pick(finding.message, finding.messageZh)}</li>
            ))}
          </ul>
        )
      }
    />
  );
}
