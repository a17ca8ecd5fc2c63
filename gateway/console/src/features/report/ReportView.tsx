import { DownloadOutlined } from "@ant-design/icons";
import { Alert, Button, Card, Dropdown, Segmented, Tabs, Tag } from "antd";
import { useRef, type ReactNode } from "react";
import { Link, useSearchParams } from "react-router";
import { address, type Schemas } from "../../api/client";
import { lastPart, shortPath, shortVersion } from "../../api/names";
import { useSpeech } from "../../i18n";
import { bankWords } from "../../i18n/banks";
import { time, whole } from "../../ui/format";
import { Page } from "../../ui/Page";
import { BankRevision } from "../banks";
import { Looks, OverlapAlert } from "../monitor";
import { CodeResults } from "./CodeResults";
import { Confusion } from "./Confusion";
import { Definitions } from "./Definitions";
import { Gallery, type SampleFilter } from "./Gallery";
import { OverallResult } from "./OverallResult";
import { Suspects } from "./Suspects";
import { Thresholds } from "./Thresholds";

type Report = Schemas["Report"];

/** Stands for a verdict in the address: samples whose label may be wrong. */
const SUSPECTS = "SUSPECTS";

export function ReportView({ report }: { report: Report }): ReactNode {
  const { t, language } = useSpeech();
  const [search, setSearch] = useSearchParams();
  const samples = useRef<HTMLDivElement>(null);
  const id = lastPart(report.name);
  const filter = {
    trueCode: search.get("true") ?? "",
    predictedCode: search.get("predicted") ?? "",
    verdict: (search.get("verdict") ?? "VERDICT_MISJUDGED") as Schemas["Verdict"] | typeof SUSPECTS,
  };
  const show = (chosen: { truth?: string; predicted?: string; verdict?: string }) => {
    setSearch(
      (before) => {
        const kept = new URLSearchParams();
        const version = before.get("version");
        if (version) kept.set("version", version);
        if (chosen.truth) kept.set("true", chosen.truth);
        if (chosen.predicted) kept.set("predicted", chosen.predicted);
        if (chosen.verdict) kept.set("verdict", chosen.verdict);
        return kept;
      },
      { replace: true },
    );
    samples.current?.scrollIntoView({ behavior: "smooth", block: "start" });
  };
  const kind = report.kind === "REPORT_KIND_PREDICTION" ? t.report.ofBank : t.report.ofTask;
  const download = (format: "HTML" | "CSV") =>
    address("/v1/reports/{report}:export", { report: id }, { format: `REPORT_FORMAT_${format}`, language });
  return (
    <Page
      title={`${t.report.title} · ${report.modelVersion ? shortVersion(report.modelVersion) : kind}`}
      actions={
        <>
          <Tag color="blue">{kind}</Tag>
          <Link to={`/tasks/${lastPart(report.task)}`}>{t.tasks.details}</Link>
          {report.trainingTask && (
            <Link to={`/tasks/${lastPart(report.trainingTask)}`}>{bankWords[language].judgedTraining}</Link>
          )}
          <Link to={`/compare?base=${lastPart(report.name)}`}>{t.compare.compare}</Link>
          <span className="dim">{time(report.createTime, language)}</span>
          <Dropdown
            menu={{
              items: [
                { key: "html", label: <a href={download("HTML")}>{t.report.exportHtml}</a> },
                { key: "csv", label: <a href={download("CSV")}>{t.report.exportCsv}</a> },
              ],
            }}
          >
            <Button icon={<DownloadOutlined />}>{t.common.download}</Button>
          </Dropdown>
        </>
      }
    >
      <div className="grid">
        {Number(report.excludedSampleCount) > 0 && (
          <Alert
            className="span-12"
            type="info"
            showIcon
            title={bankWords[language].excludedHere(whole(report.excludedSampleCount))}
          />
        )}
        {report.kind === "REPORT_KIND_PREDICTION" && <OverlapAlert overlap={report.trainingOverlap} />}
        <Card
          size="small"
          className="span-12"
          title={t.report.overall}
          extra={
            report.questionBank ? (
              <BankRevision name={report.questionBank} />
            ) : (
              report.dataPaths.map(shortPath).join(", ")
            )
          }
        >
          <OverallResult report={report} />
          <div style={{ marginTop: 8 }}>
            <Looks looks={report.looks} />
          </div>
        </Card>
        <Card size="small" className="span-7" title={t.report.perCode} extra={<small>{t.report.interval}</small>}>
          <CodeResults report={report} onCode={(truth) => { show({ truth, verdict: "VERDICT_MISJUDGED" }); }} />
        </Card>
        <div className="span-5">
          <Tabs
            size="small"
            items={[
              {
                key: "confusion",
                label: t.report.confusion,
                children: (
                  <Confusion
                    report={report}
                    onCell={(truth, predicted) => {
                      show({
                        truth,
                        predicted,
                        verdict: truth === predicted ? "VERDICT_CORRECT" : "VERDICT_MISJUDGED",
                      });
                    }}
                  />
                ),
              },
              { key: "threshold", label: t.report.threshold, children: <Thresholds report={report} /> },
              {
                key: "definitions",
                label: t.report.definitions,
                children: <Definitions report={report} />,
              },
            ]}
          />
        </div>
        <div className="span-12" ref={samples}>
          <Card
            size="small"
            title={
              <div className="row">
                {t.report.gallery}
                <Segmented
                  size="small"
                  value={filter.verdict}
                  onChange={(verdict) => {
                    show({ ...(filter.trueCode ? { truth: filter.trueCode } : {}), verdict });
                  }}
                  options={[
                    { value: "VERDICT_MISJUDGED", label: t.report.misjudged },
                    {
                      value: "VERDICT_NONCONFORMING",
                      label: `${t.report.nonconforming} (${whole(report.nonconformingCount)})`,
                    },
                    { value: "VERDICT_CORRECT", label: t.report.correct },
                    { value: SUSPECTS, label: t.report.suspects },
                  ]}
                />
                {filter.verdict !== SUSPECTS && filter.trueCode && (
                  <Tag closable onClose={() => { show({ verdict: filter.verdict }); }}>
                    {t.report.truth} {filter.trueCode}
                  </Tag>
                )}
                {filter.verdict !== SUSPECTS && filter.predictedCode && (
                  <Tag closable onClose={() => { show({ truth: filter.trueCode, verdict: filter.verdict }); }}>
                    {t.report.predicted} {filter.predictedCode}
                  </Tag>
                )}
              </div>
            }
            extra={
              <div className="row">
              <Link to={`/datasets?tab=marks&report=${id}`}>{t.datasets.marks}</Link>
              {filter.verdict !== SUSPECTS && (
              <Button
                size="small"
                icon={<DownloadOutlined />}
                href={address("/v1/reports/{report}/sampleResults:download", { report: id }, { ...filter })}
                download
              >
                {t.report.downloadAll}
              </Button>
              )}
              </div>
            }
          >
            {filter.verdict === SUSPECTS ? (
              <Suspects report={id} codes={report.codeList} />
            ) : (
              <Gallery report={id} filter={filter as SampleFilter} codes={report.codeList} />
            )}
          </Card>
        </div>
      </div>
    </Page>
  );
}
