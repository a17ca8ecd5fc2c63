import { expect, it } from "vitest";
import { digest } from "./sha256";

it.each([
  ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
])("is hashed as FIPS 180-4 says, with or without TLS: %s", (text, hash) => {
  expect([...digest(new TextEncoder().encode(text))].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(hash);
});
