/**
 * How a task's state and progress look. Plain elements: a list draws dozens of each in a frame while it is scrolled,
 * and the elements of the component library take about ten times as long.
 */
import type { ReactNode } from "react";
import { useSpeech } from "../../i18n";
import { duration } from "../../ui/format";
import { DOTS, isRunning, type Task, type TaskState } from "./task";

export function StateTag({
  task,
}: {
  task: Pick<Task, "state" | "terminating"> & { prediction?: unknown };
}): ReactNode {
  const { t } = useSpeech();
  const predicted: Partial<Record<TaskState, string>> = task.prediction ? t.predictionStates : {};
  return (
    <>
      <span className={`state state-${DOTS[task.state]}`}>{predicted[task.state] ?? t.taskStates[task.state]}</span>
      {task.terminating && <small>{t.tasks.terminating}</small>}
    </>
  );
}

/** The progress bar; below it the wait reason, or the phase and the remaining time, or the failure. */
export function TaskProgress({ task }: { task: Task }): ReactNode {
  const { t, language, pick } = useSpeech();
  const share = Math.floor((task.progress?.overallFraction ?? 0) * 1000) / 10;
  const done = task.state === "TASK_STATE_COMPLETED" || task.state === "TASK_STATE_RELEASED";
  const remaining = task.progress?.remaining;
  let under: ReactNode = null;
  if (task.wait?.reason) {
    const since = task.wait.since ? (Date.now() - Date.parse(task.wait.since)) / 1000 : undefined;
    under = (
      <span title={pick(task.wait.message, task.wait.messageZh)}>
        {pick(task.wait.message, task.wait.messageZh)}
        {Number(task.wait.queuePosition) > 0 && ` · ${t.tasks.waits(task.wait.queuePosition)}`}
        {since !== undefined && ` · ${t.tasks.since(duration(since, language))}`}
      </span>
    );
  } else if (isRunning(task)) {
    under = [
      t.phases[task.phase],
      remaining && `${t.monitor.remaining} ${duration(Number.parseFloat(remaining), language)}`,
    ]
      .filter(Boolean)
      .join(" · ");
  } else if (task.failure) {
    under = (
      <span title={pick(task.failure.remedy, task.failure.remedyZh)}>
        {pick(task.failure.message, task.failure.messageZh)}
      </span>
    );
  }
  return (
    <div style={{ minWidth: 190, maxWidth: 300 }}>
      <Bar
        share={done ? 100 : share}
        look={task.state === "TASK_STATE_FAILED" ? "error" : done ? "success" : "primary"}
        label={t.tasks.progress}
      />
      {under && <small className="dim">{under}</small>}
    </div>
  );
}

function Bar({
  share,
  look,
  label,
}: {
  share: number;
  look: "primary" | "success" | "error";
  label: string;
}): ReactNode {
  return (
    <div
      className="bar"
      role="progressbar"
      aria-label={label}
      aria-valuenow={share}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <span className="bar-all">
        <span className="bar-done" style={{ width: `${share}%`, background: `var(--ant-color-${look})` }} />
      </span>
      {share} %
    </div>
  );
}
