/** Shades of a confusion matrix: each row by its share, so that mistakes of rare codes are as visible as others. */
export interface Cell {
  truth: string;
  predicted: string;
  count: number;
  /** Of the row's samples. */
  share: number;
  right: boolean;
}

export function rows(codes: readonly string[], counts: readonly (string | number)[]): Cell[][] {
  return codes.map((truth, row) => {
    const line = codes.map((_, column) => Number(counts[row * codes.length + column] ?? 0));
    const total = line.reduce((sum, count) => sum + count, 0);
    return codes.map((predicted, column) => ({
      truth,
      predicted,
      count: line[column] ?? 0,
      share: total > 0 ? (line[column] ?? 0) / total : 0,
      right: row === column,
    }));
  });
}
