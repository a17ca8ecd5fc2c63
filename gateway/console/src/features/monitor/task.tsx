/**
 * What is known of tasks everywhere: how a state looks, and what may be done in it (T). Plain elements: a list draws
 * dozens of each in a frame while it is scrolled, and the component library's take some ten times as long.
 */
import { App } from "antd";
import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { api, type Schemas } from "../../api/client";
import { useSpeech } from "../../i18n";
import { duration, lastPart, shortVersion } from "../../ui/format";
import { useSession } from "../../api/session";
import { useAct } from "../../ui/useAct";

export type Task = Schemas["Task"];
export type TaskState = Schemas["TaskState"];

export type Operation = "terminate" | "start" | "release" | "delete";

const OPERATIONS: Record<TaskState, Operation[]> = {
  TASK_STATE_UNSPECIFIED: [],
  TASK_STATE_WAITING: ["delete"],
  TASK_STATE_TRAINING: ["terminate"],
  TASK_STATE_PREDICTING: ["terminate"],
  TASK_STATE_PACKAGING: ["terminate"],
  TASK_STATE_TERMINATED: ["start", "delete"],
  TASK_STATE_COMPLETED: ["release", "delete"],
  TASK_STATE_FAILED: ["start", "delete"],
  TASK_STATE_RELEASED: [],
};

/** What the state allows; only a training is released, and what is ending is left to end. */
export function operations(task: Task): Operation[] {
  if (task.terminating) return [];
  return OPERATIONS[task.state].filter((operation) => operation !== "release" || task.training !== undefined);
}

export function isRunning(task: Task): boolean {
  return DOTS[task.state] === "processing";
}

/** Seconds of the present attempt, still growing while it runs. */
export function runtimeS(task: Task, now = Date.now()): number | undefined {
  if (!task.startTime) return undefined;
  return ((task.endTime ? Date.parse(task.endTime) : now) - Date.parse(task.startTime)) / 1000;
}

const DOTS = {
  TASK_STATE_UNSPECIFIED: "default",
  TASK_STATE_WAITING: "default",
  TASK_STATE_TRAINING: "processing",
  TASK_STATE_PREDICTING: "processing",
  TASK_STATE_PACKAGING: "processing",
  TASK_STATE_TERMINATED: "warning",
  TASK_STATE_COMPLETED: "success",
  TASK_STATE_FAILED: "error",
  TASK_STATE_RELEASED: "success",
} as const;

export function StateTag({ task }: { task: Task }): ReactNode {
  const { t } = useSpeech();
  const predicted: Partial<Record<TaskState, string>> = task.prediction ? t.predictionStates : {};
  return (
    <>
      <span className={`state state-${DOTS[task.state]}`}>{predicted[task.state] ?? t.taskStates[task.state]}</span>
      {task.terminating && <small>{t.tasks.terminating}</small>}
    </>
  );
}

/** The bar; and under it why it waits, or where it is and how long it will take. */
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
    under = [t.phases[task.phase], remaining && `${t.monitor.remaining} ${duration(Number.parseFloat(remaining), language)}`]
      .filter(Boolean)
      .join(" · ");
  } else if (task.failure) {
    under = pick(task.failure.message, task.failure.messageZh);
  }
  return (
    <div style={{ minWidth: 190, maxWidth: 300 }}>
      <Bar share={done ? 100 : share} look={task.state === "TASK_STATE_FAILED" ? "error" : done ? "success" : "primary"} label={t.tasks.progress} />
      {under && <small className="dim">{under}</small>}
    </div>
  );
}

function Bar({ share, look, label }: { share: number; look: "primary" | "success" | "error"; label: string }): ReactNode {
  return (
    <div className="bar" role="progressbar" aria-label={label} aria-valuenow={share} aria-valuemin={0} aria-valuemax={100}>
      <span className="bar-all">
        <span className="bar-done" style={{ width: `${share}%`, background: `var(--ant-color-${look})` }} />
      </span>
      {share} %
    </div>
  );
}

export function taskTitle(task: Task): string {
  return task.training?.modelName ?? (task.prediction ? shortVersion(task.prediction.modelVersion) : lastPart(task.name));
}

/** The titles, by name, of the newest tasks in these states; of more than one page the rest go by their ids. */
export async function titlesOf(states: TaskState[], signal: AbortSignal): Promise<Map<string, string>> {
  const { tasks } = await api.get("/v1/tasks", { query: { states, pageSize: 200 }, signal });
  return new Map(tasks.map((task) => [task.name, taskTitle(task)]));
}

/** Buttons for what the state allows, each asked again before it is done. */
export function TaskActions({ task, onChanged }: { task: Task; onChanged: () => void }): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const { modal } = App.useApp();
  const act = useAct();
  const navigate = useNavigate();
  const id = lastPart(task.name);
  const known = {
    terminate: {
      label: t.tasks.terminate,
      ask: t.tasks.terminateConfirm,
      role: "ROLE_ENGINEER" as const,
      run: () => api.post("/v1/tasks/{task}:terminate", { path: { task: id }, etag: task.etag }),
    },
    start: {
      label: t.tasks.start,
      ask: t.tasks.startConfirm,
      role: "ROLE_ENGINEER" as const,
      run: () => api.post("/v1/tasks/{task}:start", { path: { task: id }, etag: task.etag }),
    },
    release: {
      label: t.tasks.release,
      ask: t.tasks.releaseConfirm,
      role: "ROLE_RELEASER" as const,
      run: () => api.post("/v1/tasks/{task}:release", { path: { task: id }, etag: task.etag }),
    },
    delete: {
      label: t.common.delete,
      ask: t.tasks.deleteConfirm,
      role: "ROLE_ENGINEER" as const,
      run: () => api.delete("/v1/tasks/{task}", { path: { task: id }, etag: task.etag }),
    },
  };
  return (
    <>
      {operations(task)
        .filter((operation) => may(known[operation].role))
        .map((operation) => {
          const { label, ask, run } = known[operation];
          return (
            <button
              key={operation}
              type="button"
              className={operation === "delete" || operation === "terminate" ? "linklike linklike-danger" : "linklike"}
              onClick={() => {
                modal.confirm({
                  title: `${label} · ${taskTitle(task)}`,
                  content: ask,
                  okButtonProps: { danger: operation === "delete" || operation === "terminate" },
                  onOk: async () => {
                    const done = await act(run, t.common.done);
                    if (done && operation === "delete") await navigate(task.training ? "/tasks" : "/predictions");
                    onChanged();
                  },
                });
              }}
            >
              {label}
            </button>
          );
        })}
    </>
  );
}
