import { hashKey, useQueries, useQueryClient, type QueryKey } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./client";
import type { Page, PageQuery } from "./pages";
import type { ApiQuery } from "./useApiQuery";

export interface WindowedQuery<T> extends ApiQuery<true> {
  /** How many items are known; more may follow. */
  known: number;
  hasMore: boolean;
  /** The item at a position, if its page is held. */
  at: (index: number) => T | undefined;
  /** Holds the pages of the items from `first` to before `end`, and their neighbours. */
  show: (first: number, end: number) => void;
}

/** Pages that nobody looks at are dropped after this time, so that a long list does not fill the memory. */
const DROPPED_MS = 10_000;

/** What is known of a list's pages, by number. */
interface PageIndex {
  hash: string;
  tokens: readonly string[];
  sizes: readonly number[];
}

/**
 * A list of any length of which a few pages are held: those that are shown, and their neighbours. Positions of pages
 * that were dropped stay known, and the pages are read again by their tokens. `intervalMs` reads the held pages again
 * while the page is visible.
 */
export function useWindowedQuery<T>(
  queryKey: QueryKey,
  readPage: (query: PageQuery, signal: AbortSignal) => Promise<Page<T>>,
  pageSize: number,
  intervalMs?: number,
): WindowedQuery<T> {
  const client = useQueryClient();
  const hash = hashKey(queryKey);
  const [stored, setIndex] = useState<PageIndex>({ hash, tokens: [""], sizes: [] });
  const index = stored.hash === hash ? stored : { hash, tokens: [""], sizes: [] };
  const [span, setSpan] = useState({ hash, from: 0, to: 0 });
  const { from, to } = span.hash === hash ? span : { from: 0, to: 0 };
  const wanted: number[] = [];
  for (let page = Math.max(0, from - 1); page <= to + 1 && page < index.tokens.length; page += 1) wanted.push(page);

  // A page whose token changes, because the list changed before it, stays as it was until it is read.
  const shown = useRef<{ hash: string; pages: Map<number, Page<T>> }>({ hash, pages: new Map() });
  const before = shown.current.hash === hash ? shown.current.pages : new Map<number, Page<T>>();
  const results = useQueries({
    queries: wanted.map((page) => {
      const pageToken = index.tokens[page] ?? "";
      return {
        queryKey: [...queryKey, { pageSize, pageToken }],
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          readPage({ pageSize, ...(pageToken ? { pageToken } : {}) }, signal),
        placeholderData: () => before.get(page),
        refetchInterval: intervalMs ?? false,
        gcTime: DROPPED_MS,
      } as const;
    }),
  });
  const held = new Map<number, Page<T>>();
  for (const [at, { data }] of results.entries()) {
    const page = wanted[at];
    if (data && page !== undefined) held.set(page, data);
  }
  const learnt = learn(index, held);
  if (learnt !== stored) setIndex(learnt);
  useEffect(() => {
    shown.current = { hash, pages: held };
  });

  const sizes = useRef(learnt.sizes);
  useEffect(() => {
    sizes.current = learnt.sizes;
  });
  const show = useCallback(
    (first: number, end: number) => {
      const from = pageOf(sizes.current, first)[0];
      const to = pageOf(sizes.current, Math.max(first, end - 1))[0];
      setSpan((last) => (last.hash === hash && last.from === from && last.to === to ? last : { hash, from, to }));
    },
    [hash],
  );
  const reload = useCallback(() => {
    const filters = { queryKey: JSON.parse(hash) as QueryKey, type: "active" } as const;
    void client.cancelQueries(filters).then(() => client.refetchQueries(filters));
  }, [client, hash]);
  const failure = results.map(({ error, failureReason }) => error ?? failureReason).find((one) => one !== null);
  return {
    data: learnt.sizes.length > 0 || undefined,
    error: failure && ApiError.of(failure),
    loading: results.some(({ isFetching }) => isFetching),
    reload,
    known: learnt.sizes.reduce((sum, size) => sum + size, 0),
    hasMore: learnt.sizes.length < learnt.tokens.length,
    at: (position) => {
      const [page, within] = pageOf(learnt.sizes, position);
      return held.get(page)?.items[within];
    },
    show,
  };
}

/** The index with what the held pages say: their sizes, and the tokens of the pages after them. */
export function learn(index: PageIndex, held: ReadonlyMap<number, Page<unknown>>): PageIndex {
  let { tokens, sizes } = index;
  for (const [page, { items, next }] of held) {
    if (page > sizes.length) continue;
    if (sizes[page] !== items.length) sizes = replaced(sizes, page, items.length);
    if (next && tokens[page + 1] !== next) tokens = replaced(tokens, page + 1, next);
    // The list ends here; it may have become shorter.
    if (!next && tokens.length > page + 1) [tokens, sizes] = [tokens.slice(0, page + 1), sizes.slice(0, page + 1)];
  }
  return tokens === index.tokens && sizes === index.sizes ? index : { hash: index.hash, tokens, sizes };
}

function replaced<T>(list: readonly T[], at: number, value: T): T[] {
  const copy = [...list];
  copy[at] = value;
  return copy;
}

/** The page that a position is in, and the position within it. */
export function pageOf(sizes: readonly number[], position: number): [page: number, within: number] {
  let rest = position;
  for (const [page, size] of sizes.entries()) {
    if (rest < size) return [page, rest];
    rest -= size;
  }
  return [sizes.length, rest];
}
