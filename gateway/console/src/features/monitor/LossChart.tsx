import { theme } from "antd";
import { useEffect, useMemo, useRef, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { lossText, merged, smoothed, visible, type Curve, type Table } from "./curves";

export interface Series {
  label: string;
  curve: Curve;
  /** Of another task. */
  other?: boolean;
}

interface Props {
  series: Series[];
  words: { iteration: string; accuracy: string; hint: string };
  logScale: boolean;
  smoothing: number;
  label: string;
  /** The range that a person zoomed to; undefined: all of it. */
  onRange?: (range: [number, number] | undefined) => void;
}

// Constant enums of type declarations do not exist at run time.
/* eslint-disable @typescript-eslint/no-unsafe-enum-assignment */
const LOGARITHMIC = 3 as uPlot.Scale.Distr.Logarithmic;
const RIGHT = 1 as uPlot.Axis.Side.Right;
/* eslint-enable @typescript-eslint/no-unsafe-enum-assignment */
const HEIGHT = 300;
const REST_MS = 250;
const WHOLE_STEPS = Array.from({ length: 9 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();
const COLOURS = ["#1677ff", "#d4380d"];

/** Loss and validation accuracy over the iterations: drag zooms, Shift and drag pans, a double click shows all. */
export function LossChart({ series, words, logScale, smoothing, label, onRange }: Props): ReactNode {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const rangeListener = useRef(onRange);
  useEffect(() => {
    rangeListener.current = onRange;
  });
  const { token } = theme.useToken();
  const labels = series.map((one) => one.label).join("\n");
  const tables = useMemo(() => tablesOf(series, smoothing), [series, smoothing]);
  const latest = useRef(tables);
  latest.current = tables;
  const empty = tables.every(({ at }) => at.length === 0);
  const range = useRef<[number, number]>(undefined);

  useEffect(() => {
    const element = holder.current;
    if (!element || empty) return;
    let resting = 0;
    /** Shows a range of the curve, or all of it, and reports the range when it has not changed for a moment. */
    const go = (wanted: [number, number] | undefined) => {
      const whole = extent(latest.current);
      const [low, high] = wanted ?? whole;
      const span = Math.min(high - low, whole[1] - whole[0]);
      const from = Math.max(whole[0], Math.min(low, whole[1] - span));
      range.current = wanted && span < whole[1] - whole[0] ? [from, from + span] : undefined;
      show(made, latest.current, range.current);
      clearTimeout(resting);
      resting = window.setTimeout(() => {
        rangeListener.current?.(range.current && [Math.floor(range.current[0]), Math.ceil(range.current[1]) + 1]);
      }, REST_MS);
    };
    const axis = {
      stroke: token.colorText,
      grid: { stroke: token.colorSplit, width: 1 },
      ticks: { stroke: token.colorSplit },
    };
    const made = new uPlot(
      {
        width: element.clientWidth,
        cursor: { drag: { x: true, y: false, setScale: false } },
        height: HEIGHT,
        scales: {
          x: { time: false },
          y: logScale ? { distr: LOGARITHMIC } : {},
          share: { range: [0, 1] },
        },
        axes: [
          { ...axis, label: words.iteration, labelSize: 22, incrs: WHOLE_STEPS },
          { ...axis, size: 64, values: (_, splits: (number | null)[]) => splits.map(lossText) },
          {
            ...axis,
            scale: "share",
            side: RIGHT,
            size: 60,
            grid: { show: false },
            values: (_, splits) => splits.map((at) => `${Math.round(at * 100)} %`),
          },
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
              if (chart.select.width < 4) return;
              go([chart.posToVal(chart.select.left, "x"), chart.posToVal(chart.select.left + chart.select.width, "x")]);
              chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
        },
      },
      [[], ...latest.current.flatMap(({ columns }) => columns.map(() => []))],
      element,
    );
    plot.current = made;
    show(made, latest.current, range.current);
    const { over } = made;
    const seen = (): [number, number] => range.current ?? extent(latest.current);
    const listeners = new AbortController();
    const { signal } = listeners;
    over.addEventListener("dblclick", () => { go(undefined); }, { signal });
    over.addEventListener(
      "wheel",
      (event) => {
        // Without a key the wheel scrolls the page.
        if (!event.ctrlKey && !event.shiftKey) return;
        event.preventDefault();
        const [low, high] = seen();
        if (event.shiftKey) {
          const by = ((high - low) * Math.sign(event.deltaY || event.deltaX)) / 10;
          go([low + by, high + by]);
          return;
        }
        const at = made.posToVal(event.offsetX, "x");
        const factor = 1.25 ** Math.sign(event.deltaY);
        go([at - (at - low) * factor, at + (high - at) * factor]);
      },
      { signal, passive: false },
    );
    // The right or middle button, or Shift, pans. Captured before the plot's own listener, which would begin to select.
    over.addEventListener(
      "mousedown",
      (event) => {
        if (event.button === 0 && !event.shiftKey) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        const [low, high] = seen();
        const perPx = (high - low) / over.clientWidth;
        const from = event.clientX;
        const moving = new AbortController();
        window.addEventListener(
          "mousemove",
          (move) => {
            go([low - (move.clientX - from) * perPx, high - (move.clientX - from) * perPx]);
          },
          { signal: moving.signal },
        );
        window.addEventListener(
          "mouseup",
          () => {
            moving.abort();
          },
          { signal: moving.signal },
        );
      },
      { signal, capture: true },
    );
    over.addEventListener("contextmenu", (event) => { event.preventDefault(); }, { signal });
    element.addEventListener(
      "keydown",
      (event) => {
        const [low, high] = seen();
        const step = (high - low) / 5;
        const wanted: Record<string, [number, number] | undefined> = {
          ArrowLeft: [low - step, high - step],
          ArrowRight: [low + step, high + step],
          "+": [low + step, high - step],
          "-": [low - step, high + step],
          "0": undefined,
        };
        if (!(event.key in wanted)) return;
        event.preventDefault();
        go(wanted[event.key]);
      },
      { signal },
    );
    const resized = new ResizeObserver(() => {
      if (element.clientWidth === made.width) return;
      made.setSize({ width: element.clientWidth, height: HEIGHT });
      show(made, latest.current, range.current);
    });
    resized.observe(element);
    return () => {
      clearTimeout(resting);
      listeners.abort();
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [empty, labels, logScale, token, words.iteration, words.accuracy]);

  useEffect(() => {
    if (plot.current) show(plot.current, tables, range.current);
  }, [tables]);

  return (
    <div
      ref={holder}
      role="application"
      tabIndex={0}
      aria-label={`${label} · ${words.hint}`}
      style={{ minHeight: HEIGHT }}
    />
  );
}

/** Draws the tables; new points do not change the range that a person chose. */
function show(plot: uPlot, tables: readonly Table[], range: [number, number] | undefined): void {
  const [min, max] = range ?? extent(tables);
  plot.setData(merged(tables.map((table) => visible(table, min, max, plot.width))), false);
  plot.setScale("x", { min, max });
}

function extent(tables: readonly Table[]): [number, number] {
  const ends = tables.flatMap(({ at }) => (at.length > 0 ? [at[0] ?? 0, at[at.length - 1] ?? 0] : []));
  const first = Math.min(...ends);
  return [first, Math.max(first + 1, ...ends)];
}

function tablesOf(series: readonly Series[], smoothing: number): Table[] {
  return series.flatMap(({ curve }) => [
    { at: curve.iterations, columns: [curve.losses, smoothed(curve, smoothing)] },
    {
      at: curve.validation.map((point) => point.iteration),
      columns: [curve.validation.map((point) => point.accuracy)],
    },
  ]);
}
