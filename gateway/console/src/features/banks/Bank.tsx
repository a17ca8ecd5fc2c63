import { ExperimentOutlined } from "@ant-design/icons";
import { Alert, App, Button, Card, Descriptions, Select, Table } from "antd";
import { Suspense, useEffect, useState, type ReactNode } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { api, type Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import { useSession } from "../../api/session";
import { useApiQuery } from "../../api/useApiQuery";
import { usePagedQuery, type PagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { CodeCounts } from "../../ui/CodeCounts";
import { deferred } from "../../ui/deferred";
import { time, whole } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered } from "../../ui/states";
import { useAction } from "../../ui/useAction";
import { StateTag, TaskActions, TaskProgress, taskTitle, type Task } from "../monitor";
import { AutomaticTests } from "./AutomaticTests";
import { bankTitle, runsItself, type Bank, when } from "./bank";
import { Leaderboard, useLeaderboard } from "./Leaderboard";
import { Leaks } from "./Leaks";

type Revision = Schemas["QuestionBankRevision"];

const BankForm = deferred(() => import("./BankForm"));
const ReviseBank = deferred(() => import("./ReviseBank"));
const TestVersions = deferred(() => import("./TestVersions"));

/** One question bank: its data, what was trained with it, and the versions that were tested with it (P7, P8). */
export default function BankPage(): ReactNode {
  const { bank: id = "" } = useParams();
  const query = useApiQuery(["questionBanks", id], (signal) =>
    api.get("/v1/questionBanks/{questionBank}", { path: { questionBank: id }, signal }),
  );
  const found = query.data;
  return (
    <Page title={found ? bankTitle(found) : id} actions={found && <Actions bank={found} />}>
      <Answered query={query}>
        {(bank) => (
          <div className="grid">
            {bank.archived && <Archived />}
            <Leaks bank={bank} />
            <Facts bank={bank} />
            <Results key={bank.revision?.number ?? 0} bank={bank} />
          </div>
        )}
      </Answered>
    </Page>
  );
}

/** What can be done with a bank. */
function Actions({ bank }: { bank: Bank }): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const { may } = useSession();
  const { modal } = App.useApp();
  const act = useAction();
  const [open, setOpen] = useState<"edit" | "revise" | "test">();
  const close = () => {
    setOpen(undefined);
  };
  const archive = (restore: boolean) =>
    act(
      () =>
        api.post("/v1/questionBanks/{questionBank}:archive", {
          path: { questionBank: lastPart(bank.name) },
          body: { restore },
          etag: bank.etag,
        }),
      t.common.done,
    );
  return (
    <>
      {may("ROLE_ENGINEER") && (
        <>
          <Button onClick={() => { setOpen("edit"); }}>{words.edit}</Button>
          {!bank.archived && <Button onClick={() => { setOpen("revise"); }}>{words.newRevision}</Button>}
        </>
      )}
      {may("ROLE_RELEASER") && (
        <Button
          onClick={() => {
            if (bank.archived) void archive(true);
            else
              modal.confirm({
                title: `${words.archive} · ${bankTitle(bank)}`,
                content: words.archiveConfirm,
                okText: words.archive,
                onOk: () => archive(false),
              });
          }}
        >
          {bank.archived ? words.restore : words.archive}
        </Button>
      )}
      {may("ROLE_ENGINEER") && !bank.archived && (
        <Button type="primary" icon={<ExperimentOutlined />} onClick={() => { setOpen("test"); }}>
          {words.test}
        </Button>
      )}
      <Suspense fallback={null}>
        {open === "edit" && <BankForm bank={bank} onClose={close} />}
        {open === "revise" && <ReviseBank bank={bank} onClose={close} />}
        {open === "test" && <TestVersions bank={bank} onClose={close} />}
      </Suspense>
    </>
  );
}

function Archived(): ReactNode {
  const { language } = useSpeech();
  return <Alert className="span-12" type="info" showIcon title={bankWords[language].isArchived} />;
}

function Facts({ bank }: { bank: Bank }): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const { revision } = bank;
  return (
    <Card size="small" className="span-12" title={words.facts}>
      <Descriptions
        size="small"
        column={{ xs: 1, md: 2, xl: 4 }}
        items={[
          { key: "id", label: words.id, children: lastPart(bank.name) },
          { key: "environment", label: t.common.environment, children: lastPart(bank.productionEnvironment) },
          { key: "revision", label: words.revision, children: revision?.number },
          { key: "samples", label: words.samples, children: whole(revision?.sampleCount ?? 0) },
          {
            key: "automatic",
            label: words.automatic,
            children: runsItself(bank)
              ? `${when(bank, language)} · ${lastPart(bank.computeResource) || words.resourceOfTraining}`
              : t.common.no,
          },
          { key: "creator", label: t.common.creator, children: lastPart(bank.creator) },
          {
            key: "modifier",
            label: words.modifier,
            span: "filled",
            children: `${lastPart(bank.lastModifier)}, ${time(bank.updateTime, language)}`,
          },
          {
            key: "paths",
            label: words.paths,
            span: "filled",
            children: <Paths names={revision?.dataPaths ?? []} />,
          },
          {
            key: "codes",
            label: words.codes,
            span: "filled",
            children: <CodeCounts counts={revision?.codeCounts ?? []} />,
          },
          ...(bank.description
            ? [{ key: "text", label: t.common.description, span: "filled" as const, children: bank.description }]
            : []),
        ]}
      />
    </Card>
  );
}

