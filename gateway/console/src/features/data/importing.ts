/** Importing a folder with codes (D1, D2): hash, ask what is missing, upload that, and list it. */
import { ApiError, api, type Schemas } from "../../api/client";
import { dictionaries, type Words } from "../../i18n";
import { sha256Of } from "./sha256";

/** A file of the folder: `path` is relative to it. Without `file` the browser could not open it. */
export interface FoundFile {
  path: string;
  file: File | undefined;
}

type ReadableFile = FoundFile & { file: File };

export interface Candidate {
  /** `{code}/{file}`. */
  file: string;
  image: File;
  mask: File | undefined;
  /** Only its name suggests that the file is a mask: if it cannot be one, the image is taken without it (D5). */
  maskIsGuess: boolean;
  group: string;
}

export interface LeftFile {
  path: string;
  reason: string;
}

/** Why `groups.csv` cannot be used: what would be lost of it, or taken for something else, is not guessed (D3). */
export type GroupsFault =
  | { kind: "file" | "group" | "twin" | "empty"; header: string }
  | { kind: "unmatched"; file: string }
  | { kind: "twice"; file: string; groups: [string, string] }
  | { kind: "several"; tables: string[] }
  | { kind: "encoding" }
  | { kind: "quote"; line: number }
  | { kind: "unclear"; line: number; file: string };

export interface Listing {
  candidates: Candidate[];
  /** The folder of all files, if there is one, and how many files there are. */
  folder: string;
  found: number;
  /** All files that are neither a sample, nor its mask, nor the table of groups, each with its reason (D7). */
  left: LeftFile[];
  /** Files that look like masks, but of which picture is not clear. */
  unclearMasks: string[];
  /** How many groups the samples are in (D3), and by which column of `groups.csv`. */
  groups: number;
  groupColumn: string;
  /** With a fault nothing is imported: samples of one group could fall on both sides of a split. */
  fault: GroupsFault | undefined;
}

const IMAGE = /\.(jpe?g|png|bmp|tiff?)$/i;
const OTHER_PICTURES = /\.(gif|webp|hei[cf]|avif|jp2|jxl|psd|svg|dng|raw)$/i;
const MASK = /[._-]mask\.(jpe?g|png|bmp|tiff?)$/i;
/** What data sets call masks, and pictures may be called: only beside a picture of the stem it may be one. */
const LIKE_MASK =
  /[._-](gt|ground[ _-]?truth|truth|labels?|seg(mentation)?s?|annotations?)\.(jpe?g|png|bmp|tiff?)$/i;
/** A mask by definition; other names only suggest one. */
const CERTAIN_MASK = /\.mask\.png$/i;
const GROUPS = "groups.csv";
/** In order of preference, as of the command `loupe data import`. */
const FILE_COLUMNS = ["file", "filename", "file_name", "path", "image", "image_path", "name", "sample"];
const GROUP_COLUMNS = [
  ...["group", "group_id", "tile_group", "panel", "panel_id", "tile", "tile_id", "part", "part_id"],
  ...["glass", "glass_id", "lot", "lot_id"],
];

const stemOf = (name: string) => name.slice(0, name.lastIndexOf("."));

/**
 * What a folder holds: `<CODE>/<file>`, masks as `<stem>.mask.png`, and as `<stem>_mask.png` or `<stem>.png` beside a
 * picture of another kind where they can be masks, and `groups.csv`. Folders around those of the codes are left away,
 * whatever was dropped.
 */
