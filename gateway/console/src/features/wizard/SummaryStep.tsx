import { Alert, Card, Descriptions, Table, Tag } from "antd";
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { lastPart, shortPath, shortVersion } from "../../api/names";
import { ScrollRegion } from "../../ui/ScrollRegion";
import { useSpeech } from "../../i18n";
import { wizardWords } from "../../i18n/wizard";
import { bytes, duration, seconds, whole } from "../../ui/format";

type Summary = Schemas["TrainingSummary"];

/** Everything as it will be run, as the servers resolved it (W14). */
export function SummaryStep({ summary }: { summary: Summary }): ReactNode {
  return (
    <div className="grid">
      <Run summary={summary} />
      <Where summary={summary} />
      <Networks summary={summary} />
      <CodeTable summary={summary} />
      <Paths summary={summary} />
    </div>
  );
}

function Run({ summary }: { summary: Summary }): ReactNode {
  const { t, language } = useSpeech();
  const words = wizardWords[language];
  const { training, input, warmStartWeightsSha256: weights } = summary;
  const { preprocessing } = training ?? {};
  const items = [
    { label: words.model, children: `${training?.modelName ?? ""} v${String(training?.targetMajor ?? "")}` },
    { label: words.imageVersion, children: shortVersion(training?.algorithmImageVersion ?? "") },
    { label: t.common.environment, children: lastPart(training?.productionEnvironment ?? "") },
    { label: t.wizard.input, children: [input?.width, input?.height, input?.channels].map(Number).join(" × ") },
    {
      label: words.startingWeights,
      children: weights
        ? words.ofParent(shortVersion(training?.parentVersion ?? ""), weights.slice(0, 12))
        : words.fromScratch,
    },
    { label: t.wizard.trainFraction, children: preprocessing?.trainFraction },
    { label: t.wizard.filterResolution, children: preprocessing?.filterResolution ? words.on : words.off },
    {
      label: t.wizard.augmentations,
      children: preprocessing?.augmentations.map((one) => t.wizard.augmentation[one]).join(" · ") || words.none,
    },
    { label: t.wizard.trainSegmentation, children: training?.trainSegmentation ? words.on : words.off },
    { label: words.seed, children: training?.seed },
  ];
  return (
    <Card size="small" className="span-6" title={words.run}>
      <Descriptions size="small" column={1} items={items.map((one) => ({ key: one.label, ...one }))} />
    </Card>
  );
}

/** As the input is told: detail only where images are seen through windows. */
function inputSize({ width, height, detail }: Schemas["InputSize"]): string {
  return `${String(width)} × ${String(height)}${detail > 1 ? ` (detail ${String(detail)})` : ""}`;
}

/** Resource, duration and workers. */
function Where({ summary }: { summary: Summary }): ReactNode {
  const { language, pick } = useSpeech();
  const words = wizardWords[language];
  const { takes } = summary;
  const expected = seconds(summary.estimatedDuration ?? undefined);
  const sizes = [...new Set(summary.networks.flatMap((one) => (one.scaledFrom ? [inputSize(one.scaledFrom)] : [])))];
  return (
    <Card size="small" className="span-6" title={words.resource}>
      <Descriptions
        size="small"
        column={1}
        items={[
          {
            key: "resource",
            label: words.resource,
            children: (
              <>
                {lastPart(summary.training?.computeResource ?? "")} ·{" "}
                {summary.nodes > 1 && `${words.hosts(summary.nodes)} × `}
                {words.amounts(takes?.gpus ?? 0, takes?.cpus ?? 0, bytes(Number(takes?.memoryBytes ?? 0)))}
              </>
            ),
          },
          {
            key: "duration",
            label: words.duration,
            children: (
              <span data-summary="duration">
                {expected === undefined ? (
                  words.unknown
                ) : (
                  <>
                    <strong>{words.about(duration(expected, language))}</strong> ·{" "}
                    {sizes.length > 0 ? words.scaledFrom(sizes.join(", ")) : words.asMeasured} · {words.inAddition}
                  </>
                )}
              </span>
            ),
          },
        ]}
      />
      <div data-summary="workers" style={{ display: "grid", gap: 8 }}>
        {summary.workers.map((there) => {
          const kind = words.jobs[there.kind] ?? there.kind;
          const none = there.reason !== "" && there.reason !== "ALL_WORKERS_BUSY";
          return (
            <Alert
              key={there.kind}
              type={none ? "warning" : "info"}
              showIcon
              title={`${kind} · ${
                there.reason
                  ? pick(there.message, there.messageZh)
                  : words.free(there.freeCount, there.workerCount)
              }`}
            />
          );
        })}
        {summary.waitingCount !== "0" && <span className="dim">{words.waiting(whole(summary.waitingCount))}</span>}
      </div>
    </Card>
  );
}

