import type { ReactNode } from "react";
import type { Schemas } from "../api/client";
import { percent } from "./format";

type Estimate = Schemas["Estimate"];

interface Props {
  estimate: Estimate | undefined;
  large?: boolean;
  /** What the bar reaches from and to; all shares where it is left out. */
  axis?: readonly [number, number];
  /** Another share, to hold this one against. */
  mark?: number | undefined;
}

/** A share with its Wilson interval, in figures and as a bar: a class of 12 samples proves little (E1). */
export function EstimateShare({ estimate, large, axis: [from, to] = [0, 1], mark }: Props): ReactNode {
  if (estimate?.value === undefined) return <>—</>;
  const { low, high, value } = estimate;
  const at = (share: number) => `${((share - from) / (to - from)) * 100}%`;
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
        <div className="interval-span" style={{ left: at(low), width: `${((high - low) / (to - from)) * 100}%` }} />
        <div className="interval-point" style={{ left: at(value) }} />
        {mark !== undefined && <div className="interval-mark" style={{ left: at(mark) }} />}
      </div>
    </div>
  );
}