export async function listing(files: readonly FoundFile[]): Promise<Listing> {
  const left: LeftFile[] = [];
  const named = new Map<string, ReadableFile[]>();
  const pictures = new Map<string, ReadableFile[]>();
  const names = new Set<string>();
  const tables: ReadableFile[] = [];
  const stems = new Set(
    files.flatMap(({ path, file }) => (file && IMAGE.test(path) ? stemOf(path.split("/").slice(-2).join("/")) : [])),
  );
  for (const { path, file } of files) {
    const name = path.split("/").slice(-2).join("/");
    const into = (files: Map<string, ReadableFile[]>, stem: string, found: File) =>
      files.set(stem, [...(files.get(stem) ?? []), { path: name, file: found }]);
    // Two folders may both contain a folder of one code. The server refuses a whole batch that has a sample twice.
    const reason = !file
      ? "UNREADABLE"
      : `/${path}`.includes("/.")
        ? "HIDDEN"
        : names.has(name)
          ? "NAME_TAKEN"
          : nameFault(name);
    if (!file || (reason && (reason !== "NOT_AN_IMAGE" || file.name.toLowerCase() !== GROUPS)))
      left.push({ path, reason });
    else if (reason) tables.push({ path, file });
    else if (MASK.test(name)) into(named, name.replace(MASK, ""), file);
    else if (LIKE_MASK.test(name) && stems.has(name.replace(LIKE_MASK, "")))
      into(named, name.replace(LIKE_MASK, ""), file);
    else into(pictures, stemOf(name), file);
    names.add(name);
  }
  const candidates: Candidate[] = [];
  const unclearMasks: string[] = [];
  for (const [stem, of] of pictures) {
    const { masks, images } = parted(of, named.get(stem) ?? []);
    named.delete(stem);
    const certain = masks.filter(({ path }) => CERTAIN_MASK.test(path));
    const [mask] =
      images.length === 1 && (certain.length || masks.length) === 1 ? (certain.length ? certain : masks) : [];
    for (const { path, file } of images) {
      candidates.push({
        file: path,
        image: file,
        mask: mask?.file,
        maskIsGuess: mask !== undefined && !certain.length,
        group: "",
      });
    }
    unclearMasks.push(...masks.filter((one) => one !== mask).map(({ path }) => path));
  }
  unclearMasks.push(...[...named.values()].flat().map(({ path }) => path));
  const top = files[0]?.path.split("/")[0] ?? "";
  candidates.sort((a, b) => (a.file < b.file ? -1 : 1));
  const found = await groupsIn(tables, candidates);
  const fault = "kind" in found ? found : undefined;
  if (!("kind" in found)) for (const candidate of candidates) candidate.group = found.groups.get(candidate.file) ?? "";
  return {
    candidates,
    folder: files.every(({ path }) => path.startsWith(`${top}/`)) ? top : "",
    found: files.length,
    left,
    unclearMasks,
    fault,
    groups: new Set(candidates.flatMap(({ group }) => group || [])).size,
    groupColumn: "kind" in found ? "" : found.column,
  };
}

/** Why a file's name keeps it from being a sample; empty if it does not. */
function nameFault(name: string): string {
  if (IMAGE.test(name)) return name.includes("/") ? "" : "NO_CODE";
  return OTHER_PICTURES.test(name) ? "OTHER_FORMAT" : "NOT_AN_IMAGE";
}

/** Divides the files of a stem into pictures and masks. If a name says mask, a PNG with the plain stem is a picture. */
function parted(pictures: ReadableFile[], named: ReadableFile[]): { masks: ReadableFile[]; images: ReadableFile[] } {
  const isPng = ({ path }: ReadableFile) => /\.png$/i.test(path);
  const others = pictures.filter((one) => !isPng(one));
  return named.length || !others.length
    ? { masks: named, images: pictures }
    : { masks: pictures.filter(isPng), images: others };
}

type Groups = { column: string; groups: Map<string, string> };

/** The group of each sample; the same group in two tables may be one part or two. */
async function groupsIn(
  tables: readonly ReadableFile[],
  candidates: readonly Candidate[],
): Promise<GroupsFault | Groups> {
  const [table, ...others] = tables;
  if (!table) return { column: "", groups: new Map() };
  if (others.length) return { kind: "several", tables: tables.map(({ path }) => path) };
  const text = textOf(await table.file.arrayBuffer());
  return text === undefined ? { kind: "encoding" } : groupsOf(text, candidates);
}

/** Excel in China writes GBK, of which GB18030 is the whole; its "Unicode text" is UTF-16. */
function textOf(bytes: ArrayBuffer): string | undefined {
  const [first, second] = new Uint8Array(bytes);
  const wide = first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "";
  for (const encoding of wide ? [wide] : ["utf-8", "gb18030"]) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes);
    } catch {
      // The next one.
    }
  }
  return undefined;
}

