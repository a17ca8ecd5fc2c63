import { describe, expect, it } from "vitest";
import { ApiError, type Problem } from "../api/client";
import { speech } from "../i18n";
import { said } from "./states";

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
  return new ApiError(409, { detail: "tasks/1 is FAILED", violations: [], metadata: {}, ...problem } as unknown as Problem);
}

describe("what a refusal says", () => {
  it("is Chinese for whoever reads Chinese, whatever the reason", () => {
    for (const code of CODES) expect(said(refusal({ code, reason: "SOME_NEW_REASON" }), speech("zh"))).toMatch(/[一-鿿]/);
    const taken = refusal({ code: "ALREADY_EXISTS", reason: "MODEL_NAME_TAKEN", metadata: { model: "panel-adc" } });
    expect(said(taken, speech("zh"))).toContain("panel-adc");
    expect(said(refusal({ code: "ABORTED", metadata: { message_zh: "已有任务" } }), speech("zh"))).toBe("已有任务");
  });

  it("is the server's own sentence in English", () => {
    expect(said(refusal({ code: "FAILED_PRECONDITION", reason: "ILLEGAL_TRANSITION" }), speech("en"))).toBe("tasks/1 is FAILED");
    expect(said(new ApiError(0, undefined), speech("en"))).toBe(speech("en").t.states.offline);
  });
});
