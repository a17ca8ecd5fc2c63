import { DownloadOutlined } from "@ant-design/icons";
import { Alert, Button, Card, Dropdown, Segmented, Slider, Table, Tabs, Tag } from "antd";
import { useMemo, useRef, useState, type ReactNode } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { address, api, type Schemas } from "../../api/client";
import { useQuery } from "../../api/useQuery";
import { useSpeech } from "../../i18n";
import { Gallery, type SampleFilter } from "./Gallery";
import { Suspects } from "./Suspects";
import { Page } from "../../ui/Page";
import { rows } from "./confusion";
import { ids, lastPart, percent, shortPath, shortVersion, time, whole } from "../../ui/format";
import { OverlapAlert } from "../monitor/overlap";
import { Answered, Failure, Loading } from "../../ui/states";

type Report = Schemas["Report"];
type Estimate = Schemas["Estimate"];

/** In the place of a verdict: samples whose label may be wrong. */
const SUSPECTS = "SUSPECTS";

/** 评估报告: what a model got right and wrong, and the samples behind each number. */
export default function ReportPage(): ReactNode {
  const { report: id = "" } = useParams();
  const [search] = useSearchParams();
  const version = search.get("version") ?? "";
  const { t } = useSpeech();
  const found = useQuery(`report ${id} ${version}`, async (signal) => {
    if (id !== "latest") {
      return { report: await api.get("/v1/reports/{report}", { path: { report: id }, signal }), fallback: false };
    }
    const official = await api.get("/v1/reports", { query: { modelVersion: version, official: true, pageSize: 1 }, signal });
    const [model = "", number = ""] = ids(version);
    const name =
      official.reports[0]?.name ??
      (await api.get("/v1/models/{model}/versions/{version}", { path: { model, version: number }, signal })).report;
    const report = await api.get("/v1/reports/{report}", { path: { report: lastPart(name) }, signal });
    return { report, fallback: official.reports.length === 0 };
  });
  if (!found.data) {
    return <Page title={t.report.title}>{found.error ? <Failure error={found.error} retry={found.reload} /> : <Loading />}</Page>;
  }
  return (
    <>
      {found.data.fallback && <Alert banner type="info" title={t.models.noReport} />}
      <Shown report={found.data.report} />
    </>
  );
}

function Shown({ report }: { report: Report }): ReactNode {
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
        {report.kind === "REPORT_KIND_PREDICTION" && <OverlapAlert overlap={report.trainingOverlap} />}
        <Card size="small" className="span-12" title={t.report.overall} extra={report.dataPaths.map(shortPath).join(", ")}>
          <Overall report={report} />
        </Card>
        <Card size="small" className="span-7" title={t.report.perCode} extra={<small>{t.report.interval}</small>}>
          <Codes report={report} onCode={(truth) => { show({ truth, verdict: "VERDICT_MISJUDGED" }); }} />
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
                      show({ truth, predicted, verdict: truth === predicted ? "VERDICT_CORRECT" : "VERDICT_MISJUDGED" });
                    }}
                  />
                ),
              },
              { key: "threshold", label: t.report.threshold, children: <Threshold report={report} /> },
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

function Overall({ report }: { report: Report }): ReactNode {
  const { t } = useSpeech();
  const overall = report.overall;
  if (!overall) return null;
  const facts: [string, ReactNode][] = [
    [t.report.accuracy, <Share key="accuracy" estimate={overall.accuracy} large />],
    [t.report.macroPrecision, percent(overall.macroPrecision)],
    [t.report.macroRecall, percent(overall.macroRecall)],
    [t.report.macroF1, percent(overall.macroF1)],
    ...(report.segmentation ? ([[t.report.iou, percent(report.segmentation.meanIou)]] as [string, ReactNode][]) : []),
    [t.report.majority, percent(overall.majorityShare)],
    [t.report.samples, `${whole(overall.correctCount)} / ${whole(overall.sampleCount)}`],
    [t.report.nonconforming, whole(report.nonconformingCount)],
  ];
  return (
    <div className="facts">
      {facts.map(([label, value]) => (
        <div key={label}>
          <div className="fact-label">{label}</div>
          <div className="fact-value">{value}</div>
        </div>
      ))}
    </div>
  );
}

/** A share with its Wilson interval, in figures and as a bar: a class of 12 samples proves little (E1). */
function Share({ estimate, large }: { estimate: Estimate | undefined; large?: boolean }): ReactNode {
  if (estimate?.value === undefined) return <>—</>;
  const { low, high, value } = estimate;
  return (
    <div title={`${percent(low)} – ${percent(high)} (${estimate.numerator} / ${estimate.denominator})`}>
      {percent(value)}
      {large && (
        <small className="dim">
          {" "}
          {Math.round(low * 100)}–{Math.round(high * 100)}
        </small>
      )}
      <div className="interval">
        <div className="interval-span" style={{ left: `${low * 100}%`, width: `${(high - low) * 100}%` }} />
        <div className="interval-point" style={{ left: `${value * 100}%` }} />
      </div>
    </div>
  );
}