/** The group of each sample, from a table with a header; file names may have folders in front or lack the suffix. */
function groupsOf(
  text: string,
  candidates: readonly Candidate[],
): GroupsFault | Groups {
  const all = text.replace(/^\uFEFF/, "").split(/\r\n?|\n/);
  // A quote that is closed in another line, or never, would swallow the rows between.
  const open = all.findIndex((line) => line.split('"').length % 2 === 0);
  if (open >= 0) return { kind: "quote", line: open + 1 };
  const told = /^\s*"?sep=([,;\t])"?[\s,;]*$/i.exec(all[0] ?? "")?.[1];
  const before = told ? 2 : 1;
  const [header = "", ...lines] = told ? all.slice(1) : all;
  const guessed = [",", ";", "\t"].reduce((best, one) =>
    header.split(one).length > header.split(best).length ? one : best,
  );
  const separator = told ?? guessed;
  const names = cells(header, separator).map((name) => name.trim().toLowerCase());
  const rows = lines.map((line) => cells(line, separator).map((cell) => cell.trim().normalize("NFC")));
  // Some programs leave the one column and fill the other.
  const filled = (name: string) => rows.some((row) => row[names.indexOf(name)]);
  const column = (known: string[]) => {
    const present = known.filter((name) => names.includes(name));
    return present.find(filled) ?? present[0];
  };
  const [file, group] = [column(FILE_COLUMNS), column(GROUP_COLUMNS)];
  if (file === undefined) return { kind: "file", header };
  if (group === undefined) return { kind: "group", header };
  if ([file, group].some((name) => names.indexOf(name) !== names.lastIndexOf(name))) return { kind: "twin", header };
  if (rows.some((row) => row.some(Boolean)) && !filled(group)) return { kind: "empty", header: group };
  const spellings = new Map<string, string | undefined>();
  for (const candidate of candidates) {
    const short = candidate.file.split("/").at(-1) ?? "";
    spellings.set(candidate.file, candidate.file);
    for (const loose of [stemOf(candidate.file), short, stemOf(short)]) {
      // A name that fits two files identifies none.
      spellings.set(loose, spellings.has(loose) ? undefined : candidate.file);
    }
  }
  // In capitals or not, and in any Unicode composition, as annotations name their pictures.
  const keyed = new Map<string, Set<string | undefined>>();
  for (const [spelling, of] of spellings) keyed.set(keyOf(spelling), (keyed.get(keyOf(spelling)) ?? new Set()).add(of));
  /** The file of that name; null if it may be one of several. */
  const find = (name: string): string | null | undefined => {
    if (spellings.has(name)) return spellings.get(name) ?? null;
    const found = [...(keyed.get(keyOf(name)) ?? [])];
    return found.length > 1 ? null : found.length ? (found[0] ?? null) : undefined;
  };
  const groups = new Map<string, string>();
  const isNamed = (row: readonly string[]) => Boolean(row[names.indexOf(file)]);
  for (const [index, row] of rows.entries()) {
    const written = row[names.indexOf(file)]?.replaceAll("\\", "/") ?? "";
    const of = row[names.indexOf(group)] ?? "";
    const parts = written.split("/");
    const meant = find(parts.slice(-2).join("/")) ?? find(parts.at(-1) ?? "");
    if (meant === null) return { kind: "unclear", line: index + before + 1, file: written };
    if (!meant) continue;
    const other = groups.get(meant);
    if (other !== undefined && other !== of) return { kind: "twice", file: meant, groups: [other, of] };
    groups.set(meant, of);
  }
  if (!groups.size && candidates.length && rows.some(isNamed))
    return { kind: "unmatched", file: rows.find(isNamed)?.[names.indexOf(file)] ?? "" };
  return { column: group, groups };
}

/** Equal for names that Windows or macOS take as one. */
function keyOf(name: string): string {
  return name.normalize("NFC").toLowerCase();
}

/** The cells of a line, which may be quoted. */
function cells(line: string, separator: string): string[] {
  return (line.match(new RegExp(`("([^"]|"")*"|[^${separator}]*)(${separator}|$)`, "g")) ?? []).map((cell) =>
    (cell.endsWith(separator) ? cell.slice(0, -1) : cell).replace(/^"|"$/g, "").replaceAll('""', '"'),
  );
}

