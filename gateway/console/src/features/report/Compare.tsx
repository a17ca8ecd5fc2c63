import { Alert, Card, Select } from "antd";
import type { ReactNode } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { api, type Schemas } from "../../api/client";
import { lastPart, shortPath } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { percent, time } from "../../ui/format";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { OverlapAlert } from "../monitor";
import { Comparison } from "./Comparison";

type Report = Schemas["Report"];

/** 版本对比: two versions of a model on the same samples (P2). */
export default function Compare(): ReactNode {
  const { t } = useSpeech();
  const { model = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const base = search.get("base") ?? "";
  const candidate = search.get("candidate") ?? "";
  const versions = useApiQuery(["models", model, "versions"], async (signal) => {
    const answer = await api.get("/v1/models/{model}/versions", { path: { model }, query: { pageSize: 200 }, signal });
    return answer.versions;
  });
  const put = (part: Record<string, string>) => {
    setSearch({ base, candidate, ...part }, { replace: true });
  };
  return (
    <Page
      title={`${t.compare.title} · ${model}`}
      actions={
        <>
          <Link to="/compare">{t.compare.anyTwo}</Link>
          <Link to={`/models/${model}`}>{t.models.versions}</Link>
        </>
      }
    >
      <Answered query={versions}>
        {(all) => {
          const options = all.map((version) => ({ value: lastPart(version.name), label: lastPart(version.name) }));
          const [newest, before] = all;
          const chosen = {
            base: base || (before ? lastPart(before.name) : ""),
            candidate: candidate || (newest ? lastPart(newest.name) : ""),
          };
          if (all.length < 2) return <Nothing text={t.compare.oneVersion} />;
          return (
            <>
              <div className="filters">
                {(["base", "candidate"] as const).map((side) => (
                  <label key={side} className="row">
                    {t.compare[side]}
                    <Select
                      style={{ width: 130 }}
                      aria-label={t.compare[side]}
                      value={chosen[side]}
                      options={options}
                      onChange={(value) => {
                        put({ ...chosen, [side]: value });
                      }}
                    />
                  </label>
                ))}
              </div>
              {chosen.base === chosen.candidate ? (
                <Nothing text={t.compare.sameVersion} />
              ) : (
                <Pair
                  key={`${chosen.base} ${chosen.candidate}`}
                  model={model}
                  {...chosen}
                  bank={search.get("bank") ?? ""}
                  onBank={(bank) => {
                    put({ ...chosen, bank });
                  }}
                />
              )}
            </>
          );
        }}
      </Answered>
    </Page>
  );
}

interface PairProps {
  model: string;
  base: string;
  candidate: string;
  bank: string;
  onBank: (bank: string) => void;
}

/** What two reports must share to be compared: the same data paths, or both the validation split. */
function bankOf(report: Report): string {
  return report.kind === "REPORT_KIND_VALIDATION"
    ? "validation"
    : [...report.dataPaths].sort().map(shortPath).join(", ");
}

function Pair({ model, base, candidate, bank, onBank }: PairProps): ReactNode {
  const { t, language } = useSpeech();
  const found = useApiQuery(["models", model, "comparableReports", { base, candidate }], async (signal) => {
    const of = async (version: string) => {
      const name = `models/${model}/versions/${version}`;
      const [predictions, own] = await Promise.all([
        api.get("/v1/reports", { query: { modelVersion: name, pageSize: 200 }, signal }),
        api.get("/v1/models/{model}/versions/{version}", { path: { model, version }, signal }),
      ]);
      const validation = own.report
        ? [await api.get("/v1/reports/{report}", { path: { report: lastPart(own.report) }, signal })]
        : [];
      // The list is newest first: of several reports over one bank the newest counts.
      const newest = new Map<string, Report>();
      for (const report of [...predictions.reports, ...validation]) {
        if (!newest.has(bankOf(report))) newest.set(bankOf(report), report);
      }
      return newest;
    };
    const [bases, candidates] = await Promise.all([of(base), of(candidate)]);
    return [...bases].flatMap(([shared, first]) => {
      const second = candidates.get(shared);
      return second ? [{ bank: shared, base: first, candidate: second }] : [];
    });
  });
  return (
    <Answered query={found}>
      {(pairs) => {
        const pair = pairs.find((one) => one.bank === bank) ?? pairs[0];
        if (!pair) {
          return (
            <Nothing text={t.compare.nothingShared}>
              <Link to={`/predictions?version=${encodeURIComponent(`models/${model}/versions/${candidate}`)}`}>
                {t.models.predict}
              </Link>
            </Nothing>
          );
        }
        return (
          <>
            <Card size="small" style={{ marginBottom: 12 }}>
              <div className="row">
                {t.compare.on}
                <Select
                  style={{ minWidth: 240 }}
                  aria-label={t.compare.on}
                  value={pair.bank}
                  onChange={onBank}
                  options={pairs.map((one) => ({
                    value: one.bank,
                    label: one.bank === "validation" ? t.report.ofTask : one.bank,
                  }))}
                />
                {(["base", "candidate"] as const).map((side) => (
                  <span key={side}>
                    {t.compare[side]}{" "}
                    <Link to={`/reports/${lastPart(pair[side].name)}`}>
                      {percent(pair[side].overall?.accuracy?.value)}
                    </Link>{" "}
                    <small className="dim">{time(pair[side].createTime, language)}</small>
                  </span>
                ))}
              </div>
            </Card>
            {pair.bank !== "validation" && (
              <div className="grid" style={{ marginBottom: 12 }}>
                {(["base", "candidate"] as const).map((side) => (
                  <OverlapAlert key={side} side={t.compare[side]} overlap={pair[side].trainingOverlap} />
                ))}
              </div>
            )}
            {pair.bank === "validation" && (
              <Alert type="info" showIcon title={t.compare.validationHint} style={{ marginBottom: 12 }} />
            )}
            <Comparison
              base={lastPart(pair.base.name)}
              candidate={lastPart(pair.candidate.name)}
              codes={pair.candidate.codeList}
            />
          </>
        );
      }}
    </Answered>
  );
}
