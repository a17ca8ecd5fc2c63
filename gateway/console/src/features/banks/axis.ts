import type { Schemas } from "../../api/client";

/** The bars' common axis: around all intervals, in whole steps of 5 %. */
export function axisOf(entries: readonly Pick<Schemas["LeaderboardEntry"], "overall">[]): [number, number] {
  const estimates = entries.flatMap(({ overall }) => (overall?.accuracy ? [overall.accuracy] : []));
  if (estimates.length === 0) return [0, 1];
  const low = Math.floor(Math.min(...estimates.map((one) => one.low)) * 20) / 20;
  const high = Math.ceil(Math.max(...estimates.map((one) => one.high)) * 20) / 20;
  return low < high ? [low, high] : [0, 1];
}
