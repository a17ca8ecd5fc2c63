import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { percent } from "../../ui/format";

type Estimate = Schemas["Estimate"];

/** A share with its Wilson interval, in figures and as a bar: a class of 12 samples proves little (E1). */
export function EstimateShare({ estimate, large }: { estimate: Estimate | undefined; large?: boolean }): ReactNode {
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