export interface ImportProgress {
  done: number;
  total: number;
  /** Of all samples, uploads in progress included. */
  fraction: number;
  uploadedBytes: number;
  outcomes: Schemas["SampleOutcome"][];
  /** Files that looked like masks and are none, with the reason; their images were taken without. */
  notMasks: { file: string; message: string; messageZh: string }[];
  /** Masks, or what looked like them, of pictures that were refused. */
  masksOfRefused: MaskOfRefused[];
}

export interface MaskOfRefused {
  file: string;
  image: string;
}

const BATCH = 100;
const UPLOADS_AT_ONCE = 4;
/** The registry's limit: a larger file is not even read. */
const MAX_FILE_BYTES = 64 * 2 ** 20;
/** Faults that a second upload mends: a truncated upload of an interrupted import may have arrived after ours. */
const SENT_AGAIN = new Set(["HASH_MISMATCH", "NOT_UPLOADED"]);

interface Hashed {
  file: string;
  sha256: string;
  maskSha256: string;
  group: string;
}

/** Imports into an existing path. Content that is there is not sent again: an import can be stopped and repeated. */
export async function importInto(
  path: { dataset: string; path: string },
  { candidates }: Listing,
  onProgress: (progress: ImportProgress) => void,
  signal: AbortSignal,
): Promise<ImportProgress> {
  const progress: ImportProgress = {
    done: 0,
    total: candidates.length,
    fraction: 0,
    uploadedBytes: 0,
    outcomes: [],
    notMasks: [],
    masksOfRefused: [],
  };
  /** Reports the progress, with the share of the current batch that is done. */
  const report = (share = 0) => {
    const batch = Math.min(BATCH, progress.total - progress.done);
    progress.fraction = (progress.done + share * batch) / Math.max(1, progress.total);
    onProgress({ ...progress });
  };
  report();
  for (let start = 0; start < candidates.length; start += BATCH) {
    const contents = new Map<string, File>();
    const hashed: Hashed[] = [];
    const batch = candidates.slice(start, start + BATCH);
    const unread: Schemas["SampleOutcome"][] = [];
    const guesses = new Map<string, File>();
    for (const { file, image, mask, maskIsGuess, group } of batch) {
      signal.throwIfAborted();
      if (Math.max(image.size, mask?.size ?? 0) > MAX_FILE_BYTES) {
        unread.push(setAside(file, "TOO_LARGE", (words) => words.tooLarge));
        continue;
      }
      const of = async (one: File) => {
        const found = await sha256Of(one);
        contents.set(found, one);
        return found;
      };
      if (mask && maskIsGuess) guesses.set(file, mask);
      try {
        hashed.push({ file, sha256: await of(image), maskSha256: mask ? await of(mask) : "", group });
      } catch {
        unread.push(setAside(file, "UNREADABLE", (words) => words.unreadable));
      }
    }
    const offer = async (offered: Hashed[]) => {
      const sha256s = new Set(offered.flatMap((one) => [one.sha256, one.maskSha256]).filter(Boolean));
      const plan = await api.post("/v1/datasets/{dataset}/paths/{path}:planSampleUploads", {
        path,
        body: {
          sha256s: [...sha256s],
          sizeBytes: [...sha256s].map((sha256) => String(contents.get(sha256)?.size ?? 0)),
        },
        signal,
      });
      const waiting = [...plan.uploads];
      let sent = 0;
      const gone = new Set<string>();
      const upload = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          // Read before it is sent, so that a missing or changed file does not look like a broken connection.
          const body = await contents
            .get(next.sha256)
            ?.arrayBuffer()
            .then((buffer) => new Blob([buffer]))
            .catch(() => undefined);
          if (!body) {
            gone.add(next.sha256);
            continue;
          }
          await put(next.url, body, signal);
          progress.uploadedBytes += body.size;
          sent += 1;
          report((0.9 * sent) / plan.uploads.length);
        }
      };
      await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, upload));
      const lost = ({ sha256, maskSha256 }: Hashed) => gone.has(sha256) || gone.has(maskSha256);
      const answer = await api.post("/v1/datasets/{dataset}/paths/{path}:addSamples", {
        path,
        body: { candidates: offered.filter((one) => !lost(one)) },
        signal,
      });
      const unsent = offered.filter(lost).map(({ file }) => setAside(file, "UNREADABLE", (words) => words.unreadable));
      return [...answer.outcomes, ...unsent];
    };
    let outcomes = await offer(hashed);
    const offerAgain = async (refused: Schemas["SampleOutcome"][], change: Partial<Hashed>) => {
      const again = new Set(refused.map(({ file }) => file));
      if (!again.size) return;
      const repeated = await offer(hashed.filter(({ file }) => again.has(file)).map((one) => ({ ...one, ...change })));
      outcomes = [...outcomes.filter(({ file }) => !again.has(file)), ...repeated];
    };
    await offerAgain(
      outcomes.filter(({ reason }) => SENT_AGAIN.has(reason)),
      {},
    );
    const noMasks = outcomes.filter(({ file, reason }) => reason === "BAD_MASK" && guesses.has(file));
    await offerAgain(noMasks, { maskSha256: "" });
    outcomes = outcomes.concat(unread);
    const masks = new Map(batch.map(({ file, mask }) => [file, mask?.name]));
    const left = masksOfRefused(outcomes, masks);
    const told = new Set(left.map(({ file }) => file));
    progress.masksOfRefused = progress.masksOfRefused.concat(left);
    progress.notMasks = progress.notMasks.concat(
      noMasks
        .map(({ file, message, messageZh }) => ({
          file: beside(file, guesses.get(file)?.name ?? ""),
          message,
          messageZh,
        }))
        .filter(({ file }) => !told.has(file)),
    );
    progress.outcomes = progress.outcomes.concat(outcomes.map((one) => byFileAtFault(one, masks.get(one.file))));
    progress.done += batch.length;
    report();
  }
  return progress;
}

