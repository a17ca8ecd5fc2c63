import { expect, it } from "vitest";
import { drainOf } from "./DrainWorker";

type Worker = Parameters<typeof drainOf>[0];

it("T9: a drained worker says whether it still holds something", () => {
  const worker = { name: "workers/trainer-1", leases: [], drainer: "" } as unknown as Worker;
  expect(drainOf(worker)).toBeUndefined();
  const drained = { ...worker, drainTime: "2026-11-30T12:00:00Z", drainer: "users/admin" };
  expect(drainOf(drained)).toBe("drained");
  expect(drainOf({ ...drained, leases: [{} as Worker["leases"][number]] })).toBe("draining");
});
