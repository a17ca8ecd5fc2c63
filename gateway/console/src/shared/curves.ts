/** Loss curves as they are kept, drawn and smoothed. */

export interface Curve {
  /** Ascending. */
  iterations: number[];
  losses: number[];
  validation: { iteration: number; accuracy: number }[];
}

export const EMPTY: Curve = { iterations: [], losses: [], validation: [] };

/** The curve with what came after it; what it has already is not doubled. */
export function extended(
  curve: Curve,
  first: number,
  losses: readonly number[],
  validation: readonly { iteration: number; accuracy: number }[],
): Curve {
  const last = curve.iterations.at(-1) ?? -1;
  const skip = Math.max(0, last + 1 - first);
  const fresh = losses.slice(skip);
  const seen = curve.validation.at(-1)?.iteration ?? -1;
  return {
    iterations: curve.iterations.concat(fresh.map((_, index) => first + skip + index)),
    losses: curve.losses.concat(fresh),
    validation: curve.validation.concat(validation.filter((point) => point.iteration > seen)),
  };
}

/**
 * Exponential moving average, corrected for its start: `weight` 0 is the curve itself, 0.99 very smooth. Gaps in the
 * iterations count as that many steps, so that a downsampled curve is smoothed as the whole one would be.
 */
export function smoothed(curve: Curve, weight: number): number[] {
  if (weight <= 0) return curve.losses;
  let mean = 0;
  let mass = 0;
  let before = curve.iterations[0] ?? 0;
  return curve.losses.map((loss, index) => {
    const at = curve.iterations[index] ?? before;
    const kept = weight ** Math.max(1, at - before);
    before = at;
    mean = kept * mean + (1 - kept) * loss;
    mass = kept * mass + (1 - kept);
    return mean / mass;
  });
}

/** The whole curve with a part of it in the detail that was asked for. */
export function detailed(curve: Curve, part: Curve): Curve {
  const first = part.iterations[0];
  const last = part.iterations.at(-1);
  if (first === undefined || last === undefined) return curve;
  const before = curve.iterations.findIndex((iteration) => iteration >= first);
  const after = curve.iterations.findIndex((iteration) => iteration > last);
  const joined = (whole: number[], fine: number[]) => [
    ...whole.slice(0, before < 0 ? whole.length : before),
    ...fine,
    ...(after < 0 ? [] : whole.slice(after)),
  ];
  return {
    iterations: joined(curve.iterations, part.iterations),
    losses: joined(curve.losses, part.losses),
    validation: curve.validation,
  };
}
