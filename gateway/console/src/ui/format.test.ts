import { describe, expect, it } from "vitest";
import { bytes, duration, origin, percent } from "./format";

describe("where a call came from (A3)", () => {
  it("is what the gateway saw, with the address that the server saw beside it", () => {
    expect(origin("ipv4:127.0.0.1:4711 for 10.1.2.3")).toEqual({ address: "10.1.2.3", via: "127.0.0.1" });
    expect(origin("ipv6:%5B::1%5D:4711")).toEqual({ address: "[::1]", via: undefined });
  });

  it("hides no address behind one that was only claimed", () => {
    expect(origin("ipv4:10.9.9.9:1 for 10.1.2.3 for 127.0.0.1").via).toBe("10.9.9.9");
  });
});

it("values read as people write them", () => {
  expect(duration(3725, "zh")).toBe("1 小时 2 分");
  expect(duration(undefined, "en")).toBe("—");
  expect(percent(undefined)).toBe("—");
  expect(bytes(4 * 2 ** 30)).toBe("4 GiB");
});
