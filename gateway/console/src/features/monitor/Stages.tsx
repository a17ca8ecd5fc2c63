import {
  CheckCircleFilled,
  ClockCircleOutlined,
  CloseCircleFilled,
  LoadingOutlined,
  MinusCircleOutlined,
} from "@ant-design/icons";
import { Button, Card, Modal } from "antd";
import { Suspense, useState, type ReactNode } from "react";
import { address, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { useSpeech } from "../../i18n";
import { deferred } from "../../ui/deferred";
import { duration, seconds, whole } from "../../ui/format";
import { Loading } from "../../ui/states";
import type { Task } from "./task";

const Nonconforming = deferred(() => import("./Nonconforming"));

const STAGE_ICONS: Record<Schemas["StageState"], ReactNode> = {
  STAGE_STATE_UNSPECIFIED: <ClockCircleOutlined />,
  STAGE_STATE_PENDING: <ClockCircleOutlined />,
  STAGE_STATE_RUNNING: <LoadingOutlined />,
  STAGE_STATE_DONE: <CheckCircleFilled style={{ color: "#389e0d" }} />,
  STAGE_STATE_SKIPPED: <MinusCircleOutlined />,
  STAGE_STATE_FAILED: <CloseCircleFilled style={{ color: "#cf1322" }} />,
};
const STAGES = ["STAGE_NAME_RESOLUTION_FILTER", "STAGE_NAME_SPLIT", "STAGE_NAME_AUGMENTATION"] as const;

export function Stages({ task, attempt }: { task: Task; attempt: number }): ReactNode {
  const { t, language } = useSpeech();
  const [open, setOpen] = useState<"nonconforming" | "sheet">();
  const close = () => {
    setOpen(undefined);
  };
  const id = lastPart(task.name);
  return (
    <>
      {STAGES.map((name) => {
        const stage = task.stages.find((one) => one.name === name);
        const state = stage?.state ?? "STAGE_STATE_PENDING";
        return (
          <Card
            key={name}
            size="small"
            className="span-4"
            title={t.monitor.stages[name]}
            extra={duration(seconds(stage?.duration), language)}
          >
            <div className="row">
              {STAGE_ICONS[state]} {t.monitor.stageStates[state]}
              {name === "STAGE_NAME_RESOLUTION_FILTER" && Number(stage?.nonconformingCount ?? 0) > 0 && (
                <Button
                  size="small"
                  type="link"
                  danger
                  onClick={() => {
                    setOpen("nonconforming");
                  }}
                >
                  {t.monitor.nonconforming(whole(stage?.nonconformingCount ?? 0))}
                </Button>
              )}
              {name === "STAGE_NAME_RESOLUTION_FILTER" && Number(stage?.nonconformingCount ?? 0) === 0 && stage && (
                <span className="dim">{t.monitor.samples(whole(stage.sampleCount))}</span>
              )}
              {name === "STAGE_NAME_SPLIT" && stage && Number(stage.trainCount) > 0 && (
                <span className="dim">{t.monitor.split(whole(stage.trainCount), whole(stage.validationCount))}</span>
              )}
              {name === "STAGE_NAME_AUGMENTATION" && stage?.contactSheetSha256 && (
                <Button
                  size="small"
                  type="link"
                  onClick={() => {
                    setOpen("sheet");
                  }}
                >
                  {t.monitor.contactSheet}
                </Button>
              )}
            </div>
          </Card>
        );
      })}
      <Modal
        open={open === "nonconforming"}
        title={t.monitor.nonconformingTitle}
        width={960}
        footer={null}
        onCancel={close}
        destroyOnHidden
      >
        <Suspense fallback={<Loading />}>
          <Nonconforming task={id} attempt={attempt} />
        </Suspense>
      </Modal>
      <Modal
        open={open === "sheet"}
        title={t.monitor.stages.STAGE_NAME_AUGMENTATION}
        width={980}
        footer={null}
        onCancel={close}
        destroyOnHidden
      >
        <img
          src={address("/v1/tasks/{task}/contactSheet", { task: id })}
          alt={t.monitor.contactSheet}
          style={{ maxWidth: "100%", maxHeight: "70vh", display: "block", margin: "0 auto" }}
        />
        <p className="dim">{t.monitor.contactSheetHint}</p>
      </Modal>
    </>
  );
}
