/** Importing a folder with codes (D1, D2): hash, ask what is missing, upload that, and list it. */
import { ApiError, api, type Schemas } from "../api/client";
import { sha256 } from "./sha256";

/** A file of the folder: `path` is relative to it. */
export interface FoundFile {
  path: string;
  file: File;
}

export interface Candidate {
  /** `{code}/{file}`. */
  file: string;
  image: File;
  mask: File | undefined;
  group: string;
}

export interface Listing {
  candidates: Candidate[];
  /** Files that are no sample of a code, such as those beside the folders. */
  left: string[];
}

const IMAGE = /\.(jpe?g|png|bmp|tiff?)$/i;
const MASK = /\.mask\.png$/i;
const GROUPS = "groups.csv";

/**
 * What a folder holds: `<CODE>/<file>`, masks as `<stem>.mask.png` beside, `groups.csv` with `file,group`. Folders
 * around those of the codes are left away, whatever was dropped.
 */
export async function listing(files: readonly FoundFile[]): Promise<Listing> {
  const candidates: Candidate[] = [];
  const left: string[] = [];
  const masks = new Map<string, File>();
  const groups = new Map<string, string>();
  const within = (path: string) => path.split("/").slice(-2).join("/");
  for (const { path, file } of files) {
    if (MASK.test(path)) masks.set(within(path).replace(MASK, ""), file);
    if (path.split("/").at(-1) === GROUPS) for (const [name, group] of grouped(await file.text())) groups.set(name, group);
  }
  for (const { path, file } of files) {
    if (MASK.test(path) || path.endsWith(GROUPS) || path.split("/").at(-1)?.startsWith(".")) continue;
    const name = within(path);
    if (!IMAGE.test(path) || !name.includes("/")) left.push(path);
    else {
      const stem = name.slice(0, name.lastIndexOf("."));
      candidates.push({ file: name, image: file, mask: masks.get(stem), group: groups.get(name) ?? "" });
    }
  }
  candidates.sort((a, b) => (a.file < b.file ? -1 : 1));
  return { candidates, left };
}

/** `file,group` lines, whose names may be quoted. */
function grouped(text: string): [string, string][] {
  const [head = "", ...lines] = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const names = head.split(",").map((name) => name.trim().toLowerCase());
  const [file, group] = [names.indexOf("file"), names.indexOf("group")];
  if (file < 0 || group < 0) return [];
  return lines.flatMap((line): [string, string][] => {
    const cells = (line.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? []).map((cell) =>
      cell.replace(/,$/, "").replace(/^"|"$/g, "").replaceAll('""', '"'),
    );
    const [name, of] = [cells[file], cells[group]];
    return name && of ? [[name, of]] : [];
  });
}

export interface ImportProgress {
  done: number;
  total: number;
  uploadedBytes: number;
  outcomes: Schemas["SampleOutcome"][];
}

const BATCH = 100;
const UPLOADS_AT_ONCE = 4;

/** Imports into a path that exists. What is there already is neither hashed twice nor sent: it may be stopped and begun again. */
export async function importInto(
  path: { dataset: string; path: string },
  { candidates }: Listing,
  onProgress: (progress: ImportProgress) => void,
  signal: AbortSignal,
): Promise<ImportProgress> {
  const progress: ImportProgress = { done: 0, total: candidates.length, uploadedBytes: 0, outcomes: [] };
  const tell = () => {
    onProgress({ ...progress });
  };
  tell();
  for (let start = 0; start < candidates.length; start += BATCH) {
    const contents = new Map<string, File>();
    const hashed: { file: string; sha256: string; maskSha256: string; group: string }[] = [];
    for (const { file, image, mask, group } of candidates.slice(start, start + BATCH)) {
      signal.throwIfAborted();
      const of = async (one: File) => {
        const found = await sha256(await one.arrayBuffer());
        contents.set(found, one);
        return found;
      };
      hashed.push({ file, sha256: await of(image), maskSha256: mask ? await of(mask) : "", group });
    }
    const plan = await api.post("/v1/datasets/{dataset}/paths/{path}:planSampleUploads", {
      path,
      body: { sha256s: [...contents.keys()] },
      signal,
    });
    const waiting = [...plan.uploads];
    const upload = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const body = contents.get(next.sha256);
        if (!body) continue;
        await put(next.url, body, signal);
        progress.uploadedBytes += body.size;
        tell();
      }
    };
    await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, upload));
    const answer = await api.post("/v1/datasets/{dataset}/paths/{path}:addSamples", { path, body: { candidates: hashed }, signal });
    progress.outcomes = progress.outcomes.concat(answer.outcomes);
    progress.done += hashed.length;
    tell();
  }
  return progress;
}

async function put(url: string, body: Blob, signal: AbortSignal, tries = 3): Promise<void> {
  try {
    const answer = await fetch(url, { method: "PUT", body, signal });
    if (answer.ok) return;
    if (answer.status < 500 || tries <= 1) throw new ApiError(answer.status, undefined);
  } catch (failure) {
    if (signal.aborted || tries <= 1) throw failure instanceof ApiError || signal.aborted ? failure : new ApiError(0, undefined);
  }
  await put(url, body, signal, tries - 1);
}

/** All files under what was dropped. */
export async function dropped(items: DataTransferItemList): Promise<FoundFile[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry: FileSystemEntry): Promise<FoundFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => {
      (entry as FileSystemFileEntry).file(resolve, reject);
    });
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FoundFile[] = [];
  for (;;) {
    // A call answers with at most a hundred, and with none at the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (entries.length === 0) return found;
    for (const one of entries) found.push(...(await walk(one)));
  }
}
