import { Select } from "antd";
import type { ReactNode } from "react";
import { api } from "../../api/client";
import { lastPart } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { taskTitle, type Task } from "./task";

interface Props {
  task: string;
  chosen: Task | undefined;
  onChange: (task: Task | undefined) => void;
}

/** Another training whose curve is to be drawn beside. */
export function OtherTask({ task, chosen, onChange }: Props): ReactNode {
  const { t } = useSpeech();
  const others = useApiQuery(["tasks", { kind: "TASK_KIND_TRAINING", pageSize: 50 }], (signal) =>
    api.get("/v1/tasks", { query: { kind: "TASK_KIND_TRAINING", pageSize: 50 }, signal }),
  );
  return (
    <Select
      size="small"
      allowClear
      style={{ minWidth: 200, marginLeft: 16 }}
      placeholder={t.monitor.compare}
      aria-label={t.monitor.compare}
      value={chosen?.name ?? null}
      onChange={(name: string | undefined) => {
        onChange(others.data?.tasks.find((one) => one.name === name));
      }}
      options={others.data?.tasks
        .filter((one) => one.name !== task)
        .map((one) => ({ value: one.name, label: `${taskTitle(one)} ${lastPart(one.modelVersion)}` }))}
    />
  );
}
