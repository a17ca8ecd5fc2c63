import { PlusOutlined, ReloadOutlined } from "@ant-design/icons";
import { Button, Input, Select, Table, Tag } from "antd";
import type { ReactNode } from "react";
import { Link, useSearchParams } from "react-router";
import { api } from "../api/client";
import { useSpeech } from "../i18n";
import { More } from "../shared/More";
import { Page } from "../shared/Page";
import { duration, lastPart, time } from "../shared/format";
import { useSession } from "../shared/session";
import { Answered, Nothing } from "../shared/states";
import { StateTag, TaskActions, TaskProgress, runtimeS, type Task, type TaskState } from "../shared/tasks";
import { useDebounced } from "../shared/useDebounced";
import { usePages } from "../shared/usePages";

const STATES = [
  "TASK_STATE_WAITING",
  "TASK_STATE_TRAINING",
  "TASK_STATE_TERMINATED",
  "TASK_STATE_COMPLETED",
  "TASK_STATE_FAILED",
  "TASK_STATE_RELEASED",
] as const;

const LIVE_MS = 3000;

/** 训练任务管理: all trainings as they go on. */
export default function Tasks(): ReactNode {
  const { t, language } = useSpeech();
  const { may, principal } = useSession();
  const [search, setSearch] = useSearchParams();
  const text = search.get("q") ?? "";
  const states = search.getAll("state") as TaskState[];
  const own = search.get("own") === "1";
  const wanted = useDebounced(text);
  const tasks = usePages(
    `tasks ${wanted} ${states.join()} ${own}`,
    async (page, signal) => {
      const answer = await api.get("/v1/tasks", {
        query: {
          ...page,
          kind: "TASK_KIND_TRAINING",
          states,
          modelNameContains: wanted,
          creator: own ? principal.name : "",
        },
        signal,
      });
      return { items: answer.tasks, next: answer.nextPageToken };
    },
    LIVE_MS,
  );
  const put = (change: (search: URLSearchParams) => void) => {
    setSearch(
      (before) => {
        change(before);
        return before;
      },
      { replace: true },
    );
  };
  return (
    <Page
      title={t.tasks.title}
      actions={
        <>
          <Button icon={<ReloadOutlined />} onClick={tasks.reload} loading={tasks.loading && !tasks.data}>
            {t.common.refresh}
          </Button>
          {may("ROLE_ENGINEER") && (
            <Link to="/new">
              <Button type="primary" icon={<PlusOutlined />}>
                {t.models.newModel}
              </Button>
            </Link>
          )}
        </>
      }
    >
      <div className="filters">
        <Input.Search
          allowClear
          style={{ width: 240 }}
          placeholder={t.tasks.searchHint}
          aria-label={t.tasks.searchHint}
          value={text}
          onChange={(event) => {
            put((before) => {
              before.set("q", event.target.value);
            });
          }}
        />
        <Select
          mode="multiple"
          allowClear
          style={{ minWidth: 240 }}
          placeholder={t.common.state}
          aria-label={t.common.state}
          value={states}
          onChange={(chosen: TaskState[]) => {
            put((before) => {
              before.delete("state");
              for (const state of chosen) before.append("state", state);
            });
          }}
          options={STATES.map((value) => ({ value, label: t.taskStates[value] }))}
        />
        <Select
          style={{ width: 150 }}
          aria-label={t.common.creator}
          value={own ? "1" : ""}
          onChange={(chosen) => {
            put((before) => {
              before.set("own", chosen);
            });
          }}
          options={[
            { value: "", label: `${t.common.creator}: ${t.common.all}` },
            { value: "1", label: lastPart(principal.name) },
          ]}
        />
      </div>
      <Answered query={tasks}>
        {(all) => (
          <>
            <TaskTable tasks={all} onChanged={tasks.reload} empty={t.tasks.empty} language={language} />
            <More pages={tasks} />
          </>
        )}
      </Answered>
    </Page>
  );
}

function TaskTable({
  tasks,
  onChanged,
  empty,
  language,
}: {
  tasks: Task[];
  onChanged: () => void;
  empty: string;
  language: "zh" | "en";
}): ReactNode {
  const { t } = useSpeech();
  return (
    <Table<Task>
      size="middle"
      rowKey="name"
      pagination={false}
      scroll={{ x: "max-content" }}
      dataSource={tasks}
      locale={{ emptyText: <Nothing text={empty} /> }}
      columns={[
        {
          title: t.tasks.model,
          render: (_, task) => <Link to={`/tasks/${lastPart(task.name)}`}>{task.training?.modelName}</Link>,
        },
        {
          title: t.tasks.version,
          render: (_, task) => (task.modelVersion ? lastPart(task.modelVersion) : `v${task.training?.targetMajor ?? 0}.—`),
        },
        {
          title: t.common.state,
          render: (_, task) => (
            <>
              <StateTag task={task} />
              {task.attempt > 1 && <Tag>{t.tasks.attempt(task.attempt)}</Tag>}
            </>
          ),
        },
        { title: t.tasks.progress, render: (_, task) => <TaskProgress task={task} /> },
        { title: t.common.creator, render: (_, task) => lastPart(task.creator) },
        { title: t.tasks.duration, render: (_, task) => duration(runtimeS(task), language) },
        { title: t.common.createTime, render: (_, task) => time(task.createTime, language) },
        {
          title: t.common.actions,
          render: (_, task) => (
            <div className="row">
              <Link to={`/tasks/${lastPart(task.name)}`}>{t.tasks.monitor}</Link>
              {task.report && <Link to={`/reports/${lastPart(task.report)}`}>{t.tasks.report}</Link>}
              <TaskActions task={task} onChanged={onChanged} />
            </div>
          ),
        },
      ]}
    />
  );
}
