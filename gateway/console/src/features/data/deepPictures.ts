/**
 * Pictures of 16 bits, of which a camera may use fewer (D6). The console finds them and does not scale them: browsers
 * decode to 8 bits, and TIFF mostly not at all. The command does.
 */
import type { Candidate } from "./importing";

/** What `--bits` of the command takes. */
export const BITS = [10, 12, 14] as const;

const FULL_BITS = 16;
const AT_ONCE = 32;
const PNG = /\.png$/i;
const TIFF = /\.tiff?$/i;
const PNG_DEPTH_AT = 24;
const LITTLE_ENDIAN = 0x4949;
const ENTRY_BYTES = 12;
const BITS_TAG = 258;

/** The first picture with 16 bits a grey value or colour, by its name; undefined where none has. */
export async function deepPicture(
  candidates: readonly Pick<Candidate, "file" | "image">[],
): Promise<string | undefined> {
  for (let start = 0; start < candidates.length; start += AT_ONCE) {
    const some = candidates.slice(start, start + AT_ONCE);
    const bits = await Promise.all(some.map(({ image }) => bitsOf(image)));
    const found = some[bits.indexOf(FULL_BITS)];
    if (found) return found.file;
  }
  return undefined;
}

/** The bits of each value as the file's header says; 0 where it does not. */
async function bitsOf(file: File): Promise<number> {
  try {
    if (PNG.test(file.name)) return (await part(file, PNG_DEPTH_AT, 1)).getUint8(0);
    return TIFF.test(file.name) ? await bitsOfTiff(file) : 0;
  } catch {
    // A file that cannot be opened, or ends too early, is told at its import.
    return 0;
  }
}

async function bitsOfTiff(file: File): Promise<number> {
  const head = await part(file, 0, 8);
  const little = head.getUint16(0) === LITTLE_ENDIAN;
  const directory = head.getUint32(4, little);
  const count = (await part(file, directory, 2)).getUint16(0, little);
  const entries = await part(file, directory + 2, count * ENTRY_BYTES);
  for (let at = 0; at < count * ENTRY_BYTES; at += ENTRY_BYTES) {
    if (entries.getUint16(at, little) !== BITS_TAG) continue;
    const values = entries.getUint32(at + 4, little);
    // Two values fit into the entry; where there are more, it says where they lie.
    if (values <= 2) return entries.getUint16(at + 8, little);
    return (await part(file, entries.getUint32(at + 8, little), 2)).getUint16(0, little);
  }
  return 0;
}

async function part(file: File, from: number, length: number): Promise<DataView> {
  return new DataView(await file.slice(from, from + length).arrayBuffer());
}

interface Import {
  folder: string;
  dataset: string;
  path: string;
  /** 0: those that the data path has, or all. */
  bits: number;
}

/** The command that imports the folder; what a shell could read otherwise is left for the person to write. */
export function importCommand({ folder, dataset, path, bits }: Import): string {
  const word = (text: string, otherwise: string) => (/^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(text) ? text : otherwise);
  const target = `--dataset ${word(dataset, "DATASET")} --path ${word(path, "PATH")}`;
  return `loupe data import ${word(folder, "FOLDER")} ${target}${bits ? ` --bits ${bits}` : ""}`;
}