function Networks({ summary }: { summary: Summary }): ReactNode {
  const { t, language } = useSpeech();
  const words = wizardWords[language];
  const params = summary.training?.trainingParams as Record<string, Record<string, unknown>> | undefined;
  return (
    <Card size="small" className="span-12" title={words.networksTitle}>
      <ScrollRegion label={words.networksTitle}>
        <Table
          size="small"
          rowKey="network"
          pagination={false}
          dataSource={summary.networks}
          columns={[
            {
              title: t.images.networks,
              render: (_, one) => `${t.networks[one.network]} ${one.name}`,
            },
            { title: words.iterations, align: "right", render: (_, one) => whole(one.maxIter) },
            { title: words.batch, align: "right", render: (_, one) => whole(one.batchSize) },
            { title: words.toTrain, align: "right", render: (_, one) => whole(one.trainCount) },
            { title: words.epochs, align: "right", render: (_, one) => one.epochs.toFixed(1) },
            {
              title: words.rest,
              render: (_, one) => {
                const level = one.network === "NETWORK_CLASSIFICATION" ? "classification" : "segmentation";
                const shown = new Set(["max_iter", "batch_size"]);
                const rest = Object.entries(params?.[level] ?? {})
                  .filter(([key]) => !shown.has(key))
                  .sort(([one], [other]) => (one < other ? -1 : 1));
                return (
                  <div className="wrapping">
                    {rest.map(([key, value]) => (
                      <Tag key={key} variant="outlined">
                        {key} {String(value)}
                      </Tag>
                    ))}
                  </div>
                );
              },
            },
            {
              title: words.pace,
              render: (_, one) => (
                <div className="wrapping">
                  {!one.measuredCount
                    ? words.notMeasured
                    : one.scaledFrom
                      ? words.scaled(one.imagesPerS.toFixed(1), inputSize(one.scaledFrom), one.measuredCount)
                      : words.measured(one.imagesPerS.toFixed(1), one.measuredCount)}
                </div>
              ),
            },
          ]}
        />
      </ScrollRegion>
    </Card>
  );
}

function CodeTable({ summary }: { summary: Summary }): ReactNode {
  const { language } = useSpeech();
  const words = wizardWords[language];
  const numbers = [
    ["sampleCount", words.samples],
    ["partCount", words.groups],
    ["trainCount", words.toTrain],
    ["validationCount", words.toValidate],
    ["maskCount", words.masks],
  ] as const;
  const total = (key: (typeof numbers)[number][0]) => summary.codes.reduce((sum, one) => sum + Number(one[key]), 0);
  return (
    <Card size="small" className="span-6" title={words.codes}>
      <ScrollRegion label={words.codes}>
        <Table
          size="small"
          rowKey="code"
          pagination={false}
          dataSource={summary.codes}
          columns={[
            { title: words.code, render: (_, one) => <span data-summary="code">{one.code}</span> },
            { title: words.kind, render: (_, one) => (one.special ? words.special : words.class) },
            ...numbers.map(([key, title]) => ({
              title,
              align: "right" as const,
              render: (_: unknown, one: Schemas["CodeSamples"]) => whole(one[key]),
            })),
          ]}
          summary={() => (
            <Table.Summary.Row>
              <Table.Summary.Cell index={0} colSpan={2}>
                {words.total}
              </Table.Summary.Cell>
              {numbers.map(([key], index) => (
                <Table.Summary.Cell key={key} index={index + 2} align="right">
                  {key === "partCount" ? "" : whole(total(key))}
                </Table.Summary.Cell>
              ))}
            </Table.Summary.Row>
          )}
        />
      </ScrollRegion>
      <p className="dim">{words.sidesHint}</p>
      {summary.unlistedSampleCount !== "0" && <p>{words.leftOut(whole(summary.unlistedSampleCount))}</p>}
    </Card>
  );
}

function Paths({ summary }: { summary: Summary }): ReactNode {
  const { t, language } = useSpeech();
  const words = wizardWords[language];
  return (
    <Card size="small" className="span-6" title={words.data}>
      <ScrollRegion label={words.data}>
        <Table
          size="small"
          rowKey="dataPath"
          pagination={false}
          dataSource={summary.dataPaths}
          columns={[
            { title: t.wizard.path, render: (_, one) => shortPath(one.dataPath) },
            { title: words.samples, align: "right", render: (_, one) => whole(one.sampleCount) },
          ]}
        />
      </ScrollRegion>
    </Card>
  );
}
