import { Select } from "antd";
import type { ReactNode } from "react";
import { useSpeech } from "../../i18n";
import type { Task } from "./task";

interface Props {
  task: Task;
  chosen: number;
  /** Undefined follows the present attempt, also when a new one is started. */
  onChange: (attempt: number | undefined) => void;
}

/** Which attempt's curves and logs are shown (M6). */
export default function Attempts({ task, chosen, onChange }: Props): ReactNode {
  const { t } = useSpeech();
  const label = (attempt: number) =>
    attempt === task.attempt ? `${t.tasks.attempt(attempt)} · ${t.monitor.presentAttempt}` : t.tasks.attempt(attempt);
  return (
    <div className="span-12 row">
      <span>{t.monitor.attempt}</span>
      <Select
        size="small"
        style={{ minWidth: 180 }}
        aria-label={t.monitor.attempt}
        value={chosen}
        onChange={(attempt: number) => {
          onChange(attempt === task.attempt ? undefined : attempt);
        }}
        options={Array.from({ length: task.attempt }, (_, index) => ({
          value: task.attempt - index,
          label: label(task.attempt - index),
        }))}
      />
    </div>
  );
}