function Codes({ report, onCode }: { report: Report; onCode: (code: string) => void }): ReactNode {
  const { t } = useSpeech();
  return (
    <Table<Schemas["CodeResult"]>
      size="small"
      rowKey="code"
      pagination={false}
      scroll={{ x: "max-content" }}
      dataSource={report.codes}
      columns={[
        {
          title: t.report.code,
          render: (_, code) => (
            <>
              <Button
                type="link"
                size="small"
                onClick={() => {
                  onCode(code.code);
                }}
              >
                {code.code}
              </Button>
              {code.special && <Tag>{t.report.special}</Tag>}
            </>
          ),
        },
        { title: t.report.support, align: "right", dataIndex: "support", sorter: (a, b) => Number(a.support) - Number(b.support) },
        { title: t.report.precision, render: (_, code) => <Share estimate={code.precision} /> },
        {
          title: t.report.recall,
          render: (_, code) => <Share estimate={code.recall} />,
          sorter: (a, b) => (a.recall?.value ?? 0) - (b.recall?.value ?? 0),
        },
        { title: t.report.f1, align: "right", render: (_, code) => percent(Number(code.support) > 0 ? code.f1 : undefined) },
        ...(report.segmentation
          ? [{ title: t.report.iou, align: "right" as const, render: (_: unknown, code: Schemas["CodeResult"]) => percent(code.iou?.value) }]
          : []),
        { title: t.report.misjudged, align: "right", dataIndex: "misjudgedCount" },
      ]}
    />
  );
}

function Confusion({ report, onCell }: { report: Report; onCell: (truth: string, predicted: string) => void }): ReactNode {
  const { t } = useSpeech();
  const lines = useMemo(() => rows(report.codeList, report.confusion?.counts ?? []), [report]);
  return (
    <div style={{ overflow: "auto" }}>
      <p className="dim">{t.report.confusionHint}</p>
      <table className="matrix">
        <thead>
          <tr>
            <td />
            {report.codeList.map((code) => (
              <th key={code} scope="col">
                {code}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line[0]?.truth}>
              <th scope="row">{line[0]?.truth}</th>
              {line.map((cell) => (
                <td
                  key={cell.predicted}
                  style={{
                    background: cell.count
                      ? `rgba(${cell.right ? "56,158,13" : "207,19,34"},${(0.12 + 0.5 * cell.share).toFixed(2)})`
                      : undefined,
                  }}
                >
                  <button
                    type="button"
                    className="cell"
                    disabled={cell.count === 0}
                    title={`${t.report.truth} ${cell.truth} → ${t.report.predicted} ${cell.predicted}: ${cell.count} (${percent(cell.share)})`}
                    onClick={() => {
                      onCell(cell.truth, cell.predicted);
                    }}
                  >
                    {cell.count}
                  </button>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What a threshold would leave to the model, and what to people (E2). */
function Threshold({ report }: { report: Report }): ReactNode {
  const { t } = useSpeech();
  const id = lastPart(report.name);
  const curves = useQuery(`thresholds ${id}`, (signal) =>
    api.get("/v1/reports/{report}:thresholdCurves", { path: { report: id }, signal }),
  );
  const [at, setAt] = useState(report.confidenceThreshold || 0.5);
  return (
    <Answered query={curves}>
      {({ thresholds, overall, codes }) => {
        const index = thresholds.reduce(
          (best, value, number) => (Math.abs(value - at) < Math.abs((thresholds[best] ?? 0) - at) ? number : best),
          0,
        );
        const all = overall?.points[index];
        return (
          <>
            <p className="dim">{t.report.thresholdHint}</p>
            <Slider min={0} max={1} step={0.01} value={at} onChange={setAt} ariaLabelForHandle={t.report.threshold} />
            <div className="facts">
              <div>
                <div className="fact-label">{t.report.threshold}</div>
                <div className="fact-value">{percent(at, 0)}</div>
              </div>
              <div>
                <div className="fact-label">{t.report.keptAccuracy}</div>
                <div className="fact-value">{percent(all?.precision)}</div>
              </div>
              <div>
                <div className="fact-label">{t.report.toHuman}</div>
                <div className="fact-value">{percent(all?.toHuman)}</div>
              </div>
            </div>
            <Table<Schemas["ThresholdCurve"]>
              style={{ marginTop: 8 }}
              size="small"
              rowKey="code"
              pagination={false}
              dataSource={codes}
              columns={[
                { title: t.report.code, dataIndex: "code" },
                { title: t.report.precision, align: "right", render: (_, curve) => percent(curve.points[index]?.precision) },
                { title: t.report.recall, align: "right", render: (_, curve) => percent(curve.points[index]?.recall) },
                { title: t.report.toHuman, align: "right", render: (_, curve) => percent(curve.points[index]?.toHuman) },
              ]}
            />
          </>
        );
      }}
    </Answered>
  );
}

function Definitions({ report }: { report: Report }): ReactNode {
  const { pick } = useSpeech();
  return (
    <dl>
      {report.definitions.map((definition) => (
        <div key={definition.id}>
          <dt>
            <strong>{pick(definition.term, definition.termZh)}</strong>
          </dt>
          <dd style={{ marginInlineStart: 0, marginBottom: 6 }}>{pick(definition.meaning, definition.meaningZh)}</dd>
        </div>
      ))}
    </dl>
  );
}
