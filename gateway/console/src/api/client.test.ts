// @vitest-environment node
import { beforeEach, describe, expect, it, vi } from "vitest";

vi.stubGlobal("window", Object.assign(new EventTarget(), { location: { origin: "http://gateway" } }));
const { ApiError, SIGNED_IN, address, api, whenSignedOut } = await import("./client");

const server = vi.fn<(request: Request) => Promise<Response>>();
vi.stubGlobal("fetch", server);
const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
const sent = (at = 0) => server.mock.calls[at]?.[0] as Request;
const failureOf = (answer: Promise<unknown>) => answer.then(() => undefined, (failure: unknown) => failure);

beforeEach(() => {
  server.mockReset();
});

describe("a call of the gateway", () => {
  it("carries the client's header, the state that was seen, and the key that makes it idempotent", async () => {
    server.mockResolvedValue(json({ name: "tasks/1" }));
    await api.post("/v1/tasks", { body: { task: {} }, etag: "7", idempotencyKey: "once" });
    const { method, url, headers } = sent();
    expect([method, url]).toEqual(["POST", "http://gateway/v1/tasks"]);
    expect(["X-Loupe-Client", "If-Match", "Idempotency-Key", "Content-Type"].map((name) => headers.get(name))).toEqual([
      "console",
      '"7"',
      "once",
      "application/json",
    ]);
    expect(await sent().json()).toEqual({ task: {} });
  });

  it("repeats lists in its query, and leaves out what is empty", async () => {
    server.mockResolvedValue(json({ tasks: [] }));
    await api.get("/v1/tasks", {
      query: { states: ["TASK_STATE_WAITING", "TASK_STATE_FAILED"], creator: "", pageSize: 5 },
    });
    expect(new URL(sent().url).search).toBe("?states=TASK_STATE_WAITING&states=TASK_STATE_FAILED&pageSize=5");
    expect(address("/v1/tasks/{task}:watch", { task: "a/b" }, { cursor: undefined, follow: true })).toBe(
      "/v1/tasks/a%2Fb:watch?follow=true",
    );
  });

  it("fails with the gateway's problem, with the status alone, or with no answer at all", async () => {
    server.mockResolvedValueOnce(json({ reason: "NOT_OWNER", detail: "no" }, 403));
    server.mockResolvedValueOnce(new Response("<html>", { status: 502 }));
    server.mockRejectedValueOnce(new TypeError("network"));
    server.mockResolvedValueOnce(new Response('{"broken'));
    const failures = [];
    for (let at = 0; at < 4; at += 1) failures.push(await failureOf(api.get("/v1/queue")));
    expect(failures.every((failure) => failure instanceof ApiError)).toBe(true);
    expect(failures.map((failure) => (failure as InstanceType<typeof ApiError>).reason)).toEqual([
      "NOT_OWNER",
      "UNKNOWN",
      "OFFLINE",
      "OFFLINE",
    ]);
  });

  it("that is no longer wanted is cut off, and is no failure of the gateway", async () => {
    server.mockImplementation(
      ({ signal }) =>
        new Promise((_, reject) => {
          const cut = () => {
            reject(signal.reason as Error);
          };
          if (signal.aborted) cut();
          else signal.addEventListener("abort", cut);
        }),
    );
    const unwanted = new AbortController();
    const failure = failureOf(api.get("/v1/queue", { signal: unwanted.signal }));
    unwanted.abort();
    expect(await failure).not.toBeInstanceOf(ApiError);
  });
});

it("after the session's end nothing is asked until somebody is logged in again", async () => {
  const [ended, entered] = [vi.fn(), vi.fn()];
  whenSignedOut(ended);
  window.addEventListener(SIGNED_IN, entered);
  server.mockResolvedValueOnce(json({}, 401));
  await failureOf(api.get("/v1/queue"));
  expect(ended).toHaveBeenCalledOnce();
  expect(await failureOf(api.get("/v1/queue"))).toMatchObject({ status: 401 });
  expect(server).toHaveBeenCalledOnce();
  server.mockImplementation(() => Promise.resolve(json({ name: "users/a" })));
  await api.post("/v1/session", { body: { userId: "a", password: "b" } });
  await api.get("/v1/whoami");
  await api.get("/v1/queue");
  expect([entered.mock.calls.length, server.mock.calls.length]).toEqual([1, 4]);
});
