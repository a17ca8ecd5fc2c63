import { expect, it } from "vitest";
import { admits } from "./session";

it("roles admit what comes before them, and nothing else (A2)", () => {
  expect(admits("ROLE_RELEASER", "ROLE_ENGINEER")).toBe(true);
  expect(admits("ROLE_VIEWER", "ROLE_ENGINEER")).toBe(false);
  expect(admits("ROLE_ADMIN", "ROLE_ANYONE")).toBe(false);
  expect(admits("ROLE_UNSPECIFIED", "ROLE_VIEWER")).toBe(false);
});
