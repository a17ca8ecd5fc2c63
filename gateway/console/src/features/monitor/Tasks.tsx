import { PlusOutlined, ReloadOutlined } from "@ant-design/icons";
import { Button, Input, Select, Tag } from "antd";
import { memo, useEffect, useRef, type ReactNode } from "react";
import { Link } from "react-router";
import { api } from "../../api/client";
import { lastPart } from "../../api/names";
import { useSession } from "../../api/session";
import { useWindowedQuery, type WindowedQuery } from "../../api/useWindowedQuery";
import { useSpeech } from "../../i18n";
import { duration, time } from "../../ui/format";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { useDebounced } from "../../ui/useDebounced";
import { useSearch } from "../../ui/useSearch";
import { useVisibleRows } from "../../ui/useVisibleRows";
import { runtimeS, type Task, type TaskState } from "./task";
import { TaskActions } from "./TaskActions";
import { StateTag, TaskProgress } from "./TaskStatus";

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
/** Rows that are drawn outside the window, on each side. */
const BEYOND = 6;
/** How often durations are updated while a task does not change. */
const CLOCK_MS = 15_000;
const WIDTHS = ["auto", "72px", "112px", "215px", "84px", "100px", "108px", "200px"];

/** 训练任务管理: all trainings as they go on. */
export default function Tasks(): ReactNode {
  const { t } = useSpeech();
  const { may, principal } = useSession();
  const [search, put] = useSearch();
  const text = search.get("q") ?? "";
  const states = search.getAll("state") as TaskState[];
  const own = search.get("own") === "1";
  const wanted = useDebounced(text);
  const tasks = useWindowedQuery(
    ["tasks", { kind: "TASK_KIND_TRAINING", wanted, states, own }],
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
            put("q", event.target.value);
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
            put("state", chosen);
          }}
          options={STATES.map((value) => ({ value, label: t.taskStates[value] }))}
        />
        <Select
          style={{ width: 150 }}
          aria-label={t.common.creator}
          value={own ? "1" : ""}
          onChange={(chosen) => {
            put("own", chosen);
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

/** Draws only the rows near the window, and holds only a few pages, however many tasks there are (T3). */
function TaskTable({ tasks }: { tasks: WindowedQuery<Task> }): ReactNode {
  const { t } = useSpeech();
  const body = useRef<HTMLTableSectionElement>(null);
  // One row more than is known, so that people can scroll to rows that are not loaded yet.
  const rows = tasks.known + (tasks.hasMore ? 1 : 0);
  const [first, end] = useVisibleRows(body, ROW_PX, rows, BEYOND);
  const { show } = tasks;
  useEffect(() => {
    show(first, end);
  }, [show, first, end, tasks.known]);
  if (rows === 0) return <Nothing text={t.tasks.empty} />;
  const now = Math.floor(Date.now() / CLOCK_MS) * CLOCK_MS;
  const drawn = Array.from({ length: Math.max(0, Math.min(end, tasks.known) - first) }, (_, index) => first + index);
  return (
    <table className="task-rows" aria-rowcount={tasks.hasMore ? -1 : rows + 1}>
      <colgroup>
        {WIDTHS.map((width, index) => (
          <col key={index} style={{ width }} />
        ))}
      </colgroup>
      <thead>
        <tr>
          {[
            t.tasks.model,
            t.tasks.version,
            t.common.state,
            t.tasks.progress,
            t.common.creator,
            t.tasks.duration,
            t.common.createTime,
            t.common.actions,
          ].map((title) => (
            <th key={title} scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        <Gap key="above" rows={first} />
        {drawn.map((index) => {
          const task = tasks.at(index);
          return <Row key={task?.name ?? index} place={index + 2} task={task} now={task?.endTime ? 0 : now} />;
        })}
        <Gap key="below" rows={Math.max(0, rows - end)} />
      </tbody>
    </table>
  );
}

function Gap({ rows }: { rows: number }): ReactNode {
  return rows > 0 && <tr aria-hidden="true" style={{ height: rows * ROW_PX }} />;
}

interface RowProps {
  /** The number of the row in the whole table; the header is row 1. */
  place: number;
  task: Task | undefined;
  /** The end of durations of a task that runs; any number where the task has ended. */
  now: number;
}

/** Memoised: rendered again only when its task changes. */
const Row = memo(function Row({ place, task, now }: RowProps): ReactNode {
  const { language, t } = useSpeech();
  if (!task) {
    return (
      <tr aria-rowindex={place}>
        <td colSpan={WIDTHS.length} />
      </tr>
    );
  }
  return (
    <tr aria-rowindex={place}>
      <td>
        <Link className="one-line" to={`/tasks/${lastPart(task.name)}`} title={task.training?.modelName}>
          {task.training?.modelName}
        </Link>
      </td>
      <td>{task.modelVersion ? lastPart(task.modelVersion) : `v${task.training?.targetMajor ?? 0}.—`}</td>
      <td>
        <StateTag task={task} />
        {task.attempt > 1 && <Tag>{t.tasks.attempt(task.attempt)}</Tag>}
      </td>
      <td>
        <TaskProgress task={task} />
      </td>
      <td>
        <span className="one-line">{lastPart(task.creator)}</span>
      </td>
      <td>{duration(runtimeS(task, now), language)}</td>
      <td>{time(task.createTime, language)}</td>
      <td>
        <div className="row">
          <Link to={`/tasks/${lastPart(task.name)}`}>{t.tasks.monitor}</Link>
          {task.report && <Link to={`/reports/${lastPart(task.report)}`}>{t.tasks.report}</Link>}
          <TaskActions task={task} />
        </div>
      </td>
    </tr>
  );
});
