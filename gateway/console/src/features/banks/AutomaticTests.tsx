/** What became of the tests of trainings and released versions (P8): the task, or why none was submitted. */
import { Card, Table } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, type Schemas } from "../../api/client";
import { judged, lastPart } from "../../api/names";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { time } from "../../ui/format";
import { More } from "../../ui/More";
import { Answered, Nothing } from "../../ui/states";
import { StateTag } from "../monitor";
import { runsItself, type Bank } from "./bank";

type Run = Schemas["BankRun"];

const INTERVAL_MS = 5000;

/** Nothing for a bank that does not, and never did, run by itself. */
export function AutomaticTests({ bank }: { bank: Bank }): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  const runs = usePagedQuery(
    ["bankRuns", bank.name],
    async (page, signal) => {
      const answer = await api.get("/v1/bankRuns", { query: { ...page, questionBank: bank.name }, signal });
      return { items: answer.runs, next: answer.nextPageToken };
    },
    INTERVAL_MS,
    10,
  );
  if (!runsItself(bank) && !runs.data?.length) return null;
  return (
    <Card size="small" className="span-12" title={words.automaticTests}>
      <Answered query={runs}>
        {(all) => (
          <>
            <Table<Run>
              size="small"
              rowKey={(run) => run.trainingTask || run.modelVersion}
              pagination={false}
              scroll={{ x: "max-content" }}
              locale={{ emptyText: <Nothing text={words.noAutomaticTests} /> }}
              dataSource={all}
              columns={[
                {
                  title: words.tested,
                  render: (_, run) => (
                    <Link to={run.trainingTask ? `/tasks/${lastPart(run.trainingTask)}` : `/models/${run.model}`}>
                      {judged(run)}
                    </Link>
                  ),
                },
                {
                  title: words.revision,
                  render: (_, { questionBank }) => words.revisionOf(Number(lastPart(questionBank))),
                },
                { title: t.common.time, render: (_, run) => time(run.time, language) },
                { title: words.outcome, render: (_, run) => <Outcome run={run} /> },
              ]}
            />
            <More pages={runs} />
          </>
        )}
      </Answered>
    </Card>
  );
}

function Outcome({ run }: { run: Run }): ReactNode {
  const { language, pick } = useSpeech();
  const words = bankWords[language];
  if (run.refusals.length > 0)
    return (
      <>
        <span className="state state-error">{words.refused}</span>
        <ul className="faults">
          {run.refusals.map((one) => (
            <li key={`${one.reason}${one.message}`}>
              <code>{one.reason}</code> {pick(one.message, one.messageZh)}
            </li>
          ))}
        </ul>
      </>
    );
  if (run.taskState === "TASK_STATE_UNSPECIFIED") return <span className="dim">{words.taskDeleted}</span>;
  return (
    <span className="row">
      <StateTag task={{ state: run.taskState, terminating: false, prediction: true }} />
      <Link to={`/tasks/${lastPart(run.task)}`}>{words.openTask}</Link>
    </span>
  );
}
