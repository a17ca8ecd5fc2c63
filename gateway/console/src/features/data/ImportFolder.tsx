import { FolderOpenOutlined, InboxOutlined } from "@ant-design/icons";
import { Alert, AutoComplete, Button, Form, Input, Modal, Progress, Table, Tag } from "antd";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { Link } from "react-router";
import { ApiError, api, type Schemas } from "../../api/client";
import { ids } from "../../api/names";
import { useDataPaths } from "../../api/queries";
import { useSpeech, type Words } from "../../i18n";
import { bytes, whole } from "../../ui/format";
import { Failure } from "../../ui/states";
import { DeepPictures } from "./DeepPictures";
import { deepPicture, importCommand } from "./deepPictures";
import { keepReport } from "./importReport";
import {
  dropped,
  importInto,
  listing,
  type FoundFile,
  type GroupsFault,
  type ImportProgress,
  type Listing,
} from "./importing";

interface ImportTarget {
  dataset: string;
  path: string;
  description: string;
}

/** 导入样本: imports a folder with one folder for each code, dropped or chosen, and shows the progress (D1, D2). */
export default function ImportFolder({
  start,
  onClose,
}: {
  start: Partial<ImportTarget>;
  onClose: () => void;
}): ReactNode {
  const { t } = useSpeech();
  const [form] = Form.useForm<ImportTarget>();
  const dataset = Form.useWatch("dataset", form) as string | undefined;
  const path = Form.useWatch("path", form) as string | undefined;
  const known = useDataPaths();
  const [found, setFound] = useState<Listing>();
  /** Whether a listing has pictures of 16 bits, once that is known. */
  const [look, setLook] = useState<{ of: Listing; deep: string | undefined }>();
  const [bits, setBits] = useState(0);
  const [progress, setProgress] = useState<ImportProgress>();
  const [state, setState] = useState<"choosing" | "running" | "stopped" | "done">("choosing");
  const [error, setError] = useState<ApiError>();
  const [report, setReport] = useState<string>();
  const [over, setOver] = useState(false);
  const abort = useRef<AbortController>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(
    () => () => {
      abort.current?.abort();
    },
    [],
  );
  const take = async (files: FoundFile[]) => {
    const listed = await listing(files);
    setFound(listed);
    setProgress(undefined);
    setState("choosing");
    setBits(0);
    const top = files[0]?.path.split("/")[0];
    if (!form.getFieldValue("path") && top && /^[a-z][a-z0-9-]*$/.test(top)) form.setFieldValue("path", top);
    setLook({ of: listed, deep: await deepPicture(listed.candidates) });
  };
  const run = async ({ dataset, path, description }: ImportTarget) => {
    if (!found?.candidates.length) return;
    const own = new AbortController();
    abort.current = own;
    setState("running");
    setReport(undefined);
    setError(undefined);
    try {
      const { signal } = own;
      await api.post("/v1/datasets", { query: { datasetId: dataset, allowExisting: true }, body: {}, signal });
      await api.post("/v1/datasets/{dataset}/paths", {
        path: { dataset },
        query: { dataPathId: path, allowExisting: true },
        body: { description },
        signal,
      });
      const done = await importInto({ dataset, path }, found, setProgress, signal);
      setState("done");
      setReport(await keepReport({ dataset, path }, found, done, signal));
    } catch (failure) {
      setState((now) => (now === "done" ? now : "stopped"));
      if (own.signal.aborted) return;
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    }
  };
  const codes = new Map<string, number>();
  for (const { file } of found?.candidates ?? []) {
    const code = file.split("/")[0] ?? "";
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const masks = found?.candidates.filter(({ mask }) => mask).length ?? 0;
  const running = state === "running";
  const looked = look?.of === found ? look : undefined;
  const pathBits = known.data?.find(({ name }) => name === `datasets/${dataset ?? ""}/paths/${path ?? ""}`)?.bits ?? 0;
  // Scaled by what is answered, the command imports them.
  const importable = looked !== undefined && (looked.deep === undefined || pathBits > 0 || bits === 0);
  return (
    <Modal
      open
      width={680}
      style={{ top: 24 }}
      title={t.datasets.importTitle}
      onCancel={onClose}
      mask={{ closable: false }}
      footer={
        <>
          {running && (
            <Button
              onClick={() => {
                abort.current?.abort();
              }}
            >
              {t.datasets.stop}
            </Button>
          )}
          <Button
            type="primary"
            disabled={!found?.candidates.length || found.fault !== undefined || running || !importable}
            onClick={() => {
              if (state === "done") onClose();
              else form.submit();
            }}
          >
            {state === "done" ? t.common.close : state === "stopped" ? t.datasets.goOn : t.datasets.import}
          </Button>
        </>
      }
    >
      <Form<ImportTarget>
        form={form}
        layout="vertical"
        requiredMark={false}
        disabled={running}
        initialValues={{ description: "", ...start }}
        onFinish={run}
      >
        <div className="grid">
          <Form.Item className="span-6" name="dataset" label={t.datasets.dataset} rules={[{ required: true }]}>
            <AutoComplete placeholder="panels" options={offered(known.data?.map(({ name }) => ids(name)), 0)} />
          </Form.Item>
          <Form.Item className="span-6" name="path" label={t.wizard.path} rules={[{ required: true }]}>
            <AutoComplete
              placeholder="line-1"
              options={offered(
                known.data?.map(({ name }) => ids(name)).filter(([one]) => one === dataset),
                1,
              )}
            />
          </Form.Item>
        </div>
        <Form.Item name="description" label={t.common.description}>
          <Input />
        </Form.Item>
      </Form>
      <div
        className={over ? "drop drop-over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => {
          setOver(false);
        }}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          if (!running) void dropped(event.dataTransfer.items).then(take);
        }}
      >
        <InboxOutlined className="drop-icon" />
        <p>{t.datasets.dropHere}</p>
        <p className="dim">{t.datasets.layout}</p>
        <Button
          icon={<FolderOpenOutlined />}
          disabled={running}
          onClick={() => {
            input.current?.click();
          }}
        >
          {t.datasets.chooseFolder}
        </Button>
        <input
          ref={(element) => {
            input.current = element;
            element?.setAttribute("webkitdirectory", "");
          }}
          type="file"
          hidden
          multiple
          aria-label={t.datasets.chooseFolder}
          onChange={(event) => {
            void take(
              [...(event.target.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file })),
            );
          }}
        />
      </div>
      {found && (
        <div style={{ marginTop: 12 }}>
          {found.candidates.length === 0 ? (
            <Alert type="warning" showIcon title={t.datasets.noImages} />
          ) : (
            <div className="row">
              {t.datasets.foundImages(whole(found.candidates.length))}
              {masks > 0 && ` · ${t.datasets.masks} ${whole(masks)}`}
              {found.groups > 0 && ` · ${t.datasets.foundGroups(found.groups, found.groupColumn)}`}
              {[...codes].map(([code, count]) => (
                <Tag key={code}>
                  {code} {count}
                </Tag>
              ))}
            </div>
          )}
          {found.fault && <Alert type="error" showIcon title={faultText(found.fault, t)} />}
          {found.unclearMasks.length > 0 && (
            <Alert
              type="warning"
              showIcon
              title={t.datasets.unclearMasks(found.unclearMasks.length, found.unclearMasks.slice(0, 3).join(", "))}
            />
          )}
          {found.left.length > 0 && (
            <small className="dim">{t.datasets.leftOut(found.left.length, some(found.left))}</small>
          )}
        </div>
      )}
      {found && looked?.deep !== undefined && (
        <DeepPictures
          example={looked.deep}
          pathBits={pathBits}
          bits={bits}
          onChange={setBits}
          disabled={running || state === "done"}
          command={importCommand({
            folder: found.folder,
            dataset: dataset ?? "",
            path: path ?? "",
            bits: pathBits ? 0 : bits,
          })}
        />
      )}
      {report && (
        <p>
          <Link to={report} onClick={onClose}>
            {t.datasets.reportSaved}
          </Link>
        </p>
      )}
      {progress && <ImportStatus progress={progress} running={running} />}
      {error && <Failure error={error} />}
    </Modal>
  );
}

