import { theme } from "antd";
import { useEffect, useMemo, useRef, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { smoothed, type Curve } from "./curves";

export interface Drawn {
  label: string;
  curve: Curve;
  /** Of another task. */
  other?: boolean;
}

interface Props {
  drawn: Drawn[];
  words: { iteration: string; accuracy: string };
  logScale: boolean;
  smoothing: number;
  label: string;
  /** The range that a person zoomed to; undefined: all of it. */
  onRange?: (range: [number, number] | undefined) => void;
}

// Constant enums of declarations are nothing at run time.
/* eslint-disable @typescript-eslint/no-unsafe-enum-assignment */
const LOGARITHMIC = 3 as uPlot.Scale.Distr.Logarithmic;
const RIGHT = 1 as uPlot.Axis.Side.Right;
/* eslint-enable @typescript-eslint/no-unsafe-enum-assignment */
const HEIGHT = 300;
const COLOURS = ["#1677ff", "#d4380d"];

/** Loss and validation accuracy over the iterations. Drag to zoom, double-click to reset. */
export function LossChart({ drawn, words, logScale, smoothing, label, onRange }: Props): ReactNode {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const tell = useRef(onRange);
  useEffect(() => {
    tell.current = onRange;
  });
  const { token } = theme.useToken();
  const labels = drawn.map((one) => one.label).join("\n");
  const data = useMemo(() => aligned(drawn, smoothing), [drawn, smoothing]);
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const axis = { stroke: token.colorText, grid: { stroke: token.colorSplit, width: 1 }, ticks: { stroke: token.colorSplit } };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        scales: {
          x: { time: false },
          y: logScale ? { distr: LOGARITHMIC } : {},
          share: { range: [0, 1] },
        },
        axes: [
          { ...axis, label: words.iteration, labelSize: 22 },
          { ...axis, size: 64 },
          { ...axis, scale: "share", side: RIGHT, grid: { show: false }, values: (_, splits) => splits.map((at) => `${Math.round(at * 100)} %`) },
        ],
        series: [
          { label: words.iteration },
          ...labels.split("\n").flatMap((name, index): uPlot.Series[] => {
            const stroke = COLOURS[index % COLOURS.length] ?? "#1677ff";
            return [
              { label: name, stroke: `${stroke}40`, width: 1, spanGaps: true, points: { show: false } },
              { label: `${name} ~`, stroke, width: 1.5, spanGaps: true, points: { show: false } },
              {
                label: `${name} · ${words.accuracy}`,
                scale: "share",
                stroke: index === 0 ? "#389e0d" : "#d48806",
                width: 1,
                spanGaps: true,
                points: { show: true, size: 6 },
                value: (_, value: number | null) => (value === null ? "—" : `${(value * 100).toFixed(1)} %`),
              },
            ];
          }),
        ],
        hooks: {
          setSelect: [
            (chart) => {
              if (chart.select.width > 0) {
                const from = chart.posToVal(chart.select.left, "x");
                const to = chart.posToVal(chart.select.left + chart.select.width, "x");
                tell.current?.([Math.floor(from), Math.ceil(to) + 1]);
              }
            },
          ],
          ready: [
            (chart) => {
              chart.over.addEventListener("dblclick", () => tell.current?.(undefined));
            },
          ],
        },
      },
      latest.current,
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [labels, logScale, token, words.iteration, words.accuracy]);

  // Points come in dozens a second; the picture changes once a frame.
  useEffect(() => {
    const frame = requestAnimationFrame(() => plot.current?.setData(data));
    return () => {
      cancelAnimationFrame(frame);
    };
  }, [data]);

  return <div ref={holder} role="img" aria-label={label} style={{ minHeight: HEIGHT }} />;
}

function aligned(drawn: readonly Drawn[], smoothing: number): uPlot.AlignedData {
  const tables = drawn.flatMap(({ curve }): uPlot.AlignedData[] => [
    [curve.iterations, curve.losses, smoothed(curve, smoothing)],
    [curve.validation.map((point) => point.iteration), curve.validation.map((point) => point.accuracy)],
  ]);
  return uPlot.join(tables);
}
