import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, RETRY_MS } from "../../api/client";
import { DraftKeeper, draftId, keptOf, type Draft, type DraftStore, type Keeping, type Kept } from "./drafts";

const answers = (modelName: string, step = 0): Kept => ({ training: { modelName }, step });
const refusal = (status: number, reason: string) => new ApiError(status, { reason } as never);

/** A server that keeps one draft, and may fail. */
class Server implements DraftStore {
  revision = 0;
  kept: Kept | undefined;
  failures: ApiError[] = [];

  read = () => Promise.resolve({ etag: this.etag } as Draft);
  write = (kept: Kept, etag: string) => {
    const failure = this.failures.shift() ?? (etag === this.etag ? undefined : refusal(412, "ETAG_MISMATCH"));
    if (failure) return Promise.reject(failure);
    this.kept = kept;
    this.revision += 1;
    return this.read();
  };
  remove = () => {
    this.kept = undefined;
    return Promise.resolve();
  };
  get etag() {
    return this.revision ? String(this.revision) : "";
  }
}

let server: Server;
let told: Keeping[];
const keeper = (etag = "") => new DraftKeeper(server, etag, (keeping) => told.push(keeping));
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  told = [];
});
afterEach(() => {
  vi.useRealTimers();
});

describe("answers are kept (W14)", () => {
  it("keeps the latest answers once they rest, and not at every key", async () => {
    const kept = keeper();
    for (const name of ["p", "pa", "pan"]) kept.put(answers(name));
    expect(server.revision).toBe(0);
    await pass(1000);
    expect([server.revision, server.kept]).toEqual([1, answers("pan")]);
    kept.put(answers("pan", 2));
    await pass(1000);
    expect([server.revision, server.kept?.step]).toEqual([2, 2]);
    expect(told.at(-1)).toBe("kept");
  });

  it("keeps at once what waits when somebody leaves", async () => {
    const kept = keeper();
    kept.put(answers("a"));
    expect(await kept.flush()).toBe(true);
    expect(server.kept).toEqual(answers("a"));
  });

  it("goes on trying while the servers are away, and says that nothing is kept meanwhile", async () => {
    server.failures = [refusal(0, ""), refusal(503, "")];
    const kept = keeper();
    kept.put(answers("a"));
    expect(await kept.flush()).toBe(false);
    expect(told.at(-1)).toBe("away");
    await pass(3 * RETRY_MS);
    expect([server.kept, told.at(-1)]).toEqual([answers("a"), "kept"]);
  });

  it("does not take the place of what another window has kept, unless it is told to", async () => {
    await server.write(answers("theirs"), "");
    const kept = keeper();
    kept.put(answers("ours"));
    await pass(1000);
    expect([server.kept, told.at(-1)]).toEqual([answers("theirs"), "elsewhere"]);
    await kept.overwrite();
    expect([server.kept, told.at(-1)]).toEqual([answers("ours"), "kept"]);
  });

  it("says what the server refuses for good, and does not try again", async () => {
    server.failures = [refusal(400, "DRAFT_TOO_LARGE")];
    const kept = keeper();
    kept.put(answers("a"));
    await pass(10 * RETRY_MS);
    expect([server.kept, told.at(-1)]).toEqual([undefined, "refused"]);
  });

  it("keeps nothing any more once the answers were submitted", async () => {
    const kept = keeper();
    kept.put(answers("a"));
    await kept.flush();
    kept.put(answers("b"));
    await kept.forget();
    kept.put(answers("c"));
    await pass(10_000);
    expect(server.kept).toBeUndefined();
  });
});

it("has a draft for a new model, and one for each version that is retrained", () => {
  expect(draftId("")).toBe("new");
  expect(draftId("models/panel/versions/v3.01")).toBe("panel.v3.01");
});

it("knows a draft by its etag: one that is not kept has none", () => {
  expect(keptOf(undefined)).toBeUndefined();
  expect(keptOf({ etag: "", step: 0 } as Draft)).toBeUndefined();
  expect(keptOf({ etag: "1", step: 3, training: { modelName: "a" } } as Draft)).toEqual(answers("a", 2));
});
