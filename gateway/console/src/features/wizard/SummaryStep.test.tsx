import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Schemas } from "../../api/client";
import { wizardWords } from "../../i18n/wizard";
import { SummaryStep } from "./SummaryStep";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const words = wizardWords.zh;
const there = (kind: string, reason: string) => ({
  kind, reason, workerCount: reason ? 0 : 2, freeCount: reason ? 0 : 1,
  message: "nobody is there", messageZh: "没有节点",
});
const SUMMARY = {
  training: {
    modelName: "panel", targetMajor: 3, seed: "4711", dataPaths: [], trainSegmentation: false,
    algorithmImageVersion: "algorithmImages/surface/versions/v3.0",
    productionEnvironment: "productionEnvironments/array", computeResource: "computeResources/cpu",
    preprocessing: { trainFraction: 0.8, filterResolution: true, augmentations: ["AUGMENTATION_FLIP"] },
    trainingParams: { classification: { base_lr: 0.02, batch_size: 16, max_iter: 40 } },
  },
  input: { width: 64, height: 64, channels: 3 },
  codes: [
    {
      code: "TPFIP", special: false, sampleCount: "18", partCount: "18", trainCount: "14", validationCount: "4",
      maskCount: "0",
    },
    {
      code: "TSFAS", special: true, sampleCount: "2", partCount: "2", trainCount: "1", validationCount: "1",
      maskCount: "0",
    },
  ],
  unlistedSampleCount: "4",
  dataPaths: [{ dataPath: "datasets/panels/paths/main", sampleCount: "24" }],
  networks: [
    { network: "NETWORK_CLASSIFICATION", name: "ResNet18", maxIter: "40", batchSize: "16", trainCount: "14",
      epochs: 45.7, imagesPerS: 0, measuredCount: 0 },
  ],
  warmStartWeightsSha256: "",
  nodes: 1,
  takes: { gpus: 0, cpus: 2, memoryBytes: "2147483648" },
  workers: [there("JOB_KIND_TRAIN", ""), there("JOB_KIND_EVALUATE", "NO_WORKER_WITH_RESOURCE")],
  waitingCount: "0",
} as unknown as Schemas["TrainingSummary"];

let root: Root | undefined;
beforeAll(() => {
  // jsdom has neither; tables and descriptions ask for them.
  const nothing = () => undefined;
  const observer = class {
    observe = nothing;
    unobserve = nothing;
    disconnect = nothing;
  };
  vi.stubGlobal("ResizeObserver", observer);
  vi.stubGlobal("matchMedia", (media: string) => ({
    media, matches: false, addListener: nothing, removeListener: nothing, addEventListener: nothing,
    removeEventListener: nothing,
  }));
});
afterEach(() => {
  act(() => root?.unmount());
});

function shown(summary: Schemas["TrainingSummary"]): HTMLElement {
  const holder = document.body.appendChild(document.createElement("div"));
  root = createRoot(holder);
  act(() => root?.render(<SummaryStep summary={summary} />));
  return holder;
}

describe("the last page (W14)", () => {
  it("shows what the servers resolved: codes with their sides, parameters, seed, data", () => {
    const text = shown(SUMMARY).textContent;
    for (const part of ["panel v3", "4711", "64 × 64 × 3", "TPFIP", words.special, "base_lr 0.02", "panels/main"])
      expect(text).toContain(part);
    expect(text).toContain(words.fromScratch);
    expect(text).toContain(words.leftOut("4"));
  });

  it("makes up no duration where nothing was measured", () => {
    expect(shown(SUMMARY).querySelector('[data-summary="duration"]')?.textContent).toBe(words.unknown);
  });

  it("tells the measured duration with what it leaves out", () => {
    const page = shown({ ...SUMMARY, estimatedDuration: "600s" });
    const told = page.querySelector('[data-summary="duration"]')?.textContent;
    expect(told).toContain(words.about("10 分 0 秒"));
    expect(told).toContain(words.asMeasured);
    expect(told).toContain(words.inAddition);
  });

  it("says of an estimate from another input that it is one, and from which", () => {
    const networks = SUMMARY.networks.map((one) => ({
      ...one, imagesPerS: 12.5, measuredCount: 2, scaledFrom: { width: 128, height: 96, detail: 1 },
    }));
    const page = shown({ ...SUMMARY, estimatedDuration: "600s", networks });
    const told = page.querySelector('[data-summary="duration"]')?.textContent;
    expect(told).toContain(words.scaledFrom("128 × 96"));
    expect(told).not.toContain(words.asMeasured);
    expect(page.textContent).toContain(words.scaled("12.5", "128 × 96", 2));
  });

  it("says whether workers are there", () => {
    const told = shown(SUMMARY).querySelector('[data-summary="workers"]')?.textContent;
    expect(told).toContain(words.free(1, 2));
    expect(told).toContain("没有节点");
  });
});
