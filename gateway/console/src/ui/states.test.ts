import { describe, expect, it } from "vitest";
import { ApiError, type Problem } from "../api/client";
import { speech } from "../i18n";
import { errorText } from "./states";

const CODES: Problem["code"][] = [
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "DEADLINE_EXCEEDED",
  "UNAVAILABLE",
  "INTERNAL",
];

function refusal(problem: Partial<Problem>): ApiError {
  return new ApiError(409, {
    detail: "tasks/1 is FAILED",
    violations: [],
    metadata: {},
    ...problem,
  } as unknown as Problem);
}

describe("what a refusal says", () => {
  it("is Chinese for whoever reads Chinese, whatever the reason", () => {
    for (const code of CODES)
      expect(errorText(refusal({ code, reason: "SOME_NEW_REASON" }), speech("zh"))).toMatch(/[一-鿿]/);
    const taken = refusal({ code: "ALREADY_EXISTS", reason: "MODEL_NAME_TAKEN", metadata: { model: "panel-adc" } });
    expect(errorText(taken, speech("zh"))).toContain("panel-adc");
    expect(errorText(refusal({ code: "ABORTED", metadata: { message_zh: "已有任务" } }), speech("zh"))).toBe("已有任务");
  });

  it("is the server's own sentence in English", () => {
    expect(errorText(refusal({ code: "FAILED_PRECONDITION", reason: "ILLEGAL_TRANSITION" }), speech("en"))).toBe(
      "tasks/1 is FAILED",
    );
    expect(errorText(new ApiError(0, undefined), speech("en"))).toBe(speech("en").t.states.offline);
  });
});
