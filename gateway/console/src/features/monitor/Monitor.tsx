import { CheckCircleFilled, ClockCircleOutlined, CloseCircleFilled, LoadingOutlined, MinusCircleOutlined } from "@ant-design/icons";
import { Alert, Badge, Button, Card, Modal, Progress, Segmented, Slider, Switch } from "antd";
import { Suspense, useEffect, useMemo, useState, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import { address, type Schemas } from "../../api/client";
import { useQuery } from "../../api/useQuery";
import { useSpeech } from "../../i18n";
import { deferred, whenIdle } from "../../ui/deferred";
import { LogTail } from "./LogTail";
import { LossChart, type Drawn } from "./LossChart";
import { Page } from "../../ui/Page";
import { OverlapAlert } from "./overlap";
import { detailed, type Curve } from "./curves";
import { duration, lastPart, seconds, time, whole } from "../../ui/format";
import { Failure, Loading, Nothing } from "../../ui/states";
import { StateTag, TaskActions, isRunning, runtimeS, taskTitle, type Task } from "./task";
import { askCurve, useLossCurve, type Network } from "./useLossCurve";
import { useTask } from "./useTask";

const Nonconforming = deferred(() => import("./Nonconforming"));
// The curve comes first.
const OtherTask = deferred(() => whenIdle().then(() => import("./OtherTask")));
const TaskHistory = deferred(() => whenIdle().then(() => import("./TaskHistory")));

/** 训练任务监控: what one task does at this moment. */
export default function Monitor(): ReactNode {
  const { t } = useSpeech();
  const { task: id = "" } = useParams();
  const { task, error, reload } = useTask(id);
  if (!task) return <Page title={t.monitor.title}>{error ? <Failure error={error} retry={reload} /> : <Loading />}</Page>;
  return (
    <Page
      title={taskTitle(task)}
      actions={
        <>
          <StateTag task={task} />
          {task.modelVersion && <span>{lastPart(task.modelVersion)}</span>}
          {task.report && <Link to={`/reports/${lastPart(task.report)}`}>{t.tasks.report}</Link>}
          <TaskActions task={task} onChanged={reload} />
        </>
      }
    >
      <div className="grid">
        {task.failure && <FailureCard failure={task.failure} />}
        {task.recoveries > 0 && (
          <Alert className="span-12" type="warning" showIcon title={t.tasks.recovered(task.recoveries)} />
        )}
        {task.prediction && <OverlapAlert overlap={task.prediction.trainingOverlap} />}
        {task.training && <Stages task={task} />}
        <Course task={task} />
        {task.training && (
          <>
            <NetworkCurve task={task} network="NETWORK_CLASSIFICATION" />
            {task.training.trainSegmentation && <NetworkCurve task={task} network="NETWORK_SEGMENTATION" />}
          </>
        )}
        <Suspense fallback={null}>
          <div className="span-12">
            <TaskHistory task={task} />
          </div>
        </Suspense>
      </div>
    </Page>
  );
}

function FailureCard({ failure }: { failure: Schemas["Failure"] }): ReactNode {
  const { t, pick } = useSpeech();
  return (
    <Alert
      className="span-12"
      type="error"
      showIcon
      title={`${t.monitor.failure}: ${pick(failure.message, failure.messageZh)}`}
      description={
        <>
          <code>{failure.code}</code>
          {failure.logTail && (
            <pre className="log" style={{ height: "auto", maxHeight: 200 }} tabIndex={0} role="region" aria-label={t.monitor.log}>
              {failure.logTail}
            </pre>
          )}
        </>
      }
    />
  );
}

const STAGE_ICONS: Record<Schemas["StageState"], ReactNode> = {
  STAGE_STATE_UNSPECIFIED: <ClockCircleOutlined />,
  STAGE_STATE_PENDING: <ClockCircleOutlined />,
  STAGE_STATE_RUNNING: <LoadingOutlined />,
  STAGE_STATE_DONE: <CheckCircleFilled style={{ color: "#389e0d" }} />,
  STAGE_STATE_SKIPPED: <MinusCircleOutlined />,
  STAGE_STATE_FAILED: <CloseCircleFilled style={{ color: "#cf1322" }} />,
};
const STAGES = ["STAGE_NAME_RESOLUTION_FILTER", "STAGE_NAME_SPLIT", "STAGE_NAME_AUGMENTATION"] as const;

function Stages({ task }: { task: Task }): ReactNode {
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
          <Card key={name} size="small" className="span-4" title={t.monitor.stages[name]} extra={duration(seconds(stage?.duration), language)}>
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
      <Modal open={open === "nonconforming"} title={t.monitor.nonconformingTitle} width={860} footer={null} onCancel={close} destroyOnHidden>
        <Suspense fallback={<Loading />}>
          <Nonconforming task={id} />
        </Suspense>
      </Modal>
      <Modal open={open === "sheet"} title={t.monitor.stages.STAGE_NAME_AUGMENTATION} width={980} footer={null} onCancel={close} destroyOnHidden>
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

function Fact({ label, value }: { label: string; value: ReactNode }): ReactNode {
  return (
    <div>
      <div className="fact-label">{label}</div>
      <div className="fact-value">{value}</div>
    </div>
  );
}

/** How far it is, how fast it goes and when it will be done (M2). */
function Course({ task }: { task: Task }): ReactNode {
  const { t, language, pick } = useSpeech();
  const running = isRunning(task);
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => {
      setNow(Date.now());
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, [running]);
  const progress = task.progress;
  const done = task.state === "TASK_STATE_COMPLETED" || task.state === "TASK_STATE_RELEASED";
  const remaining = seconds(progress?.remaining);
  const low = seconds(progress?.remainingLow);
  const high = seconds(progress?.remainingHigh);
  const end = remaining !== undefined && running ? new Date(now + remaining * 1000).toISOString() : task.endTime;
  return (
    <Card size="small" className="span-12" title={t.monitor.training} extra={running && t.phases[task.phase]}>
      {task.wait?.reason && (
        <Alert type="info" showIcon title={pick(task.wait.message, task.wait.messageZh)} style={{ marginBottom: 8 }} />
      )}
      <Progress
        percent={done ? 100 : Math.floor((progress?.overallFraction ?? 0) * 1000) / 10}
        status={task.state === "TASK_STATE_FAILED" ? "exception" : running ? "active" : "normal"}
        aria-label={t.tasks.progress}
      />
      <div className="facts" style={{ marginTop: 8 }}>
        <Fact label={t.monitor.elapsed} value={duration(runtimeS(task, now), language)} />
        {running && (
          <Fact
            label={t.monitor.remaining}
            value={
              <span title={low !== undefined && high !== undefined ? `${duration(low, language)} – ${duration(high, language)}` : undefined}>
                {duration(remaining, language)}
              </span>
            }
          />
        )}
        <Fact label={running ? t.monitor.expectedEnd : t.monitor.endTime} value={<small>{time(end, language)}</small>} />
        {progress && Number(progress.maxIteration) > 0 && (
          <Fact label={t.monitor.iteration} value={`${whole(progress.iteration)} / ${whole(progress.maxIteration)}`} />
        )}
        {running && progress && progress.imagesPerS > 0 && (
          <Fact label={t.monitor.throughput} value={`${progress.imagesPerS.toFixed(1)} ${t.monitor.perSecond}`} />
        )}
        {running && progress && progress.learningRate > 0 && (
          <Fact label={t.monitor.learningRate} value={progress.learningRate.toPrecision(3)} />
        )}
      </div>
    </Card>
  );
}

/** One network's loss, live, with the validation beside it, and its log (M3, M4). */
function NetworkCurve({ task, network }: { task: Task; network: Network }): ReactNode {
  const { t } = useSpeech();
  const id = lastPart(task.name);
  const { curve, connection } = useLossCurve(id, network, task.attempt, isRunning(task));
  const [logScale, setLogScale] = useState(false);
  const [smoothing, setSmoothing] = useState(0.6);
  const [zoomed, setZoomed] = useState<Curve>();
  const [compared, setCompared] = useState<Task>();
  const beside = compared && lastPart(compared.name);
  const other = useQuery(`curve ${beside ?? ""} ${network}`, async (signal) =>
    beside ? (await askCurve(beside, network, undefined, signal)).curve : undefined,
  );
  const name = t.networks[network];
  const drawn = useMemo<Drawn[]>(() => {
    const own = [{ label: `${name} · ${t.monitor.loss}`, curve: zoomed ? detailed(curve, zoomed) : curve }];
    return other.data && compared ? [...own, { label: taskTitle(compared), curve: other.data, other: true }] : own;
  }, [curve, zoomed, other.data, compared, name, t]);
  const zoom = (range: [number, number] | undefined) => {
    // Only what the server thinned out for the whole curve is worth asking for again.
    if (!range) setZoomed(undefined);
    else if (curve.iterations.length < (curve.iterations.at(-1) ?? 0)) {
      askCurve(id, network, range).then(
        (part) => {
          setZoomed(part.curve);
        },
        () => {
          setZoomed(undefined);
        },
      );
    }
  };
  const status = {
    live: <Badge status="processing" text={t.monitor.live} />,
    reconnecting: <Badge status="warning" text={t.monitor.reconnecting} />,
    ended: <Badge status="default" text={t.monitor.ended} />,
    loading: null,
  }[connection];
  return (
    <>
      <Card size="small" className="span-12" title={`${name} · ${t.monitor.loss}`} extra={status}>
        <div className="row" style={{ marginBottom: 6 }}>
          <Switch size="small" checked={logScale} onChange={setLogScale} aria-label={t.monitor.logScale} />
          {t.monitor.logScale}
          <span style={{ marginLeft: 16 }}>{t.monitor.smoothing}</span>
          <Slider
            style={{ width: 140 }}
            min={0}
            max={0.99}
            step={0.01}
            value={smoothing}
            onChange={setSmoothing}
            ariaLabelForHandle={t.monitor.smoothing}
          />
          <Segmented
            size="small"
            value={smoothing === 0 ? "raw" : "smooth"}
            onChange={(value) => {
              setSmoothing(value === "raw" ? 0 : 0.6);
            }}
            options={[
              { value: "raw", label: t.monitor.raw },
              { value: "smooth", label: t.monitor.smoothing },
            ]}
          />
          {connection !== "loading" && (
            <Suspense fallback={null}>
              <OtherTask task={task.name} chosen={compared} onChange={setCompared} />
            </Suspense>
          )}
          <small className="dim">{t.monitor.zoomHint}</small>
        </div>
        {curve.iterations.length === 0 && connection !== "loading" ? (
          <Nothing
            text={
              task.state === "TASK_STATE_WAITING"
                ? t.monitor.waiting
                : isRunning(task)
                  ? t.monitor.notYet
                  : t.monitor.noCurve
            }
          />
        ) : (
          <LossChart
            drawn={drawn}
            words={{
              iteration: t.monitor.iteration,
              hint: t.monitor.zoomHint,
              accuracy: network === "NETWORK_SEGMENTATION" ? t.monitor.iou : t.monitor.accuracy,
            }}
            logScale={logScale}
            smoothing={smoothing}
            label={`${name} ${t.monitor.loss}`}
            onRange={zoom}
          />
        )}
      </Card>
      <div className="span-12">
        <LogTail task={id} network={network} attempt={task.attempt} title={`${name} · ${t.monitor.log}`} />
      </div>
    </>
  );
}
