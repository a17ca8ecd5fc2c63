/** SHA-256 of a file. Browsers lend theirs to pages with TLS only; a console in a fab's own network may have none. */

export async function sha256(data: ArrayBuffer): Promise<string> {
  const subtle = (globalThis.crypto as Partial<Crypto> | undefined)?.subtle;
  return hex(subtle ? new Uint8Array(await subtle.digest("SHA-256", data)) : digest(new Uint8Array(data)));
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** FIPS 180-4; the constants are fractions of the roots of the first primes. */
export function digest(message: Uint8Array): Uint8Array {
  const state = Uint32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
  const length = message.length;
  const padded = new Uint8Array(((length + 8) >> 6) * 64 + 64);
  padded.set(message);
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(length / 2 ** 29));
  view.setUint32(padded.length - 4, length << 3);
  const words = new Uint32Array(64);
  for (let block = 0; block < padded.length; block += 64) compress(state, words, view, block);
  const made = new Uint8Array(32);
  const out = new DataView(made.buffer);
  state.forEach((word, index) => {
    out.setUint32(index * 4, word);
  });
  return made;
}

function compress(state: Uint32Array, words: Uint32Array, view: DataView, block: number): void {
  const turn = (word: number, by: number) => (word >>> by) | (word << (32 - by));
  const word = (index: number) => words[index] ?? 0;
  for (let t = 0; t < 64; t += 1) {
    if (t < 16) words[t] = view.getUint32(block + t * 4);
    else {
      const [near, far] = [word(t - 2), word(t - 15)];
      const s0 = turn(far, 7) ^ turn(far, 18) ^ (far >>> 3);
      const s1 = turn(near, 17) ^ turn(near, 19) ^ (near >>> 10);
      words[t] = word(t - 16) + s0 + word(t - 7) + s1;
    }
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let t = 0; t < 64; t += 1) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + (ROUNDS[t] ?? 0) + word(t)) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  for (const [index, value] of [a, b, c, d, e, f, g, h].entries()) state[index] = (state[index] ?? 0) + value;
}

const PRIMES = Array.from({ length: 310 }, (_, index) => index + 2).filter((number) => {
  for (let divisor = 2; divisor * divisor <= number; divisor += 1) if (number % divisor === 0) return false;
  return true;
});

function fraction(root: number): number {
  return (root - Math.floor(root)) * 2 ** 32;
}

const ROUNDS = Uint32Array.from(PRIMES.slice(0, 64), (prime) => fraction(Math.cbrt(prime)));
