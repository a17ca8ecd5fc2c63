import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSpeech } from "../../i18n";
import { EstimateShare } from "../../ui/EstimateShare";
import { percent, whole } from "../../ui/format";

type Report = Schemas["Report"];

export function OverallResult({ report }: { report: Report }): ReactNode {
  const { t } = useSpeech();
  const overall = report.overall;
  if (!overall) return null;
  const facts: [string, ReactNode][] = [
    [t.report.accuracy, <EstimateShare key="accuracy" estimate={overall.accuracy} large />],
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
