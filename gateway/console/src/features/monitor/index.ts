/** What other features show of tasks. */
export { Looks } from "./looks";
export { OverlapAlert, OverlapTag } from "./overlap";
export { isRunning, runtimeS, taskTitle, titlesOf, type Task, type TaskState } from "./task";
export { TaskActions } from "./TaskActions";
export { StateTag, TaskProgress } from "./TaskStatus";
export { useTask } from "./useTask";
