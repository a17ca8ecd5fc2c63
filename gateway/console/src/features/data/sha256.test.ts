// @vitest-environment node
import { afterEach, expect, it, vi } from "vitest";
import { sha256Of } from "./sha256";

afterEach(() => {
  vi.unstubAllGlobals();
});

it.each([
  ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
  ["a".repeat(1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"],
])("a file is hashed as FIPS 180-4 says, with TLS and without: %.8s", async (text, hash) => {
  expect(await sha256Of(new Blob([text]))).toBe(hash);
  vi.stubGlobal("crypto", {});
  expect(await sha256Of(new Blob([text]))).toBe(hash);
});
