import { Badge, Card } from "antd";
import { Suspense, useMemo, useState, type ReactNode } from "react";
import { lastPart } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { deferred, whenIdle } from "../../ui/deferred";
import { percent, whole } from "../../ui/format";
import { Nothing } from "../../ui/states";
import { detailed, type Curve } from "./curves";
import { LogTail } from "./LogTail";
import { bestOf, told } from "./looks";
import { LossChart, type Series } from "./LossChart";
import { isRunning, taskTitle, type Task } from "./task";
import { readCurve, useLossCurve, type Network } from "./useLossCurve";

// The curve comes first.
const CurveSettings = deferred(() => whenIdle().then(() => import("./CurveSettings")));

/** One network's loss, live, with the validation beside it, and its log (M3, M4). */
export function NetworkCurve({
  task,
  network,
  attempt,
}: {
  task: Task;
  network: Network;
  attempt: number;
}): ReactNode {
  const { t } = useSpeech();
  const id = lastPart(task.name);
  const isPresent = attempt === task.attempt;
  const { curve, connection, thinnedFrom } = useLossCurve(id, network, attempt, isPresent && isRunning(task));
  const [logScale, setLogScale] = useState(false);
  const [smoothing, setSmoothing] = useState(0.6);
  const [zoomed, setZoomed] = useState<Curve>();
  const [compared, setCompared] = useState<Task>();
  const otherId = lastPart(compared?.name ?? "");
  const other = useApiQuery(
    ["tasks", otherId, "lossCurve", network],
    async (signal) => (await readCurve(otherId, network, 0, undefined, signal)).curve,
    { enabled: otherId !== "" },
  );
  const name = t.networks[network];
  const series = useMemo<Series[]>(() => {
    const own = [{ label: `${name} · ${t.monitor.loss}`, curve: zoomed ? detailed(curve, zoomed) : curve }];
    return other.data && compared ? [...own, { label: taskTitle(compared), curve: other.data, other: true }] : own;
  }, [curve, zoomed, other.data, compared, name, t]);
  const metric = network === "NETWORK_SEGMENTATION" ? "iou" : "accuracy";
  const looks = network === "NETWORK_SEGMENTATION" ? task.looks?.segmentation : task.looks?.classification;
  // Once it is trained, the task says of which look the weights are; tasks from before that used the last ones.
  const best = isRunning(task) && !task.looks ? bestOf(curve.validation) : undefined;
  const zoom = (range: [number, number] | undefined) => {
    // Only a curve that the server has thinned out has more points in a range.
    if (!range) setZoomed(undefined);
    else if (curve.iterations.length < (curve.iterations.at(-1) ?? 0)) {
      readCurve(id, network, attempt, range).then(
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
        <div className="row" style={{ marginBottom: 6, minHeight: 24 }}>
          {connection !== "loading" && (
            <Suspense fallback={null}>
              <CurveSettings
                task={task.name}
                logScale={logScale}
                setLogScale={setLogScale}
                smoothing={smoothing}
                setSmoothing={setSmoothing}
                compared={compared}
                setCompared={setCompared}
              />
            </Suspense>
          )}
        </div>
        {looks && <div>{t.looks.of(t.looks.title) + told(looks, metric, t)}</div>}
        {thinnedFrom !== undefined && <div>{t.monitor.thinned(whole(thinnedFrom))}</div>}
        {best && <div>{t.looks.soFar(percent(best.accuracy), whole(best.iteration))}</div>}
        {curve.iterations.length === 0 && connection !== "loading" ? (
          <Nothing
            text={
              isPresent && task.state === "TASK_STATE_WAITING"
                ? t.monitor.waiting
                : isPresent && isRunning(task)
                  ? t.monitor.notYet
                  : t.monitor.noCurve
            }
          />
        ) : (
          <LossChart
            series={series}
            words={{
              iteration: t.monitor.iteration,
              hint: t.monitor.zoomHint,
              accuracy: t.monitor[metric],
            }}
            logScale={logScale}
            smoothing={smoothing}
            label={`${name} ${t.monitor.loss}`}
            onRange={zoom}
          />
        )}
      </Card>
      <div className="span-12">
        <LogTail task={id} network={network} attempt={attempt} title={`${name} · ${t.monitor.log}`} />
      </div>
    </>
  );
}
