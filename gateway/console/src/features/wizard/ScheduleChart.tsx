import type { ReactNode } from "react";
import { useSpeech } from "../../i18n";
import { learningRate, type Schedule } from "./schedule";

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [520, 190, 64, 22];
const STEPS = 200;

/** The learning rate over the iterations, as the parameters say at this moment. */
export function ScheduleChart({ schedule, label }: { schedule: Schedule; label: string }): ReactNode {
  const { t } = useSpeech();
  const points = Array.from({ length: STEPS + 1 }, (_, step) => {
    const i = Math.min(schedule.max_iter - 1, (schedule.max_iter * step) / STEPS);
    return [i, learningRate(schedule, i)] as const;
  });
  const top = Math.max(...points.map(([, rate]) => rate));
  const x = (i: number) => LEFT + (i / Math.max(1, schedule.max_iter - 1)) * (WIDTH - LEFT - 10);
  const y = (rate: number) => 10 + (1 - rate / top) * (HEIGHT - BOTTOM - 10);
  const line = points.map(([i, rate]) => `${x(i).toFixed(1)},${y(rate).toFixed(1)}`).join(" ");
  return (
    <figure style={{ margin: "8px 0" }}>
      <figcaption className="dim">
        {t.wizard.schedule} · {label} · {schedule.lr_policy}
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        width="100%"
        role="img"
        aria-label={`${t.wizard.schedule} ${label}`}
        className="schedule"
      >
        {[0, 0.5, 1].map((share) => (
          <g key={share}>
            <line x1={LEFT} x2={WIDTH - 10} y1={y(top * share)} y2={y(top * share)} />
            <text x={LEFT - 6} y={y(top * share) + 4} textAnchor="end">
              {(top * share).toPrecision(2)}
            </text>
          </g>
        ))}
        <polyline points={line} />
        <text x={LEFT} y={HEIGHT - 4}>
          0
        </text>
        <text x={WIDTH - 10} y={HEIGHT - 4} textAnchor="end">
          {schedule.max_iter}
        </text>
      </svg>
    </figure>
  );
}
