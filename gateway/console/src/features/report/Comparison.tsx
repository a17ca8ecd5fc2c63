import { Alert, Card, Segmented, Table, Tag } from "antd";
import { useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { useApiQuery } from "../../api/useApiQuery";
import { useWindowedQuery } from "../../api/useWindowedQuery";
import { useSpeech } from "../../i18n";
import { probability, whole } from "../../ui/format";
import { Answered } from "../../ui/states";
import { PAGE, Tiles } from "./Gallery";

const CHANGES = ["CHANGE_REGRESSED", "CHANGE_FIXED", "CHANGE_UNCHANGED_WRONG", "CHANGE_UNCHANGED_RIGHT"] as const;
const COLOURS: Record<Schemas["Conclusion"], "success" | "error" | "info"> = {
  CONCLUSION_UNSPECIFIED: "info",
  CONCLUSION_NO_DIFFERENCE_SHOWN: "info",
  CONCLUSION_CANDIDATE_BETTER: "success",
  CONCLUSION_BASE_BETTER: "error",
};

/** Two reports on the same samples: fixed, regressed, unchanged, and whether that proves anything (P2). */
export function Comparison({
  base,
  candidate,
  codes,
}: {
  base: string;
  candidate: string;
  codes: string[];
}): ReactNode {
  const { t, pick } = useSpeech();
  const [code, setCode] = useState("");
  const [change, setChange] = useState<Schemas["Change"]>("CHANGE_REGRESSED");
  const compared = useApiQuery(["reports", base, "compare", candidate], (signal) =>
    api.get("/v1/reports/{report}:compare", {
      path: { report: base },
      query: { candidate: `reports/${candidate}` },
      signal,
    }),
  );
  if (compared.error?.reason === "NOT_COMPARABLE") {
    return <Alert type="warning" showIcon title={t.compare.notComparable} description={compared.error.message} />;
  }
  return (
    <Answered query={compared}>
      {(found) => (
        <div className="grid">
          {found.overall && (
            <Alert
              className="span-12"
              type={COLOURS[found.overall.conclusion]}
              showIcon
              title={pick(found.overall.message, found.overall.messageZh)}
              description={
                <>
                  {t.compare.mcnemar}: p = {probability(found.overall.pValue)} ·{" "}
                  {t.compare.compared(whole(found.comparedCount))}
                  {Number(found.baseOnlyCount) + Number(found.candidateOnlyCount) > 0 &&
                    ` · ${t.compare.notShared(whole(found.baseOnlyCount), whole(found.candidateOnlyCount))}`}
                  {Number(found.notJudgedCount) > 0 && ` · ${t.compare.notJudged(whole(found.notJudgedCount))}`}
                  {Number(found.relabelledCount) > 0 && ` · ${t.compare.relabelled(whole(found.relabelledCount))}`}
                </>
              }
            />
          )}
          <Card size="small" className="span-12" title={t.report.perCode} extra={<small>{t.compare.holm}</small>}>
            <Table<Schemas["CodeChanges"]>
              size="small"
              rowKey="code"
              pagination={false}
              scroll={{ x: "max-content" }}
              dataSource={[{ code: "", ...(found.overall ? { changes: found.overall } : {}) }, ...found.codes]}
              rowClassName={(row) => (row.code === code ? "chosen-row" : "")}
              onRow={(row) => ({
                onClick: () => {
                  setCode(row.code);
                },
              })}
              columns={[
                {
                  title: t.report.code,
                  render: (_, row) => (
                    <button type="button" className="linklike" aria-pressed={row.code === code}>
                      {row.code || t.report.overall}
                    </button>
                  ),
                },
                ...(
                  [
                    ["fixedCount", t.compare.changes.CHANGE_FIXED],
                    ["regressedCount", t.compare.changes.CHANGE_REGRESSED],
                    ["unchangedWrongCount", t.compare.changes.CHANGE_UNCHANGED_WRONG],
                    ["unchangedRightCount", t.compare.changes.CHANGE_UNCHANGED_RIGHT],
                  ] as const
                ).map(([name, title]) => ({
                  title,
                  align: "right" as const,
                  render: (_: unknown, row: Schemas["CodeChanges"]) => whole(row.changes?.[name] ?? 0),
                })),
                { title: "p", align: "right", render: (_, row) => probability(row.changes?.adjustedPValue ?? 1) },
                {
                  title: t.compare.conclusion,
                  render: (_, row) => {
                    const conclusion = row.changes?.conclusion ?? "CONCLUSION_UNSPECIFIED";
                    return (
                      <Tag color={COLOURS[conclusion] === "info" ? "default" : COLOURS[conclusion]}>
                        {t.compare.conclusions[conclusion]}
                      </Tag>
                    );
                  },
                },
              ]}
            />
          </Card>
          <Card
            size="small"
            className="span-12"
            title={
              <div className="row">
                {t.report.gallery}
                <Segmented
                  size="small"
                  value={change}
                  onChange={setChange}
                  options={CHANGES.map((value) => ({ value, label: t.compare.changes[value] }))}
                />
                {code && (
                  <Tag
                    closable
                    onClose={() => {
                      setCode("");
                    }}
                  >
                    {t.report.truth} {code}
                  </Tag>
                )}
              </div>
            }
          >
            <Compared base={base} candidate={candidate} code={code} change={change} codes={codes} />
          </Card>
        </div>
      )}
    </Answered>
  );
}

function Compared({
  base,
  candidate,
  code,
  change,
  codes,
}: {
  base: string;
  candidate: string;
  code: string;
  change: Schemas["Change"];
  codes: string[];
}): ReactNode {
  const samples = useWindowedQuery(
    ["reports", base, "comparedSamples", { candidate, code, change }],
    async (page, signal) => {
      const answer = await api.get("/v1/reports/{report}:listComparedSamples", {
        path: { report: base },
        query: { ...page, candidate: `reports/${candidate}`, trueCode: code, change },
        signal,
      });
      return { items: answer.samples, next: answer.nextPageToken };
    },
    PAGE,
  );
  const read = (sample: Schemas["SampleResult"] | undefined) => sample?.predictedCode ?? "—";
  return (
    <Tiles
      samples={samples}
      codes={codes}
      of={(pair) => pair.candidate as Schemas["SampleResult"]}
      note={(pair) => ` ${read(pair.base)} → ${read(pair.candidate)}`}
    />
  );
}
