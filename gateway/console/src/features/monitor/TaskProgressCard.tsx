import { Alert, Card, Progress } from "antd";
import { useEffect, useState, type ReactNode } from "react";
import { useSpeech } from "../../i18n";
import { duration, seconds, time, whole } from "../../ui/format";
import { isRunning, runtimeS, type Task } from "./task";

/** Progress, speed and expected end of a task (M2). */
export function TaskProgressCard({ task }: { task: Task }): ReactNode {
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
        <Fact label={t.tasks.duration} value={duration(runtimeS(task, now), language)} />
        {running && (
          <Fact
            label={t.monitor.remaining}
            value={
              <span
                title={
                  low !== undefined && high !== undefined
                    ? `${duration(low, language)} – ${duration(high, language)}`
                    : undefined
                }
              >
                {duration(remaining, language)}
              </span>
            }
          />
        )}
        <Fact
          label={running ? t.monitor.expectedEnd : t.monitor.endTime}
          value={<small>{time(end, language)}</small>}
        />
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

function Fact({ label, value }: { label: string; value: ReactNode }): ReactNode {
  return (
    <div>
      <div className="fact-label">{label}</div>
      <div className="fact-value">{value}</div>
    </div>
  );
}
