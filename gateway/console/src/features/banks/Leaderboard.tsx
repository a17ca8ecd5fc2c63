import { Table, Tag } from "antd";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { api, type Schemas } from "../../api/client";
import { ids, lastPart, shortVersion } from "../../api/names";
import { useApiQuery, type ApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { EstimateShare } from "../../ui/EstimateShare";
import { percent, probability, time, whole } from "../../ui/format";
import { Answered, Nothing } from "../../ui/states";
import { axisOf } from "./axis";

type Entry = Schemas["LeaderboardEntry"];

const COLOURS: Partial<Record<Schemas["Conclusion"], string>> = {
  CONCLUSION_CANDIDATE_BETTER: "success",
  CONCLUSION_BASE_BETTER: "error",
};

/** The leaderboard of a bank's revision. */
export function useLeaderboard(bank: string, revision: number): ApiQuery<Schemas["Leaderboard"]> {
  return useApiQuery(["questionBanks", bank, "leaderboard", { revision }], (signal) =>
    api.get("/v1/questionBanks/{questionBank}:leaderboard", {
      path: { questionBank: bank },
      query: { revision },
      signal,
    }),
  );
}

/** The versions that were tested with a revision, best first (P8). Bars on one axis show what overlaps. */
export function Leaderboard({ query }: { query: ApiQuery<Schemas["Leaderboard"]> }): ReactNode {
  const { t, language } = useSpeech();
  const words = bankWords[language];
  return (
    <Answered query={query}>
      {({ entries, leftOutCount }) => {
        const axis = axisOf(entries);
        const inProduction = entries.filter((entry) => entry.inProduction);
        /** The accuracy that an entry is held against. */
        const mark = (entry: Entry) =>
          inProduction.find(({ modelVersion }) => modelVersion === entry.comparedWith)?.overall?.accuracy?.value;
        const [low, high] = axis.map((share) => percent(share, 0)) as [string, string];
        return (
          <>
            <Table<Entry>
              size="middle"
              rowKey="modelVersion"
              pagination={false}
              scroll={{ x: "max-content" }}
              dataSource={entries}
              rowClassName={(entry) => (entry.inProduction ? "chosen-row" : "")}
              locale={{ emptyText: <Nothing text={words.leaderboardEmpty} /> }}
              columns={[
                { title: words.rank, align: "right", dataIndex: "rank" },
                {
                  title: t.models.version,
                  render: (_, entry) => (
                    <>
                      {shortVersion(entry.modelVersion)}{" "}
                      {entry.inProduction && <Tag color="blue">{words.production}</Tag>}
                    </>
                  ),
                },
                {
                  title: words.accuracy,
                  render: (_, entry) => (
                    <div className="board-accuracy">
                      <EstimateShare estimate={entry.overall?.accuracy} large axis={axis} mark={mark(entry)} />
                    </div>
                  ),
                },
                { title: t.report.macroF1, align: "right", render: (_, entry) => percent(entry.overall?.macroF1) },
                { title: words.against, render: (_, entry) => <Against entry={entry} entries={entries} /> },
                {
                  title: words.samplesJudged,
                  render: (_, entry) => (
                    <>
                      {whole(entry.overall?.sampleCount ?? 0)}
                      {Number(entry.excludedSampleCount) > 0 && (
                        <div>
                          <Tag color="warning">{words.excluded(whole(entry.excludedSampleCount))}</Tag>
                        </div>
                      )}
                    </>
                  ),
                },
                {
                  title: t.tasks.report,
                  render: (_, entry) => (
                    <>
                      <Link to={`/reports/${lastPart(entry.report)}`}>{t.tasks.report}</Link>
                      <div className="dim">
                        <small>{time(entry.reportTime, language)}</small>
                      </div>
                    </>
                  ),
                },
              ]}
            />
            {entries.length > 0 && (
              <div className="dim">
                <div>{inProduction.length ? words.axisHint(low, high) : words.axisOnly(low, high)}</div>
                <div>{words.cleanHint}</div>
              </div>
            )}
            {leftOutCount > 0 && <div className="dim">{words.leftOut(leftOutCount)}</div>}
          </>
        );
      }}
    </Answered>
  );
}

/** McNemar's test against the version in production, and the samples behind it. */
function Against({ entry, entries }: { entry: Entry; entries: readonly Entry[] }): ReactNode {
  const { t, language, pick } = useSpeech();
  const words = bankWords[language];
  if (!entry.changes) {
    if (entry.inProduction && !entry.notCompared) return <span className="dim">{words.isProduction}</span>;
    return <div className="dim board-against">{pick(entry.notCompared, entry.notComparedZh) || "—"}</div>;
  }
  const { conclusion, adjustedPValue, fixedCount, regressedCount } = entry.changes;
  const sameModel = ids(entry.comparedWith)[0] === ids(entry.modelVersion)[0];
  const base = entries.find(({ modelVersion }) => modelVersion === entry.comparedWith);
  return (
    <>
      <Tag {...(COLOURS[conclusion] ? { color: COLOURS[conclusion] } : {})}>{words.conclusions[conclusion]}</Tag>
      <small>p = {probability(adjustedPValue)}</small>
      <div>
        <small className="dim">
          {sameModel ? lastPart(entry.comparedWith) : shortVersion(entry.comparedWith)} ·{" "}
          {words.changed(whole(fixedCount), whole(regressedCount))}
        </small>{" "}
        {base && (
          <Link to={`/compare?base=${lastPart(base.report)}&candidate=${lastPart(entry.report)}`}>
            <small>{t.compare.compare}</small>
          </Link>
        )}
      </div>
    </>
  );
}
