/** A task: the operations that each state allows (T), and its title. */
import { api, type Schemas } from "../../api/client";
import { judged, lastPart } from "../../api/names";

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

/** The operations that the state allows. Only a training can be released; a task that is terminating allows none. */
export function operations(task: Task): Operation[] {
  if (task.terminating) return [];
  return OPERATIONS[task.state].filter((operation) => operation !== "release" || task.training !== undefined);
}

/** Where the wizard begins with the answers of a training that made no model; undefined for other tasks. */
export function wizardOf({ name, state, training }: Task): string | undefined {
  if (!training || (state !== "TASK_STATE_FAILED" && state !== "TASK_STATE_TERMINATED")) return undefined;
  const search = new URLSearchParams({ task: lastPart(name) });
  if (training.parentVersion) search.set("parent", training.parentVersion);
  return `/new?${search.toString()}`;
}

export type Action =
  | "submitted"
  | "startedAgain"
  | "began"
  | "completed"
  | "failed"
  | "endRequested"
  | "terminated"
  | "released";

/** What was done that brought a task into a state, or that somebody asked for its end (M6). */
export function action({
  from,
  to,
  terminationRequested,
}: Pick<Schemas["TaskTransition"], "from" | "to" | "terminationRequested">): Action {
  if (terminationRequested) return "endRequested";
  switch (to) {
    case "TASK_STATE_WAITING":
      return from === "TASK_STATE_UNSPECIFIED" ? "submitted" : "startedAgain";
    case "TASK_STATE_COMPLETED":
      return "completed";
    case "TASK_STATE_FAILED":
      return "failed";
    case "TASK_STATE_TERMINATED":
      return "terminated";
    case "TASK_STATE_RELEASED":
      return "released";
    default:
      return "began";
  }
}

export function isRunning(task: Task): boolean {
  return DOTS[task.state] === "processing";
}

/** Seconds of the present attempt, still growing while it runs. */
export function runtimeS(task: Task, now = Date.now()): number | undefined {
  if (!task.startTime) return undefined;
  return ((task.endTime ? Date.parse(task.endTime) : now) - Date.parse(task.startTime)) / 1000;
}

export const DOTS = {
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

export function taskTitle(task: Task): string {
  return task.training?.modelName ?? (task.prediction ? judged(task.prediction) : lastPart(task.name));
}

/** The titles of the newest 200 tasks in these states, by name; older tasks are shown by their ids. */
export async function titlesOf(states: TaskState[], signal: AbortSignal): Promise<Map<string, string>> {
  const { tasks } = await api.get("/v1/tasks", { query: { states, pageSize: 200 }, signal });
  return new Map(tasks.map((task) => [task.name, taskTitle(task)]));
}

