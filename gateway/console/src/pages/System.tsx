import { Badge, Card } from "antd";
import type { ReactNode } from "react";
import { ApiError, api } from "../api/client";
import { useQuery } from "../api/useQuery";
import { useSpeech } from "../i18n";
import { Page } from "../shared/Page";
import { TaskProgress, StateTag, taskTitle } from "../shared/tasks";
import { Answered, Nothing } from "../shared/states";
import { Link } from "react-router";
import { lastPart } from "../shared/format";

/** 系统: whether every service answers, and what runs and waits. */
export default function System(): ReactNode {
  const { t } = useSpeech();
  const health = useQuery(
    "readyz",
    async (signal) => {
      const response = await fetch("/readyz", { signal }).catch(() => {
        throw new ApiError(0, undefined);
      });
      return (await response.json()) as { status: string; backends: Record<string, string> };
    },
    5000,
  );
  const queue = useQuery(
    "queue",
    (signal) =>
      api.get("/v1/tasks", {
        query: { states: ["TASK_STATE_WAITING", "TASK_STATE_TRAINING", "TASK_STATE_PREDICTING"], pageSize: 100 },
        signal,
      }),
    5000,
  );
  return (
    <Page title={t.system.title} actions={<a href="/docs">{t.system.interface}</a>}>
      <div className="grid">
        <Card size="small" className="span-4" title={t.system.services}>
          <Answered query={health}>
            {({ backends }) => (
              <div style={{ display: "grid", gap: 8 }}>
                {Object.entries({ gateway: "SERVING", ...backends }).map(([name, state]) => (
                  <Badge
                    key={name}
                    status={state === "SERVING" ? "success" : "error"}
                    text={`${name}: ${state === "SERVING" ? t.system.serving : `${t.system.notServing} (${state})`}`}
                  />
                ))}
              </div>
            )}
          </Answered>
        </Card>
        <Card size="small" className="span-8" title={t.system.queue}>
          <Answered query={queue}>
            {({ tasks }) =>
              tasks.length === 0 ? (
                <Nothing />
              ) : (
                <div style={{ display: "grid", gap: 10 }}>
                  {tasks.map((task) => (
                    <div key={task.name} className="row">
                      <Link to={`/tasks/${lastPart(task.name)}`}>{taskTitle(task)}</Link>
                      <StateTag task={task} />
                      <TaskProgress task={task} />
                    </div>
                  ))}
                </div>
              )
            }
          </Answered>
        </Card>
      </div>
    </Page>
  );
}
