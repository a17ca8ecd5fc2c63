import { PlusOutlined, ReloadOutlined } from "@ant-design/icons";
import { Button, Input, Select, Table, Tag } from "antd";
import { useEffect, useRef, type ReactNode } from "react";
import { Link, useSearchParams } from "react-router";
import { api } from "../api/client";
import { useSpeech } from "../i18n";
import { Page } from "../shared/Page";
import { duration, lastPart, time } from "../shared/format";
import { useSession } from "../shared/session";
import { Answered, Nothing } from "../shared/states";
import { StateTag, TaskActions, TaskProgress, runtimeS, type Task, type TaskState } from "../shared/tasks";
import { useDebounced } from "../shared/useDebounced";
import { useVisibleRows } from "../shared/useVisibleRows";
import { useWindow, type Windowed } from "../shared/useWindow";

const STATES = [
  "TASK_STATE_WAITING",
  "TASK_STATE_TRAINING",
  "TASK_STATE_TERMINATED",
  "TASK_STATE_COMPLETED",
  "TASK_STATE_FAILED",
  "TASK_STATE_RELEASED",
] as const;

const LIVE_MS = 3000;
const PAGE = 50;
const ROW_PX = 66;

/** 训练任务管理: all trainings as they go on. */
export default function Tasks(): ReactNode {
  const { t } = useSpeech();
  const { may, principal } = useSession();
  const [search, setSearch] = useSearchParams();
  const text = search.get("q") ?? "";
  const states = search.getAll("state") as TaskState[];
  const own = search.get("own") === "1";
  const wanted = useDebounced(text);
  const tasks = useWindow(
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
    PAGE,
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
        {() => <TaskTable tasks={tasks} />}
      </Answered>
    </Page>
  );
}

/** However many tasks there are, the rows in the window and a few beyond it are drawn, and a few pages held (T3). */
function TaskTable({ tasks }: { tasks: Windowed<Task> }): ReactNode {
  const { t, language } = useSpeech();
  const box = useRef<HTMLDivElement>(null);
  // A row more than is known, so that one can scroll to what is still to come.
  const rows = tasks.known + (tasks.hasMore ? 1 : 0);
  const [first, end] = useVisibleRows(box, ROW_PX, rows);
  const { show, reload } = tasks;
  useEffect(() => {
    show(first, end);
  }, [show, first, end, tasks.known]);
  const drawn = Array.from({ length: Math.max(0, Math.min(end, tasks.known) - first) }, (_, index) => first + index);
  const cell = (render: (task: Task) => ReactNode) => (_: unknown, index: number) => {
    const task = tasks.at(index);
    return task && render(task);
  };
  return (
    <div className="task-rows" ref={box}>
      <div style={{ height: first * ROW_PX }} />
      <Table<number>
        size="middle"
        rowKey={(index) => tasks.at(index)?.name ?? String(index)}
        pagination={false}
        tableLayout="fixed"
        dataSource={drawn}
        locale={{ emptyText: <Nothing text={t.tasks.empty} /> }}
        columns={[
          {
            title: t.tasks.model,
            ellipsis: true,
            render: cell((task) => (
              <Link to={`/tasks/${lastPart(task.name)}`} title={task.training?.modelName}>
                {task.training?.modelName}
              </Link>
            )),
          },
          {
            title: t.tasks.version,
            width: 72,
            render: cell((task) => (task.modelVersion ? lastPart(task.modelVersion) : `v${task.training?.targetMajor ?? 0}.—`)),
          },
          {
            title: t.common.state,
            width: 112,
            render: cell((task) => (
              <>
                <StateTag task={task} />
                {task.attempt > 1 && <Tag>{t.tasks.attempt(task.attempt)}</Tag>}
              </>
            )),
          },
          { title: t.tasks.progress, width: 215, render: cell((task) => <TaskProgress task={task} />) },
          { title: t.common.creator, width: 84, ellipsis: true, render: cell((task) => lastPart(task.creator)) },
          { title: t.tasks.duration, width: 100, render: cell((task) => duration(runtimeS(task), language)) },
          { title: t.common.createTime, width: 108, render: cell((task) => time(task.createTime, language)) },
          {
            title: t.common.actions,
            width: 200,
            render: cell((task) => (
              <div className="row">
                <Link to={`/tasks/${lastPart(task.name)}`}>{t.tasks.monitor}</Link>
                {task.report && <Link to={`/reports/${lastPart(task.report)}`}>{t.tasks.report}</Link>}
                <TaskActions task={task} onChanged={reload} />
              </div>
            )),
          },
        ]}
      />
      <div style={{ height: Math.max(0, rows - end) * ROW_PX }} />
    </div>
  );
}
