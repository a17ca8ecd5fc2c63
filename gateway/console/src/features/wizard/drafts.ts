/** Answers are kept on the server as they are given, so that a refresh or another computer loses none (W14). */
import { ApiError, RETRY_MS, api, isTransient, type Schemas } from "../../api/client";
import { ids } from "../../api/names";
import type { Spec } from "./wizard";

export type Draft = Schemas["Draft"];

/** What is kept. */
export interface Kept {
  training: Spec;
  /** From 0, as the page counts. */
  step: number;
}

/** Whether the answers are kept. `elsewhere`: another window has kept others since. */
export type Keeping = "kept" | "waiting" | "away" | "refused" | "elsewhere";

/** Where drafts are; each call may throw an ApiError. */
export interface DraftStore {
  read: () => Promise<Draft>;
  write: (kept: Kept, etag: string) => Promise<Draft>;
  remove: () => Promise<unknown>;
}

/** What is typed is kept after this time without another key. */
const REST_MS = 800;

/** The id of the draft of a new model, or of the retraining of a version. */
export function draftId(parent: string): string {
  return parent ? ids(parent).join(".") : "new";
}

/** The drafts of whoever is logged in. */
export function draftStore(id: string): DraftStore {
  const path = { draft: id };
  return {
    read: () => api.get("/v1/drafts/{draft}", { path }),
    write: ({ training, step }, etag) =>
      api.patch("/v1/drafts/{draft}", { path, body: { training, step: step + 1 }, ...(etag ? { etag } : {}) }),
    remove: () => api.delete("/v1/drafts/{draft}", { path }),
  };
}

/** What a draft says; undefined where nothing is kept. */
export function keptOf(draft: Draft | undefined): Kept | undefined {
  return draft?.etag && draft.training ? { training: draft.training, step: Math.max(0, draft.step - 1) } : undefined;
}

/** Keeps the latest answers, one request at a time, and goes on trying while the servers are away. */
export class DraftKeeper {
  private wanted: Kept | undefined;
  private running: Promise<void> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ended = false;

  constructor(
    private readonly store: DraftStore,
    private etag: string,
    private readonly tell: (keeping: Keeping) => void,
  ) {}

  /** Keeps the answers once they have rested. */
  put(kept: Kept): void {
    if (this.ended) return;
    this.wanted = kept;
    this.tell("waiting");
    this.later(REST_MS);
  }

  /** Keeps what waits, at once; whether everything is kept then. */
  async flush(): Promise<boolean> {
    clearTimeout(this.timer);
    await this.running;
    if (this.wanted && !this.ended) {
      this.running = this.write(this.wanted);
      await this.running;
    }
    return this.wanted === undefined;
  }

  /** Keeps these answers although another window has kept others since. */
  async overwrite(): Promise<void> {
    await this.attempt(async () => {
      this.etag = (await this.store.read()).etag;
    });
    await this.flush();
  }

  /** Forgets the answers: they were submitted, or are not wanted any more. */
  async forget(): Promise<void> {
    this.end();
    await this.running;
    await this.attempt(() => this.store.remove());
  }

  /** Keeps nothing any more. */
  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }

  private later(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), ms);
  }

  private async write(kept: Kept): Promise<void> {
    await this.attempt(async () => {
      const { etag } = await this.store.write(kept, this.etag);
      this.etag = etag;
      if (this.wanted !== kept) return;
      this.wanted = undefined;
      this.tell("kept");
    });
    this.running = undefined;
  }

  private async attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      if (this.ended) return;
      // Who logs in again goes on; see SIGNED_IN.
      const again = isTransient(failure) || failure.status === 401;
      this.tell(failure.reason === "ETAG_MISMATCH" ? "elsewhere" : again ? "away" : "refused");
      if (again) this.later(RETRY_MS);
    }
  }
}