/** The existing ids at a position of the paths' names, as options. */
function offered(paths: string[][] | undefined, at: 0 | 1): { value: string }[] {
  return [...new Set(paths?.map((one) => one[at] ?? ""))].map((value) => ({ value }));
}

const some = (left: Listing["left"]) =>
  left
    .slice(0, 3)
    .map(({ path }) => path)
    .join(", ");

function faultText(fault: GroupsFault, t: Words): string {
  switch (fault.kind) {
    case "twice":
      return t.datasets.groupsTwice(fault.file, ...fault.groups);
    case "several":
      return t.datasets.groupsSeveral(fault.tables.join(", "));
    case "encoding":
      return t.datasets.groupsEncoding;
    case "quote":
      return t.datasets.groupsQuote(String(fault.line));
    case "unclear":
      return t.datasets.groupsUnclear(String(fault.line), fault.file);
    case "empty":
      return t.datasets.groupsEmpty(fault.header);
    case "unmatched":
      return t.datasets.groupsUnmatched(fault.file);
    case "twin":
      return t.datasets.groupsTwin(fault.header);
    case "file":
      return t.datasets.groupsNoFile(fault.header);
    case "group":
      return t.datasets.groupsNoGroup(fault.header);
  }
}

function ImportStatus({ progress, running }: { progress: ImportProgress; running: boolean }): ReactNode {
  const { t, pick } = useSpeech();
  const count = (outcome: Schemas["SampleOutcome"]["outcome"]) =>
    progress.outcomes.filter((one) => one.outcome === outcome).length;
  const messages = [
    ...progress.notMasks.map(({ file, message, messageZh }) => ({
      file,
      text: t.datasets.notAMask(pick(message, messageZh)),
    })),
    ...progress.masksOfRefused.map(({ file, image }) => ({ file, text: t.datasets.maskOfRefused(image) })),
    ...progress.outcomes
      // Of one that is taken, the reason says what is doubtful (D6).
      .filter((one) => one.reason !== "" || one.samePixelsUnderOtherCodes.length > 0)
      .map((one) => ({
        file: one.file,
        text: [
          ...(one.reason ? [pick(one.message, one.messageZh)] : []),
          ...(one.samePixelsUnderOtherCodes.length
            ? [t.datasets.samePixels(one.samePixelsUnderOtherCodes.join(", "))]
            : []),
        ].join("; "),
      })),
  ];
  return (
    <div style={{ marginTop: 12 }}>
      <Progress
        percent={Math.floor(100 * progress.fraction)}
        status={running ? "active" : "normal"}
        aria-label={t.tasks.progress}
      />
      <small className="dim" role="status">
        {whole(progress.done)} / {whole(progress.total)} · {bytes(progress.uploadedBytes)} · {t.datasets.added}{" "}
        {count("OUTCOME_ADDED")} · {t.datasets.unchanged} {count("OUTCOME_UNCHANGED")} · {t.datasets.replaced}{" "}
        {count("OUTCOME_REPLACED")} · {t.datasets.rejected} {count("OUTCOME_REJECTED")}
      </small>
      {messages.length > 0 && (
        <Table<(typeof messages)[number]>
          size="small"
          rowKey="file"
          style={{ marginTop: 8 }}
          pagination={{ pageSize: 8, size: "small", hideOnSinglePage: true }}
          dataSource={messages}
          columns={[
            { title: t.monitor.file, dataIndex: "file" },
            { title: t.monitor.reason, dataIndex: "text" },
          ]}
        />
      )}
    </div>
  );
}
