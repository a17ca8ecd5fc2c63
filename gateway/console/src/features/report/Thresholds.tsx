import { Slider, Table } from "antd";
import { useState, type ReactNode } from "react";
import { api, type Schemas } from "../../api/client";
import { lastPart } from "../../api/names";
import { useApiQuery } from "../../api/useApiQuery";
import { useSpeech } from "../../i18n";
import { percent } from "../../ui/format";
import { Answered } from "../../ui/states";

type Report = Schemas["Report"];

/** Which share of the predictions a threshold leaves to the model, and which goes to a human (E2). */
export function Thresholds({ report }: { report: Report }): ReactNode {
  const { t } = useSpeech();
  const id = lastPart(report.name);
  const curves = useApiQuery(["reports", id, "thresholdCurves"], (signal) =>
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
                {
                  title: t.report.precision,
                  align: "right",
                  render: (_, curve) => percent(curve.points[index]?.precision),
                },
                { title: t.report.recall, align: "right", render: (_, curve) => percent(curve.points[index]?.recall) },
                {
                  title: t.report.toHuman,
                  align: "right",
                  render: (_, curve) => percent(curve.points[index]?.toHuman),
                },
              ]}
            />
          </>
        );
      }}
    </Answered>
  );
}
