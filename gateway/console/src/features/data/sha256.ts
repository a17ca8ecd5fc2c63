import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/**
 * SHA-256 of a file, in hexadecimal. Browsers lend theirs, which is faster, to pages with TLS only; a console in a
 * fab's own network may have none, and then reads the file piece by piece.
 */
export async function sha256Of(file: Blob): Promise<string> {
  const subtle = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle;
  if (subtle) return bytesToHex(new Uint8Array(await subtle.digest("SHA-256", await file.arrayBuffer())));
  const hash = sha256.create();
  const reader = file.stream().getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) hash.update(piece.value);
  return bytesToHex(hash.digest());
}
