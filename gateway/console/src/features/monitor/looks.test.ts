import { expect, it } from "vitest";
import { en } from "../../i18n/en";
import { zh } from "../../i18n/zh";
import { bestOf, told } from "./looks";

const looks = {
  maxIteration: "400", lookCount: 16, bestIteration: "300", bestScore: 0.972, lastIteration: "320", lastScore: 0.951,
  looksSinceBest: 1,
};

it("both scores are shown, the best with its iteration, and why the training ended early (E4)", () => {
  expect(told(looks, "accuracy", en)).toBe(
    "weights of iteration 300 of 400: validation accuracy 97.2\u00a0%, the best of 16 looks; last 95.1\u00a0%; " +
      "ended early after iteration 320: no better look among the last 1 (patience)",
  );
  expect(told(looks, "iou", zh)).toContain("采用第 300 次迭代（共 400 次）的权重：验证缺陷 IoU 97.2\u00a0%");
  expect(told({ ...looks, bestIteration: "400", lastIteration: "400" }, "iou", en)).toBe(
    "weights of iteration 400 of 400: validation IoU 97.2\u00a0%, the last and best of 16 looks",
  );
  expect(told({ ...looks, lastIteration: "400", lastScore: 0.972 }, "accuracy", en)).toContain(
    ", the first of the best of 16 looks; the last is as good",
  );
  const { bestScore, lastScore, ...unjudged } = { ...looks, lastIteration: "400" };
  expect(told(unjudged, "accuracy", en)).toContain("nothing in the validation split to judge on");
  expect([bestScore, lastScore]).not.toContain(undefined);
});

it("of equal looks the first is the best (E4)", () => {
  const points = [0.5, 0.9, 0.9, 0.8].map((accuracy, index) => ({ iteration: 10 * (index + 1), accuracy }));
  expect(bestOf(points)?.iteration).toBe(20);
  expect(bestOf([])).toBeUndefined();
});