function Paths({ names }: { names: readonly string[] }): ReactNode {
  return (
    <div className="row">
      {names.map((name) => (
        <Link key={name} to={`/datasets/${shortPath(name)}`}>
          {shortPath(name)}
        </Link>
      ))}
    </div>
  );
}

const UNDER_WAY = ["TASK_STATE_WAITING", "TASK_STATE_PREDICTING"] as const;
const INTERVAL_MS = 3000;

/** Tests under way, the leaderboard of a revision, and the revisions. */
function Results({ bank }: { bank: Bank }): ReactNode {
  const { language } = useSpeech();
  const words = bankWords[language];
  const id = lastPart(bank.name);
  const [search, setSearch] = useSearchParams();
  const current = bank.revision?.number ?? 0;
  const shown = Number(search.get("revision")) || current;
  const revisions = usePagedQuery(["questionBanks", id, "revisions"], async (page, signal) => {
    const answer = await api.get("/v1/questionBanks/{questionBank}/revisions", {
      path: { questionBank: id },
      query: page,
      signal,
    });
    return { items: answer.revisions, next: answer.nextPageToken };
  });
  const tasks = useApiQuery(
    ["tasks", { kind: "TASK_KIND_PREDICTION", states: UNDER_WAY }],
    (signal) =>
      api.get("/v1/tasks", {
        query: { kind: "TASK_KIND_PREDICTION", states: [...UNDER_WAY], pageSize: 200 },
        signal,
      }),
    { intervalMs: INTERVAL_MS },
  );
  const running = (tasks.data?.tasks ?? []).filter((task) =>
    task.prediction?.questionBank.startsWith(`${bank.name}/`),
  );
  const board = useLeaderboard(id, shown);
  // A test that ended has its report by then.
  const { reload } = board;
  const names = running.map((task) => task.name).join();
  useEffect(reload, [reload, names]);
  const show = (number: number) => {
    setSearch(number === current ? {} : { revision: String(number) }, { replace: true });
  };
  return (
    <>
      {running.length > 0 && <UnderWay tasks={running} />}
      <Card
        size="small"
        className="span-12"
        title={words.leaderboard}
        extra={
          <Select
            size="small"
            style={{ minWidth: 130 }}
            aria-label={words.revision}
            value={shown}
            onChange={show}
            options={(revisions.data ?? []).map(({ number }) => ({ value: number, label: words.revisionOf(number) }))}
          />
        }
      >
        <Leaderboard query={board} />
      </Card>
      <AutomaticTests bank={bank} />
      <Revisions pages={revisions} shown={shown} onShow={show} />
    </>
  );
}

function UnderWay({ tasks }: { tasks: readonly Task[] }): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  return (
    <Card size="small" className="span-12" title={words.underWay}>
      <Table<Task>
        size="small"
        rowKey="name"
        pagination={false}
        scroll={{ x: "max-content" }}
        dataSource={tasks}
        columns={[
          {
            title: t.models.version,
            render: (_, task) => (
              <Link to={`/tasks/${lastPart(task.name)}`}>{taskTitle(task)}</Link>
            ),
          },
          { title: t.common.state, render: (_, task) => <StateTag task={task} /> },
          { title: t.tasks.progress, render: (_, task) => <TaskProgress task={task} /> },
          { title: t.common.creator, render: (_, task) => lastPart(task.creator) },
          { title: t.common.actions, render: (_, task) => <TaskActions task={task} /> },
        ]}
      />
    </Card>
  );
}

function Revisions({
  pages,
  shown,
  onShow,
}: {
  pages: PagedQuery<Revision>;
  shown: number;
  onShow: (number: number) => void;
}): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  return (
    <Card size="small" className="span-12" title={words.revisions}>
      <Answered query={pages}>
        {(all) => (
          <>
            <Table<Revision>
              size="small"
              rowKey="name"
              pagination={false}
              scroll={{ x: "max-content" }}
              dataSource={all}
              rowClassName={({ number }) => (number === shown ? "chosen-row" : "")}
              columns={[
                {
                  title: words.revision,
                  render: (_, { number }) => (
                    <button
                      type="button"
                      className="linklike"
                      aria-pressed={number === shown}
                      onClick={() => {
                        onShow(number);
                      }}
                    >
                      {words.revisionOf(number)}
                    </button>
                  ),
                },
                { title: words.samples, align: "right", render: (_, { sampleCount }) => whole(sampleCount) },
                { title: words.paths, render: (_, { dataPaths }) => <Paths names={dataPaths} /> },
                { title: words.codes, render: (_, { codeCounts }) => <CodeCounts counts={codeCounts} /> },
                { title: t.common.creator, render: (_, { creator }) => lastPart(creator) },
                { title: t.common.createTime, render: (_, { createTime }) => time(createTime, language) },
              ]}
            />
            <More pages={pages} />
          </>
        )}
      </Answered>
    </Card>
  );
}
