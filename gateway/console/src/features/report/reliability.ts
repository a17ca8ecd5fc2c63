/** A reliability diagram: one bar for each interval of confidences that has samples (E5). */
import type { Schemas } from "../../api/client";

type ConfidenceBin = Schemas["ConfidenceBin"];

/** Samples from which a bar is drawn in full colour. */
const ENOUGH = 30;

export interface Bar {
  low: number;
  high: number;
  /** How high it is. */
  accuracy: number;
  meanConfidence: number;
  samples: number;
  correct: number;
  /** From 0.3, where hardly anything is known, to 1. */
  opacity: number;
}

export function bars(bins: readonly ConfidenceBin[]): Bar[] {
  return bins.flatMap(({ low, high, sampleCount, correctCount, accuracy, meanConfidence }) =>
    accuracy === undefined || meanConfidence === undefined
      ? []
      : [
          {
            low,
            high,
            accuracy,
            meanConfidence,
            samples: Number(sampleCount),
            correct: Number(correctCount),
            opacity: Math.min(1, 0.3 + (0.7 * Number(sampleCount)) / ENOUGH),
          },
        ],
  );
}
