/** A task: what may be done in each of its states (T), and how it is called on a page. */
import { api, type Schemas } from "../../api/client";
import { lastPart, shortVersion } from "../../api/names";

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
  return task.training?.modelName ?? (task.prediction ? shortVersion(task.prediction.modelVersion) : lastPart(task.name));
}

/** The titles, by name, of the newest tasks in these states; of more than one page the rest go by their ids. */
export async function titlesOf(states: TaskState[], signal: AbortSignal): Promise<Map<string, string>> {
  const { tasks } = await api.get("/v1/tasks", { query: { states, pageSize: 200 }, signal });
  return new Map(tasks.map((task) => [task.name, taskTitle(task)]));
}

