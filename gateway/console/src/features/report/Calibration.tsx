import { Segmented } from "antd";
import { useState, type ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { useSpeech } from "../../i18n";
import { calibrationWords } from "../../i18n/calibration";
import { percent, whole } from "../../ui/format";
import { bars } from "./reliability";

type Report = Schemas["Report"];

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [520, 300, 46, 10, 22];
const TICKS = [0, 0.25, 0.5, 0.75, 1];

const x = (share: number) => LEFT + share * (WIDTH - LEFT - 10);
const y = (share: number) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);

/** Whether confidences say how often predictions are right, with and without calibration (E5). */
export function Calibration({ report }: { report: Report }): ReactNode {
  const { language } = useSpeech();
  const words = calibrationWords[language];
  const [calibrated, setCalibrated] = useState(true);
  const { calibration } = report;
  if (!calibration) return <p className="dim">{words.unknown}</p>;
  const { error, uncalibratedError: before } = calibration;
  return (
    <>
      <p>
        {before === undefined
          ? words.onlyAfter(percent(error))
          : words.sentence(percent(before), percent(error))}{" "}
        <span className="dim">{words.hint}</span>
      </p>
      {before !== undefined && (
        <Segmented
          size="small"
          value={calibrated}
          onChange={setCalibrated}
          options={[
            { value: true, label: words.after },
            { value: false, label: words.before },
          ]}
        />
      )}
      <Diagram
        bins={calibrated ? calibration.bins : calibration.uncalibratedBins}
        label={words.chart(whole(calibration.sampleCount))}
      />
    </>
  );
}

function Diagram({ bins, label }: { bins: readonly Schemas["ConfidenceBin"][]; label: string }): ReactNode {
  const { t, language } = useSpeech();
  const words = calibrationWords[language];
  return (
    <figure style={{ margin: "8px 0" }}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%" role="img" aria-label={label} className="reliability">
        {TICKS.map((share) => (
          <g key={share}>
            <line x1={LEFT} x2={WIDTH - 10} y1={y(share)} y2={y(share)} />
            <text x={LEFT - 6} y={y(share) + 4} textAnchor="end">
              {percent(share, 0)}
            </text>
            <text x={x(share)} y={HEIGHT - 6} textAnchor={share === 1 ? "end" : "middle"}>
              {percent(share, 0)}
            </text>
          </g>
        ))}
        {bars(bins).map(({ low, high, accuracy, meanConfidence, samples, correct, opacity }) => (
          <g key={low}>
            {/* Reaches to the top, so that a low bar is found too. */}
            <rect x={x(low)} y={y(1)} width={x(high) - x(low)} height={y(0) - y(1)} fill="transparent">
              <title>
                {words.bin(
                  `${percent(low, 0)} – ${percent(high, 0)}`,
                  whole(correct),
                  whole(samples),
                  percent(accuracy),
                  percent(meanConfidence),
                )}
              </title>
            </rect>
            <rect
              className="reliability-bar"
              x={x(low) + 1}
              y={y(accuracy)}
              width={x(high) - x(low) - 2}
              height={y(0) - y(accuracy)}
              opacity={opacity}
            />
          </g>
        ))}
        <line className="reliability-exact" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
      </svg>
      <figcaption className="dim">
        {label} · {t.report.confidence} →
      </figcaption>
    </figure>
  );
}
