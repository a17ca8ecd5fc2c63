import { DownloadOutlined } from "@ant-design/icons";
import { Alert, Button, Descriptions, Input, Select, Table, Tag } from "antd";
import { useState, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import { api } from "../../api/client";
import { lastPart } from "../../api/names";
import { readPages } from "../../api/pages";
import { sampleAddress } from "../../api/queries";
import { useApiQuery } from "../../api/useApiQuery";
import { usePagedQuery } from "../../api/usePagedQuery";
import { useSpeech } from "../../i18n";
import { importWords } from "../../i18n/imports";
import { bytes, time, whole } from "../../ui/format";
import { More } from "../../ui/More";
import { Page } from "../../ui/Page";
import { Answered, Nothing } from "../../ui/states";
import { Thumbnail } from "../../ui/TileGrid";
import { useAction } from "../../ui/useAction";
import { useDebounced } from "../../ui/useDebounced";
import { reportCsv, type Line, type Report } from "./importReport";

const COLORS: Partial<Record<Line["kind"], string>> = { KIND_REJECTED: "red", KIND_DOUBTFUL: "orange" };

/** The report of one import: counts, and every file that was not taken, or taken with doubt (D7). */
export default function ImportReport(): ReactNode {
  const { language, pick, t } = useSpeech();
  const words = importWords[language];
  const { dataset = "", path = "", report = "" } = useParams();
  const name = `datasets/${dataset}/paths/${path}`;
  const [kind, setKind] = useState<Line["kind"]>("KIND_UNSPECIFIED");
  const [reason, setReason] = useState("");
  const [text, setText] = useState("");
  const file = useDebounced(text.trim());
  const at = { dataset, path, importReport: report };
  const known = useApiQuery(["importReport", name, report], (signal) =>
    api.get("/v1/datasets/{dataset}/paths/{path}/importReports/{importReport}", { path: at, signal }),
  );
  const read = async (query: Record<string, unknown>, signal?: AbortSignal) => {
    const answer = await api.get("/v1/datasets/{dataset}/paths/{path}/importReports/{importReport}/lines", {
      path: at,
      query,
      ...(signal ? { signal } : {}),
    });
    return { items: answer.lines, next: answer.nextPageToken };
  };
  const filter = {
    ...(kind === "KIND_UNSPECIFIED" ? {} : { kind }),
    ...(reason ? { reason } : {}),
    ...(file ? { file } : {}),
  };
  const lines = usePagedQuery(["importReportLines", name, report, filter], (page, signal) =>
    read({ ...page, ...filter }, signal),
  );
  const act = useAction();
  const [busy, setBusy] = useState(false);
  const download = (suffix: "csv" | "json") => {
    setBusy(true);
    void act(async () => {
      const { items } = await readPages(Infinity, (page) => read({ ...page }));
      const value = { importReport: known.data, lines: items };
      // The mark makes Excel read it as UTF-8.
      const content = suffix === "csv" ? `\ufeff${reportCsv(items)}` : JSON.stringify(value, undefined, 2);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([content], { type: `text/${suffix};charset=utf-8` }));
      link.download = `${dataset}-${path}-${report}.${suffix}`;
      link.click();
      URL.revokeObjectURL(link.href);
    }).finally(() => {
      setBusy(false);
    });
  };
  return (
    <Page
      title={words.titleOfOne(`${dataset} / ${path}`)}
      actions={
        known.data &&
        (["csv", "json"] as const).map((suffix) => (
          <Button
            key={suffix}
            icon={<DownloadOutlined />}
            loading={busy}
            onClick={() => {
              download(suffix);
            }}
          >
            {words.download(suffix.toUpperCase())}
          </Button>
        ))
      }
    >
      <Answered query={known}>
        {(one) => (
          <>
            <Facts report={one} address={`/datasets/${dataset}/${path}`} />
            <div className="filters" style={{ marginTop: 16 }}>
              <Select
                style={{ width: 240 }}
                aria-label={words.kind}
                value={kind}
                onChange={(chosen) => {
                  setKind(chosen);
                  setReason("");
                }}
                options={[
                  { value: "KIND_UNSPECIFIED", label: `${words.allKinds} (${whole(keptOf(one))})` },
                  ...[...new Set(one.lineCounts.map((count) => count.kind))].map((value) => ({
                    value,
                    label: `${words.kinds[value]} (${whole(keptOf(one, value))})`,
                  })),
                ]}
              />
              <Select
                style={{ width: 260 }}
                aria-label={words.reasonCode}
                value={reason}
                onChange={setReason}
                options={[{ value: "", label: words.allReasons }, ...reasonsOf(one, kind)]}
              />
              <Input.Search
                style={{ width: 260 }}
                allowClear
                aria-label={words.fileContains}
                placeholder={words.fileContains}
                value={text}
                onChange={(event) => {
                  setText(event.target.value);
                }}
              />
            </div>
            <Answered query={lines}>
              {(all) => (
                <Table<Line>
                  size="small"
                  rowKey={(line) => `${line.kind}/${line.reason}/${line.file}/${line.message}`}
                  pagination={false}
                  scroll={{ x: 900 }}
                  dataSource={all}
                  locale={{ emptyText: <Nothing text={keptOf(one) ? words.noMatch : words.allTaken} /> }}
                  columns={[
                    {
                      title: words.picture,
                      width: 90,
                      render: (_, { sampleFile }) =>
                        sampleFile ? (
                          <span className="report-picture">
                            <Thumbnail src={sampleAddress(name, sampleFile, true)} alt={sampleFile} />
                          </span>
                        ) : (
                          "—"
                        ),
                    },
                    { title: t.monitor.file, render: (_, line) => <code className="wrap">{line.file}</code> },
                    {
                      title: words.kind,
                      render: (_, line) => <Tag color={COLORS[line.kind] ?? "default"}>{words.kinds[line.kind]}</Tag>,
                    },
                    { title: words.reasonCode, render: (_, line) => <code>{line.reason}</code> },
                    { title: words.message, render: (_, line) => pick(line.message, line.messageZh) },
                  ]}
                />
              )}
            </Answered>
            <More pages={lines} />
          </>
        )}
      </Answered>
    </Page>
  );
}

