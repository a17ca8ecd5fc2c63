/** The report of an import that ran in the browser, as the command makes it: kept by the registry (D7). */
import { api, type Schemas } from "../../api/client";
import { dictionaries } from "../../i18n";
import { importWords, type ImportWords } from "../../i18n/imports";
import type { ImportProgress, Listing } from "./importing";

export type Report = Schemas["ImportReport"];
export type Line = Schemas["ImportReportLine"];

const LINES_A_CALL = 1000;
const MOST_LINES = 20_000;

type Told = readonly [english: string, chinese: string];

const both = (text: (words: ImportWords) => string): Told => [text(importWords.en), text(importWords.zh)];

/** A line for every file that was not taken, or taken with doubt. */
export function reportLines({ folder, left, unclearMasks }: Listing, progress: ImportProgress): Line[] {
  const line = (
    kind: Line["kind"],
    file: string,
    reason: string,
    [message, messageZh]: Told,
    sampleFile = "",
  ): Line => ({ kind, file: shown(file), reason, message: shown(message), messageZh: shown(messageZh), sampleFile });
  const { outcomes } = progress;
  const of = (reason: string) => both(({ reasons }) => reasons[reason] ?? reason);
  const notMask = (pick: "en" | "zh", why: string) => dictionaries[pick].datasets.notAMask(why);
  const ofRefused = (pick: "en" | "zh", image: string) => dictionaries[pick].datasets.maskOfRefused(image);
  return [
    ...outcomes
      .filter(({ outcome }) => outcome === "OUTCOME_REJECTED")
      .map(({ file, reason, message, messageZh }) => line("KIND_REJECTED", file, reason, [message, messageZh])),
    ...outcomes
      .filter(({ outcome, reason }) => outcome !== "OUTCOME_REJECTED" && reason)
      .map(({ file, reason, message, messageZh }) => line("KIND_DOUBTFUL", file, reason, [message, messageZh], file)),
    ...outcomes
      .filter(({ samePixelsUnderSameCode: alike }) => alike.length)
      .map(({ file, samePixelsUnderSameCode: alike }) =>
        line("KIND_DUPLICATE", file, "SAME_PIXELS", both((t) => t.samePixels(alike.join(", "))), file),
      ),
    ...outcomes.flatMap(({ file, samePixelsUnderOtherCodes: codes, samePixelsInOtherPaths: paths }) => [
      ...(codes.length
        ? [line("KIND_DUPLICATE", file, "SAME_UNDER_OTHER_CODE", both((t) => t.sameCode(codes.join(", "))), file)]
        : []),
      ...(paths.length
        ? [line("KIND_DUPLICATE", file, "SAME_IN_OTHER_PATH", both((t) => t.samePath(paths.join(", "))), file)]
        : []),
    ]),
    ...progress.notMasks.map(({ file, message, messageZh }) =>
      line("KIND_LEFT_OUT", file, "BAD_MASK", [notMask("en", message), notMask("zh", messageZh)]),
    ),
    ...progress.masksOfRefused.map(({ file, image }) =>
      line("KIND_LEFT_OUT", file, "PICTURE_REFUSED", [ofRefused("en", image), ofRefused("zh", image)]),
    ),
    ...unclearMasks.map((file) => line("KIND_LEFT_OUT", file, "AMBIGUOUS_MASK", of("AMBIGUOUS_MASK"))),
    ...left.map(({ path, reason }) => line("KIND_LEFT_OUT", below(path, folder), reason, of(reason))),
  ];
}

/** Has the registry keep the report; returns the address of its page. */
export async function keepReport(
  path: { dataset: string; path: string },
  listing: Listing,
  progress: ImportProgress,
  signal: AbortSignal,
): Promise<string> {
  const { candidates } = listing;
  const lines = reportLines(listing, progress);
  const masks = candidates.flatMap(({ mask }) => mask ?? []);
  const used = candidates.length + masks.length + (listing.groupColumn ? 1 : 0);
  const count = (outcome: string) => String(progress.outcomes.filter((one) => one.outcome === outcome).length);
  const size = [...candidates.map(({ image }) => image), ...masks].reduce((sum, { size }) => sum + size, 0);
  const importReport = {
    folder: shown(listing.folder),
    format: "folders",
    foundCount: String(listing.found),
    usedCount: String(used - progress.notMasks.length - progress.masksOfRefused.length),
    sampleCount: String(candidates.length),
    addedCount: count("OUTCOME_ADDED"),
    unchangedCount: count("OUTCOME_UNCHANGED"),
    replacedCount: count("OUTCOME_REPLACED"),
    rejectedCount: count("OUTCOME_REJECTED"),
    maskCount: String(masks.length),
    groupCount: String(listing.groups),
    groupColumn: listing.groupColumn,
    sizeBytes: String(size),
    uploadedBytes: String(progress.uploadedBytes),
    lineCount: String(lines.length),
  };
  const importReportId = [...crypto.getRandomValues(new Uint8Array(8))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  const kept = Math.min(lines.length, MOST_LINES);
  for (let firstLine = 0; firstLine === 0 || firstLine < kept; firstLine += LINES_A_CALL) {
    await api.post("/v1/datasets/{dataset}/paths/{path}/importReports", {
      path,
      body: { importReportId, importReport, firstLine, lines: lines.slice(firstLine, firstLine + LINES_A_CALL) },
      signal,
    });
  }
  return `/datasets/${path.dataset}/${path.path}/imports/${importReportId}`;
}

const COLUMNS = ["file", "reason", "message", "messageZh", "sampleFile"] as const;

/** The table that the command writes with --csv. */
export function reportCsv(lines: readonly Line[]): string {
  // A spreadsheet takes what begins so for a formula.
  const cell = (text: string) => {
    const safe = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = lines.map((line) => [kindWord(line.kind), ...COLUMNS.map((name) => line[name])]);
  return [["kind", "file", "reason", "message", "message_zh", "sample_file"], ...rows]
    .map((row) => `${row.map(cell).join(",")}\n`)
    .join("");
}

/** `left out` of `KIND_LEFT_OUT`. */
function kindWord(kind: string): string {
  return kind.replace("KIND_", "").replaceAll("_", " ").toLowerCase();
}

/** A path below the folder, if all files lie in one. */
function below(path: string, folder: string): string {
  return folder ? path.slice(folder.length + 1) : path;
}

/** A text as the registry keeps it: names may hold what cannot be shown, and texts have an end. */
function shown(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cs}]/gu, (one) => `\\u${(one.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`)
    .slice(0, 2000);
}
