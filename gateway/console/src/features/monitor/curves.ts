/** Loss curves: extending, smoothing and thinning them. */

export interface Curve {
  /** Ascending. */
  iterations: number[];
  losses: number[];
  validation: { iteration: number; accuracy: number }[];
}

export const EMPTY: Curve = { iterations: [], losses: [], validation: [] };

/** The curve with new points after it; points that it has already are skipped. */
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
    const steps = at - before;
    // Computing a power is slow, and most points are one iteration apart.
    const kept = steps > 1 ? weight ** steps : weight;
    before = at;
    mean = kept * mean + (1 - kept) * loss;
    mass = kept * mass + (1 - kept);
    return mean / mass;
  });
}

/** The whole curve with a range of it replaced by the detailed points. */
export function detailed(curve: Curve, part: Curve): Curve {
  const first = part.iterations[0];
  const last = part.iterations.at(-1);
  if (first === undefined || last === undefined) return curve;
  const before = placed(curve.iterations, first);
  const after = placed(curve.iterations, last + 1);
  const joined = (whole: number[], fine: number[]) => whole.slice(0, before).concat(fine, whole.slice(after));
  return {
    iterations: joined(curve.iterations, part.iterations),
    losses: joined(curve.losses, part.losses),
    validation: curve.validation,
  };
}

/** The curve up to before an iteration: after a fault a training goes on from its checkpoint (T5). */
export function cutBack(curve: Curve, iteration: number): Curve {
  const kept = placed(curve.iterations, iteration);
  return {
    iterations: curve.iterations.slice(0, kept),
    losses: curve.losses.slice(0, kept),
    validation: curve.validation.filter((point) => point.iteration < iteration),
  };
}

/** The index of the first number that is not less than `least`; the numbers ascend. */
function placed(numbers: readonly number[], least: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? least) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Columns of values at ascending iterations. */
export interface Table {
  at: number[];
  columns: number[][];
}

/**
 * Of the rows from `low` to `high`, and of their neighbours outside, those that can be told apart on so many pixels:
 * the least and the largest of each column in each pixel.
 */
export function visible({ at, columns }: Table, low: number, high: number, pixels: number): Table {
  const first = Math.max(0, placed(at, low) - 1);
  const end = Math.min(at.length, placed(at, high) + 2);
  if (end - first <= 2 * columns.length * pixels) {
    return { at: at.slice(first, end), columns: columns.map((values) => values.slice(first, end)) };
  }
  const chosen: number[] = [];
  const perRow = pixels / (high - low);
  for (let row = first; row < end; ) {
    const pixel = Math.floor(((at[row] ?? 0) - low) * perRow);
    const from = row;
    while (row < end && Math.floor(((at[row] ?? 0) - low) * perRow) === pixel) row += 1;
    const rows = new Set<number>();
    for (const values of columns) {
      let [least, most] = [from, from];
      for (let other = from + 1; other < row; other += 1) {
        const value = values[other] ?? Number.NaN;
        if (value < (values[least] ?? 0)) least = other;
        if (value > (values[most] ?? 0)) most = other;
      }
      rows.add(least).add(most);
    }
    chosen.push(...[...rows].sort((a, b) => a - b));
  }
  const of = (values: readonly number[]) => chosen.map((row) => values[row] ?? Number.NaN);
  return { at: of(at), columns: columns.map(of) };
}

/** All tables joined over their iterations; null where a table has no value. */
export function merged(tables: readonly Table[]): [number[], ...(number | null)[][]] {
  const iterations = tables.reduce<number[]>((all, { at }) => union(all, at), []);
  return [iterations, ...tables.flatMap(({ at, columns }) => columns.map((values) => spread(iterations, at, values)))];
}

/** The numbers of both, ascending, each once. */
function union(a: number[], b: number[]): number[] {
  if (a.length === 0) return b;
  if (b.length <= a.length && b.every((number) => number === a[placed(a, number)])) return a;
  const all: number[] = [];
  for (let [i, j] = [0, 0]; i < a.length || j < b.length; ) {
    const [left, right] = [a[i] ?? Number.POSITIVE_INFINITY, b[j] ?? Number.POSITIVE_INFINITY];
    all.push(Math.min(left, right));
    if (left <= right) i += 1;
    if (right <= left) j += 1;
  }
  return all;
}

function spread(iterations: number[], at: number[], values: number[]): (number | null)[] {
  if (at.length === iterations.length) return values;
  let next = 0;
  return iterations.map((iteration) => (at[next] === iteration ? (values[next++] ?? null) : null));
}

/** A loss beside its axis: short, whether it is of a training that diverges or of one that has learnt all. */
export function lossText(loss: number | null): string {
  if (loss === null) return "";
  const size = Math.abs(loss);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return loss.toExponential(1);
  return loss.toLocaleString("en", { maximumFractionDigits: 3 });
}
