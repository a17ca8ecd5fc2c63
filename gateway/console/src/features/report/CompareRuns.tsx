import { Alert, Select } from "antd";
import type { ReactNode } from "react";
import { Link, useSearchParams } from "react-router";
import { api, type Schemas } from "../../api/client";
import { lastPart, shortPath, shortVersion } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { percent, time } from "../../ui/format";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { OverlapAlert, titlesOf } from "../monitor";
import { Comparison } from "./Comparison";

type Report = Schemas["Report"];

/** How many of the newest reports are offered. */
const OFFERED = 500;

/** 报告对比: any two reports over the same data, released or not (P2). */
export default function CompareRuns(): ReactNode {
  const { t } = useSpeech();
  const [search, setSearch] = useSearchParams();
  const base = search.get("base") ?? "";
  const candidate = search.get("candidate") ?? "";
  const every = useApiQuery(["reports"], (signal) => api.get("/v1/reports", { query: { pageSize: OFFERED }, signal }));
  const offered = useApiQuery(
    ["reports", base, "comparable"],
    async (signal) => {
      const answer = await api.get("/v1/reports", {
        query: { comparableWith: `reports/${base}`, pageSize: OFFERED },
        signal,
      });
      return answer.reports;
    },
    { enabled: base !== "" },
  );
  // A report names only its task; people know the task by its title.
  const known = useApiQuery(["tasks", "titles", "reported"], (signal) =>
    titlesOf(["TASK_STATE_COMPLETED", "TASK_STATE_RELEASED"], signal),
  );
  const titles = known.data ?? new Map<string, string>();
  const put = (part: Record<string, string>) => {
    setSearch({ ...(base && { base }), ...(candidate && { candidate }), ...part }, { replace: true });
  };
  return (
    <Page title={t.compare.runs} actions={<Link to="/predictions">{t.models.predict}</Link>}>
      <Answered query={every}>
        {({ reports }) => (
          <>
            <div className="filters">
              <Chooser
                side="base"
                reports={reports}
                titles={titles}
                value={base}
                onChange={(value) => {
                  setSearch({ base: value }, { replace: true });
                }}
              />
            </div>
            {!base ? (
              <Nothing text={t.compare.chooseBase} />
            ) : (
              <Answered query={offered}>
                {(others) =>
                  others.length === 0 ? (
                    <Nothing text={t.compare.noneOffered}>
                      <Link to="/predictions">{t.models.predict}</Link>
                    </Nothing>
                  ) : (
                    <>
                      <div className="filters">
                        <Chooser
                          side="candidate"
                          reports={[...others, ...reports.filter((one) => isStranger(one, candidate, others))]}
                          titles={titles}
                          value={candidate}
                          onChange={(value) => {
                            put({ candidate: value });
                          }}
                        />
                      </div>
                      <Compared base={base} candidate={candidate} reports={reports} others={others} />
                    </>
                  )
                }
              </Answered>
            )}
          </>
        )}
      </Answered>
    </Page>
  );
}

/** A link may name a report that is not offered: its title is shown, and why it cannot be compared. */
function isStranger(report: Report, candidate: string, others: Report[]): boolean {
  return lastPart(report.name) === candidate && !others.some((one) => one.name === report.name);
}

interface ComparedProps {
  base: string;
  candidate: string;
  reports: Report[];
  others: Report[];
}

function Compared({ base, candidate, reports, others }: ComparedProps): ReactNode {
  const { t } = useSpeech();
  if (!candidate) return <Nothing text={t.compare.chooseCandidate} />;
  if (base === candidate) return <Nothing text={t.compare.sameReport} />;
  const found = others.find((report) => lastPart(report.name) === candidate);
  const sides = { base: reports.find((report) => lastPart(report.name) === base), candidate: found };
  return (
    <>
      {found?.kind === "REPORT_KIND_VALIDATION" && (
        <Alert type="info" showIcon title={t.compare.validationHint} style={{ marginBottom: 12 }} />
      )}
      <div className="grid" style={{ marginBottom: 12 }}>
        {(["base", "candidate"] as const).map(
          (side) =>
            sides[side]?.kind === "REPORT_KIND_PREDICTION" && (
              <OverlapAlert key={side} side={t.compare.sides[side]} overlap={sides[side].trainingOverlap} />
            ),
        )}
      </div>
      <Comparison key={`${base} ${candidate}`} base={base} candidate={candidate} codes={found?.codeList ?? []} />
    </>
  );
}

interface ChooserProps {
  side: "base" | "candidate";
  reports: Report[];
  titles: Map<string, string>;
  value: string;
  onChange: (report: string) => void;
}

function Chooser({ side, reports, titles, value, onChange }: ChooserProps): ReactNode {
  const { t, language } = useSpeech();
  const label = (report: Report) =>
    [
      report.modelVersion ? shortVersion(report.modelVersion) : (titles.get(report.task) ?? lastPart(report.task)),
      report.kind === "REPORT_KIND_VALIDATION" ? t.report.ofTask : report.dataPaths.map(shortPath).join(", "),
      percent(report.overall?.accuracy?.value),
      time(report.createTime, language),
    ].join(" · ");
  return (
    <label className="row" style={{ width: "100%", maxWidth: 800, flexWrap: "nowrap" }}>
      <span style={{ minWidth: 72 }}>{t.compare.sides[side]}</span>
      <Select
        style={{ flex: 1, minWidth: 0 }}
        showSearch={{ optionFilterProp: "label" }}
        aria-label={t.compare.sides[side]}
        placeholder={t.compare.pickReport}
        value={value || null}
        onChange={onChange}
        options={reports.map((report) => ({ value: lastPart(report.name), label: label(report) }))}
      />
    </label>
  );
}