/** Each mask whose picture was refused, not the mask itself: it may be a picture of its own (D7). */
export function masksOfRefused(
  outcomes: readonly Pick<Schemas["SampleOutcome"], "file" | "outcome" | "reason">[],
  masks: ReadonlyMap<string, string | undefined>,
): MaskOfRefused[] {
  return outcomes.flatMap(({ file, outcome, reason }) => {
    const mask = masks.get(file);
    return mask && outcome === "OUTCOME_REJECTED" && reason !== "BAD_MASK"
      ? [{ file: beside(file, mask), image: file.split("/").at(-1) ?? "" }]
      : [];
  });
}

/** The outcome under the name of the mask, where that was refused and not its picture (D5, D7). */
export function byFileAtFault<T extends { file: string; reason: string }>(outcome: T, mask: string | undefined): T {
  return outcome.reason === "BAD_MASK" && mask ? { ...outcome, file: beside(outcome.file, mask) } : outcome;
}

/** `{code}/{name}` of a file beside another one. */
function beside(file: string, name: string): string {
  return `${file.split("/")[0] ?? ""}/${name}`;
}

/** The outcome of a file that cannot be sent; the other files are imported. */
function setAside(
  file: string,
  reason: string,
  text: (words: Words["datasets"]) => string,
): Schemas["SampleOutcome"] {
  return {
    file,
    outcome: "OUTCOME_REJECTED",
    reason,
    message: text(dictionaries.en.datasets),
    messageZh: text(dictionaries.zh.datasets),
    samePixelsUnderOtherCodes: [],
    samePixelsInOtherPaths: [],
    samePixelsUnderSameCode: [],
  };
}

async function put(url: string, body: Blob, signal: AbortSignal, tries = 3): Promise<void> {
  try {
    const answer = await fetch(url, { method: "PUT", body, signal });
    if (answer.ok) return;
    if (answer.status < 500 || tries <= 1) throw new ApiError(answer.status, undefined);
  } catch (failure) {
    if (signal.aborted || tries <= 1)
      throw failure instanceof ApiError || signal.aborted ? failure : new ApiError(0, undefined);
  }
  await put(url, body, signal, tries - 1);
}

/** All files under what was dropped. */
export async function dropped(items: DataTransferItemList): Promise<FoundFile[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry: FileSystemEntry): Promise<FoundFile[]> {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => {
      (entry as FileSystemFileEntry).file(resolve, reject);
    }).catch(() => undefined);
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FoundFile[] = [];
  for (;;) {
    // A call returns at most a hundred entries, and none at the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    }).catch(() => undefined);
    if (!entries) return [...found, { path, file: undefined }];
    if (entries.length === 0) return found;
    for (const one of entries) found.push(...(await walk(one)));
  }
}
