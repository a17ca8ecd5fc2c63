import { describe, expect, it } from "vitest";
import { importWords } from "../../i18n/imports";
import { reportCsv, reportLines } from "./importReport";
import type { ImportProgress, Listing } from "./importing";

const listing: Listing = {
  candidates: [],
  folder: "top",
  found: 4,
  left: [
    { path: "top/A/a\u202e\u001bb.gif", reason: "OTHER_FORMAT" },
    { path: "top/=1+1.txt", reason: "NOT_AN_IMAGE" },
  ],
  unclearMasks: ["A/lost.mask.png"],
  groups: 0,
  groupColumn: "",
  fault: undefined,
};
const outcome = { outcome: "OUTCOME_ADDED" as const, reason: "", message: "", messageZh: "" };
const twins = {
  samePixelsUnderOtherCodes: ["B/b.png"],
  samePixelsInOtherPaths: ["datasets/d/paths/q/A/a.png"],
  samePixelsUnderSameCode: ["A/a.bmp"],
};
const progress: ImportProgress = {
  done: 2,
  total: 2,
  fraction: 1,
  uploadedBytes: 0,
  outcomes: [
    { ...outcome, ...twins, file: "A/a.png" },
    {
      ...{ file: "A/b.png", outcome: "OUTCOME_REJECTED", reason: "EMPTY", message: "empty", messageZh: "空" },
      ...{ samePixelsUnderOtherCodes: [], samePixelsInOtherPaths: [], samePixelsUnderSameCode: [] },
    },
  ],
  notMasks: [{ file: "A/c.png", message: "it shows colours", messageZh: "含有彩色" }],
  masksOfRefused: [{ file: "A/d.png", image: "d.jpg" }],
};

describe("the report of an import in the browser (D7)", () => {
  it("has a line for every file that is not taken or doubtful, in both languages", () => {
    const lines = reportLines(listing, progress);
    expect(lines.map(({ kind, file, reason, sampleFile }) => [kind, file, reason, sampleFile])).toEqual([
      ["KIND_REJECTED", "A/b.png", "EMPTY", ""],
      ["KIND_DUPLICATE", "A/a.png", "SAME_PIXELS", "A/a.png"],
      ["KIND_DUPLICATE", "A/a.png", "SAME_UNDER_OTHER_CODE", "A/a.png"],
      ["KIND_DUPLICATE", "A/a.png", "SAME_IN_OTHER_PATH", "A/a.png"],
      ["KIND_LEFT_OUT", "A/c.png", "BAD_MASK", ""],
      ["KIND_LEFT_OUT", "A/d.png", "PICTURE_REFUSED", ""],
      ["KIND_LEFT_OUT", "A/lost.mask.png", "AMBIGUOUS_MASK", ""],
      ["KIND_LEFT_OUT", "A/a\u202e\\u001bb.gif", "OTHER_FORMAT", ""],
      ["KIND_LEFT_OUT", "=1+1.txt", "NOT_AN_IMAGE", ""],
    ]);
    for (const { message, messageZh } of lines) {
      expect(message).not.toBe("");
      expect(messageZh).toMatch(/\p{Script=Han}/u);
    }
  });
  it("has a sentence of every reason in both languages", () => {
    expect(Object.keys(importWords.zh.reasons)).toEqual(Object.keys(importWords.en.reasons));
  });
  it("is a table that no spreadsheet takes for formulas", () => {
    const line = { kind: "KIND_LEFT_OUT" as const, reason: "R", message: 'a "b", c', messageZh: "一", sampleFile: "" };
    expect(reportCsv([{ ...line, file: "=1+1" }])).toBe(
      'kind,file,reason,message,message_zh,sample_file\nleft out,\'=1+1,R,"a ""b"", c",一,\n',
    );
  });
});
