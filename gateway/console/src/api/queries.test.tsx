import { QueryClientProvider, useMutation } from "@tanstack/react-query";
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, RETRY_MS, SIGNED_IN } from "./client";
import type { Page } from "./pages";
import { queryClient } from "./queryClient";
import { useApiQuery, type ApiQuery } from "./useApiQuery";
import { usePagedQuery, type PagedQuery } from "./usePagedQuery";
import { learn, useWindowedQuery, type WindowedQuery } from "./useWindowedQuery";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let root: Root;
beforeEach(() => {
  vi.useFakeTimers();
  root = createRoot(document.createElement("div"));
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  queryClient.clear();
  vi.useRealTimers();
});

/** Runs a hook in a component; `current` is its latest result. */
async function rendered<T>(hook: () => T): Promise<{ current: T }> {
  const latest = {} as { current: T };
  const Probe = (): ReactNode => {
    latest.current = hook();
    return null;
  };
  act(() => {
    root.render(
      <QueryClientProvider client={queryClient}>
        <Probe />
      </QueryClientProvider>,
    );
  });
  await pass(10);
  return latest;
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

/** A list of `length` numbers; tokens are positions. */
function numbers(length: number) {
  return vi.fn(
    async ({ pageSize, pageToken = "0" }: { pageSize: number; pageToken?: string }): Promise<Page<number>> => {
      const first = Number(pageToken);
      const items = Array.from({ length: Math.min(pageSize, length - first) }, (_, at) => first + at);
      return Promise.resolve({ items, next: first + items.length < length ? String(first + items.length) : "" });
    },
  );
}

describe("a read", () => {
  it("that fails because no answer came is repeated, and says so meanwhile", async () => {
    const read = vi
      .fn<() => Promise<string>>()
      .mockRejectedValueOnce(new ApiError(0, undefined))
      .mockResolvedValue("answer");
    const query = await rendered<ApiQuery<string>>(() => useApiQuery(["away"], read));
    expect([query.current.error?.reason, query.current.data]).toEqual(["OFFLINE", undefined]);
    await pass(RETRY_MS);
    expect([query.current.error, query.current.data]).toEqual([undefined, "answer"]);
  });

  it("that is refused is not repeated; at the next log-in it is, if the session was over", async () => {
    const read = vi
      .fn<() => Promise<string>>()
      .mockRejectedValueOnce(new ApiError(401, undefined))
      .mockResolvedValue("answer");
    const refused = vi.fn<() => Promise<string>>().mockRejectedValue(new ApiError(404, undefined));
    const queries = await rendered(() => [useApiQuery(["over"], read), useApiQuery(["gone"], refused)] as const);
    await pass(10 * RETRY_MS);
    expect([read, refused].map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
    window.dispatchEvent(new Event(SIGNED_IN));
    await pass(10);
    expect([queries.current[0].data, queries.current[1].error?.status]).toEqual(["answer", 404]);
  });

  it("keeps its last answer beside a later failure", async () => {
    const read = vi
      .fn<() => Promise<string>>()
      .mockResolvedValueOnce("answer")
      .mockRejectedValue(new ApiError(500, undefined));
    const query = await rendered<ApiQuery<string>>(() => useApiQuery(["kept"], read, { intervalMs: 1000 }));
    await pass(1000);
    expect([query.current.data, query.current.error?.status]).toEqual(["answer", 500]);
  });
});

it("a change is sent once, and what is on screen is read again after it, refused or not", async () => {
  const read = vi.fn<() => Promise<number>>().mockResolvedValue(1);
  const change = vi.fn<() => Promise<void>>().mockRejectedValue(new ApiError(503, undefined));
  const both = await rendered(() => [useApiQuery(["shown"], read), useMutation({ mutationFn: change })] as const);
  await act(async () => {
    await both.current[1].mutateAsync().catch(() => undefined);
    await vi.advanceTimersByTimeAsync(10 * RETRY_MS);
  });
  expect([change.mock.calls.length, read.mock.calls.length]).toEqual([1, 2]);
});

it("a list that grows keeps its pages while the next one comes, and reads them in one request", async () => {
  const readPage = numbers(120);
  const list = await rendered<PagedQuery<number>>(() => usePagedQuery(["numbers"], readPage));
  expect([list.current.data?.length, list.current.hasMore]).toEqual([50, true]);
  act(() => {
    list.current.more();
  });
  expect(list.current.data).toHaveLength(50);
  await pass(10);
  expect(list.current.data).toHaveLength(100);
  expect(readPage.mock.calls.map(([query]) => query.pageSize)).toEqual([50, 100]);
});

it("of a long list a few pages are held, and the others are read again by their tokens", async () => {
  const readPage = numbers(1000);
  const list = await rendered<WindowedQuery<number>>(() => useWindowedQuery(["long"], readPage, 10));
  for (let first = 0; first < 200; first += 10) {
    act(() => {
      list.current.show(first, first + 10);
    });
    await pass(10);
  }
  expect([list.current.at(195), list.current.at(5)]).toEqual([195, undefined]);
  await pass(60_000);
  readPage.mockClear();
  act(() => {
    list.current.show(0, 10);
  });
  await pass(10);
  expect([list.current.at(5), list.current.known >= 200]).toEqual([5, true]);
  expect(readPage.mock.calls.map(([{ pageToken }]) => pageToken)).toEqual([undefined, "10"]);
});

it("a list that became shorter ends where its last page does", () => {
  const index = { hash: "", tokens: ["", "10", "20"], sizes: [10, 10, 4] };
  expect(learn(index, new Map([[1, { items: [1, 2], next: "" }]]))).toEqual({
    hash: "",
    tokens: ["", "10"],
    sizes: [10, 2],
  });
  expect(learn(index, new Map([[1, { items: Array(10).fill(0), next: "20" }]]))).toBe(index);
});
