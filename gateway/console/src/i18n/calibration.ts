/** The words of calibrated confidences, apart from the others: only reports load them (E5). */
import type { Language } from "./index";

const zh = {
  title: "置信度校准",
  error: "校准误差",
  sentence: (before: string, after: string) => `校准误差：校准前 ${before}，校准后 ${after}。`,
  onlyAfter: (error: string) => `校准误差：${error}。该权重早于置信度校准功能，或不知道未校准的置信度。`,
  after: "校准后",
  before: "校准前",
  hint: "柱高为该置信度区间内样本的准确率；若置信度完全准确，柱顶应落在斜线上。颜色越浅，样本越少。",
  unknown: "该报告没有统计置信度：早于置信度校准功能，或没有参与评估的样本。",
  chart: (samples: string) => `各置信度区间的准确率，共 ${samples} 个样本`,
  bin: (range: string, correct: string, all: string, accuracy: string, confidence: string) =>
    `置信度 ${range}：${all} 个样本中判对 ${correct} 个，准确率 ${accuracy}，平均置信度 ${confidence}`,
};

const en: typeof zh = {
  title: "Calibration",
  error: "Calibration error",
  sentence: (before, after) => `Calibration error: ${before} without calibration, ${after} with it.`,
  onlyAfter: (error) =>
    `Calibration error: ${error}. The weights are from before calibration, or nobody knows the figure without it.`,
  after: "With calibration",
  before: "Without",
  hint:
    "A bar is the accuracy of the samples with such a confidence; the line is where it would end if the confidences " +
    "were exactly right. A pale bar has few samples.",
  unknown: "Confidences were not counted: the report is from before calibration, or no sample was judged.",
  chart: (samples) => `Accuracy by confidence, ${samples} samples`,
  bin: (range, correct, all, accuracy, confidence) =>
    `Confidence ${range}: ${correct} of ${all} samples right, accuracy ${accuracy}, mean confidence ${confidence}`,
};

export const calibrationWords: Record<Language, typeof zh> = { en, zh };
