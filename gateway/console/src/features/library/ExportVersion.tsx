import { DownloadOutlined } from "@ant-design/icons";
import { Alert, Button, Modal, Progress, Radio } from "antd";
import { useState, type ReactNode } from "react";
import { ApiError, api } from "../../api/client";
import { ids, lastPart, shortVersion } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { bytes } from "../../ui/format";
import { Failure } from "../../ui/states";
import { isRunning, useTask } from "../monitor";

const FORMATS = ["PACKAGE_FORMAT_CSOT_ARTIFACT", "PACKAGE_FORMAT_ONNX"] as const;
type Format = (typeof FORMATS)[number];

/** 模型导出: makes the package of a version once, shows how far that is, and hands it over (X). */
export default function ExportVersion({ version, onClose }: { version: string; onClose: () => void }): ReactNode {
  const { t } = useSpeech();
  const [format, setFormat] = useState<Format>("PACKAGE_FORMAT_CSOT_ARTIFACT");
  const [task, setTask] = useState<string>();
  const [error, setError] = useState<ApiError>();
  const [busy, setBusy] = useState(false);
  const [model = "", number = ""] = ids(version);
  const path = { model, version: number };
  const start = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const made = await api.post("/v1/models/{model}/versions/{version}:export", { path, body: { format } });
      setTask(lastPart(made.name));
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal
      open
      title={`${t.models.export} · ${shortVersion(version)}`}
      footer={null}
      onCancel={onClose}
      destroyOnHidden
    >
      <Radio.Group
        className="stacked"
        value={format}
        disabled={busy}
        onChange={(event) => {
          setFormat(event.target.value as Format);
          setTask(undefined);
          setError(undefined);
        }}
        options={FORMATS.map((value) => ({
          value,
          label: (
            <>
              <strong>{t.models.formats[value]}</strong>
              <br />
              <small className="dim">{t.models.formatHints[value]}</small>
            </>
          ),
        }))}
      />
      <div style={{ marginTop: 16 }}>
        {error && <Failure error={error} retry={start} />}
        {task ? (
          <ExportProgress key={task} task={task} path={path} format={format} />
        ) : (
          <Button type="primary" loading={busy} onClick={start}>
            {t.models.export}
          </Button>
        )}
      </div>
    </Modal>
  );
}

function ExportProgress({
  task: id,
  path,
  format,
}: {
  task: string;
  path: { model: string; version: string };
  format: Format;
}): ReactNode {
  const { t, pick } = useSpeech();
  const { data: task, error, reload } = useTask(id);
  if (!task)
    return error ? (
      <Failure error={error} retry={reload} />
    ) : (
      <Progress percent={0} status="active" aria-label={t.tasks.progress} />
    );
  if (task.state === "TASK_STATE_COMPLETED") return <PackageLink path={path} format={format} />;
  if (task.failure)
    return (
      <Alert
        type="error"
        showIcon
        title={pick(task.failure.message, task.failure.messageZh)}
        description={<code>{task.failure.code}</code>}
      />
    );
  return (
    <>
      <Progress
        percent={Math.floor((task.progress?.overallFraction ?? 0) * 100)}
        status={isRunning(task) ? "active" : "normal"}
        aria-label={t.tasks.progress}
      />
      <small className="dim">
        {task.wait?.reason ? pick(task.wait.message, task.wait.messageZh) : t.taskStates[task.state]}
      </small>
    </>
  );
}

/** The registry learns of a package from the task's end, a moment after it. */
const MOST_TRIES = 20;
const NEXT_TRY_MS = 500;

function PackageLink({ path, format }: { path: { model: string; version: string }; format: Format }): ReactNode {
  const { t } = useSpeech();
  const link = useApiQuery(
    ["models", path.model, "versions", path.version, "package", format],
    async (signal) => {
      for (let tries = 0; ; tries += 1) {
        try {
          return await api.get("/v1/models/{model}/versions/{version}:linkPackage", {
            path,
            query: { format },
            signal,
          });
        } catch (failure) {
          if (!(failure instanceof ApiError) || failure.reason !== "NOT_EXPORTED" || tries > MOST_TRIES) throw failure;
          await new Promise((resolve) => setTimeout(resolve, NEXT_TRY_MS));
        }
      }
    },
    { forget: true },
  );
  if (link.error) return <Failure error={link.error} retry={link.reload} />;
  const made = link.data?.package;
  return (
    <>
      <Progress percent={100} aria-label={t.tasks.progress} />
      {link.data && made && (
        <div style={{ display: "grid", gap: 8 }}>
          <Button type="primary" icon={<DownloadOutlined />} href={link.data.url} download={link.data.fileName}>
            {link.data.fileName} · {bytes(Number(made.sizeBytes))}
          </Button>
          <small className="dim" style={{ wordBreak: "break-all" }}>
            SHA-256 {made.sha256}
          </small>
        </div>
      )}
    </>
  );
}
