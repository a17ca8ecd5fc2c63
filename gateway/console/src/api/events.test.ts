// @vitest-environment node
import { beforeEach, describe, expect, it, vi } from "vitest";

vi.stubGlobal("window", Object.assign(new EventTarget(), { location: { origin: "http://gateway" } }));
const { SIGNED_IN } = await import("./client");
const { follow } = await import("./events");

/** The browser's event source, as far as `follow` uses it. */
class Source extends EventTarget {
  static opened: Source[] = [];
  static readonly CLOSED = 2;
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(readonly url: URL) {
    super();
    Source.opened.push(this);
  }

  close() {
    this.readyState = Source.CLOSED;
  }

  tell(name: string, data: unknown, lastEventId = "") {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data), lastEventId }));
  }
}

vi.stubGlobal("EventSource", Source);
const server = vi.fn<() => Promise<Response>>();
vi.stubGlobal("fetch", server);
const opened = (at: number) => Source.opened[at] as Source;

beforeEach(() => {
  Source.opened = [];
  server.mockReset();
});

describe("a stream", () => {
  it("goes on from its last event after the next log-in, when the session ends while it is open", async () => {
    server.mockImplementation(() => Promise.resolve(new Response("{}", { status: 401 })));
    const told = { onMessage: vi.fn(), onProblem: vi.fn(), onEnd: vi.fn() };
    const stream = follow<{ n: number }>("/v1/tasks/1/loss:watch", "WatchLossResponse", told);
    const first = opened(0);
    first.tell("WatchLossResponse", { n: 1 }, "1:1");
    first.tell("problem", { status: 401, reason: "TOKEN_REVOKED" });
    expect(first.readyState).toBe(Source.CLOSED);
    expect(Source.opened).toHaveLength(1);
    await vi.waitFor(() => {
      window.dispatchEvent(new Event(SIGNED_IN));
      expect(Source.opened).toHaveLength(2);
    });
    expect(server).toHaveBeenCalledOnce();
    expect(opened(1).url.searchParams.get("cursor")).toBe("1:1");
    expect([told.onProblem.mock.calls.length, told.onEnd.mock.calls.length]).toEqual([0, 0]);
    stream.close();
  });

  it("tells of any other problem and does not come again", () => {
    const told = { onMessage: vi.fn(), onProblem: vi.fn(), onEnd: vi.fn() };
    follow("/v1/tasks/1/loss:watch", "WatchLossResponse", told);
    opened(0).tell("problem", { status: 404 });
    opened(0).tell("end", {});
    expect(told.onProblem).toHaveBeenCalledWith({ status: 404 });
    expect(told.onEnd).toHaveBeenCalledOnce();
    expect(Source.opened).toHaveLength(1);
  });
});
