import { Alert, Tag } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api } from "../../api/client";
import { ids, lastPart, shortVersion } from "../../api/names";
import { LARGEST_PAGE } from "../../api/pages";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { Failure } from "../../ui/states";
import { taskTitle } from "../monitor";
import type { Bank } from "./bank";

const INTERVAL_MS = 3000;

/** What was trained with data paths of a bank, and what waits or runs with them (P7). */
export function Leaks({ bank }: { bank: Pick<Bank, "name" | "revision" | "trainedVersions"> }): ReactNode {
  const { language } = useSpeech();
  const words = bankWords[language];
  const trainings = useApiQuery(
    ["tasks", { trainingWithBank: bank.name, revision: bank.revision?.number }],
    (signal) => api.get("/v1/tasks", { query: { trainingWithBank: bank.name, pageSize: LARGEST_PAGE }, signal }),
    { intervalMs: INTERVAL_MS },
  );
  const versions = bank.trainedVersions.map((name) => ({
    to: `/models/${ids(name)[0] ?? ""}`,
    text: shortVersion(name),
  }));
  const tasks = (trainings.data?.tasks ?? []).map((task) => ({
    to: `/tasks/${lastPart(task.name)}`,
    text: `${taskTitle(task)} · ${lastPart(task.name)}`,
  }));
  return (
    <>
      <Leak title={words.leak} hint={words.leakHint} links={versions} />
      <Leak title={words.training} hint={words.trainingHint} links={tasks} />
      {trainings.error && (
        <div className="span-12">
          <Failure error={trainings.error} retry={trainings.reload} />
        </div>
      )}
    </>
  );
}

function Leak(of: { title: string; hint: string; links: readonly { to: string; text: string }[] }): ReactNode {
  if (of.links.length === 0) return null;
  const links = of.links.map(({ to, text }) => (
    <Link key={text} to={to}>
      <Tag>{text}</Tag>
    </Link>
  ));
  const title = (
    <>
      {of.title} {links}
    </>
  );
  return <Alert className="span-12" type="warning" showIcon title={title} description={of.hint} />;
}
