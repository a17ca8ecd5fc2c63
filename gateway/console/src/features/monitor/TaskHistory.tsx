import { Card } from "antd";
import type { ReactNode } from "react";
import { api } from "../../api/client";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { time } from "../../ui/format";
import { Answered } from "../../ui/states";
import { action, type Task } from "./task";

/** Every change of a task's state, and requests to terminate it: when, and by whom. */
export default function TaskHistory({ task }: { task: Task }): ReactNode {
  const { t, language } = useSpeech();
  const id = task.name.replace("tasks/", "");
  const transitions = useApiQuery(["tasks", id, "transitions", task.etag], (signal) =>
    api.get("/v1/tasks/{task}/transitions", { path: { task: id }, signal }),
  );
  return (
    <Card size="small" title={t.monitor.history}>
      <Answered query={transitions}>
        {({ transitions: all }) => (
          <ol className="history">
            {all.map((change) => (
              <li key={change.revision}>
                {t.taskStates[change.to]}{" "}
                <span className="dim">
                  {time(change.time, language)} · {t.monitor.actions[action(change)](t.monitor.who(change.cause))}
                  {change.attempt > 1 && ` · ${t.tasks.attempt(change.attempt)}`}
                </span>
              </li>
            ))}
          </ol>
        )}
      </Answered>
    </Card>
  );
}