/** The kept lines, of a kind if one is given. */
function keptOf({ lineCounts }: Report, kind?: Line["kind"]): number {
  return lineCounts.reduce((sum, one) => sum + (kind === undefined || one.kind === kind ? Number(one.count) : 0), 0);
}

function reasonsOf({ lineCounts }: Report, kind: Line["kind"]): { value: string; label: string }[] {
  const counts = new Map<string, number>();
  for (const one of lineCounts) {
    if (kind !== "KIND_UNSPECIFIED" && one.kind !== kind) continue;
    counts.set(one.reason, (counts.get(one.reason) ?? 0) + Number(one.count));
  }
  return [...counts].map(([value, count]) => ({ value, label: `${value} (${whole(count)})` }));
}

function Facts({ report, address }: { report: Report; address: string }): ReactNode {
  const { language } = useSpeech();
  const words = importWords[language];
  const left = Number(report.foundCount) - Number(report.usedCount);
  const kept = keptOf(report);
  const facts: [string, ReactNode][] = [
    [words.imported, <Link key="all" to={`${address}/imports`}>{time(report.createTime, language)}</Link>],
    [words.by, lastPart(report.creator)],
    [words.folder, report.folder || "—"],
    [words.format, report.format],
    [words.files, words.filesText(whole(report.foundCount), whole(report.usedCount), whole(left))],
    [
      words.samples,
      words.samplesText(
        ...([report.sampleCount, report.addedCount, report.unchangedCount].map(whole) as [string, string, string]),
        whole(report.replacedCount),
        whole(report.rejectedCount),
      ),
    ],
    [words.masks, whole(report.maskCount)],
    [
      words.groups,
      report.groupColumn ? words.groupsText(whole(report.groupCount), report.groupColumn) : words.noGroups,
    ],
    [words.bytes, words.bytesText(bytes(Number(report.sizeBytes)), bytes(Number(report.uploadedBytes)))],
    ...(report.bits ? [[words.bits, words.bitsText(report.bits)] as [string, ReactNode]] : []),
  ];
  return (
    <>
      <Descriptions
        size="small"
        bordered
        column={{ xs: 1, md: 2 }}
        items={facts.map(([label, children]) => ({ key: label, label, children }))}
      />
      {kept < Number(report.lineCount) && (
        <Alert
          type="warning"
          showIcon
          style={{ marginTop: 12 }}
          title={words.linesKept(whole(kept), whole(report.lineCount))}
        />
      )}
    </>
  );
}
