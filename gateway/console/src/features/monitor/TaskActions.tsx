import { App } from "antd";
import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { api } from "../../api/client";
import { lastPart } from "../../api/names";
import { useSession } from "../../api/session";
import { useSpeech } from "../../i18n";
import { useAction } from "../../ui/useAction";
import { operations, type Task, taskTitle } from "./task";

/** Buttons for the operations that the state allows, each with a confirmation. */
export function TaskActions({ task }: { task: Task }): ReactNode {
  const { t } = useSpeech();
  const { may } = useSession();
  const { modal } = App.useApp();
  const act = useAction();
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
