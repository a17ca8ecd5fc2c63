import { useCallback, useEffect, useReducer, useRef } from "react";
import { ApiError } from "../api/client";
import type { Query } from "../api/useQuery";
import { useRetry } from "../api/useRetry";

export interface Windowed<T> extends Query<true> {
  /** How many items are known to be there; more may follow. */
  known: number;
  hasMore: boolean;
  /** The item at a place, if it is held. */
  at: (index: number) => T | undefined;
  /** Holds the items from `first` to before `end`, and lets go of those far from them. */
  show: (first: number, end: number) => void;
}

type Ask<T> = (query: { pageSize: number; pageToken?: string }, signal: AbortSignal) => Promise<{ items: T[]; next: string }>;

/** Pages on either side of what is seen that are not let go of. */
const KEPT_PAGES = 2;

interface Held<T> {
  key: string;
  /** Where each page begins, by number, as far as is known. */
  tokens: string[];
  sizes: number[];
  pages: Map<number, T[]>;
  range: [first: number, end: number];
  asking: boolean;
  ended: boolean;
  answered: boolean;
  error: ApiError | undefined;
  abort: AbortController;
}

function nothing<T>(key: string): Held<T> {
  return {
    key,
    tokens: [""],
    sizes: [],
    pages: new Map(),
    range: [0, 1],
    asking: false,
    ended: false,
    answered: false,
    error: undefined,
    abort: new AbortController(),
  };
}

/**
 * A list of any length of which a few pages are held: those that are seen, and their neighbours. Pages that were let
 * go of are asked for again by their tokens. `everyMs` asks again for what is held while the page is seen.
 */
export function useWindow<T>(key: string, ask: Ask<T>, pageSize: number, everyMs?: number): Windowed<T> {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const held = useRef<Held<T>>(null);
  held.current ??= nothing<T>(key);
  if (held.current.key !== key) {
    held.current.abort.abort();
    held.current = nothing<T>(key);
  }
  const asking = useRef(ask);
  useEffect(() => {
    asking.current = ask;
  });

  const take = useCallback(
    async (own: Held<T>, pages: number[]) => {
      if (own.asking) return;
      own.asking = true;
      redraw();
      try {
        for (const page of pages) {
          const token = own.tokens[page];
          if (token === undefined) break;
          const { items, next } = await asking.current({ pageSize, ...(token ? { pageToken: token } : {}) }, own.abort.signal);
          // What has not changed stays the same object, and need not be drawn again.
          const before = own.pages.get(page);
          own.pages.set(page, before ? items.map((item, index) => kept(before[index], item)) : items);
          own.sizes[page] = items.length;
          own.answered = true;
          own.error = undefined;
          if (next) own.tokens[page + 1] = next;
          else {
            // The list may have become shorter.
            own.tokens.length = own.sizes.length = page + 1;
            for (const later of own.pages.keys()) if (later > page) own.pages.delete(later);
          }
          own.ended = own.tokens.length <= own.sizes.length;
          redraw();
        }
      } catch (failure) {
        if (own.abort.signal.aborted) return;
        own.error = failure instanceof ApiError ? failure : new ApiError(0, undefined);
      } finally {
        own.asking = false;
        redraw();
      }
    },
    [pageSize],
  );

  const show = useCallback(
    (first: number, end: number) => {
      const own = held.current;
      if (!own || own.error) return;
      own.range = [first, end];
      const seen = pagesOf(own.sizes, first, end);
      const [from, to] = [Math.max(0, seen[0] - 1), seen[1] + 1];
      for (const page of own.pages.keys()) {
        if (page < from - KEPT_PAGES || page > to + KEPT_PAGES) own.pages.delete(page);
      }
      const missing: number[] = [];
      for (let page = from; page <= to && page < own.tokens.length; page += 1) if (!own.pages.has(page)) missing.push(page);
      // What is looked at comes before its neighbours.
      missing.sort((a, b) => Number(a < seen[0] || a > seen[1]) - Number(b < seen[0] || b > seen[1]) || a - b);
      if (missing.length) {
        void take(own, missing).then(() => {
          if (held.current === own && (own.range[0] !== first || own.range[1] !== end)) show(...own.range);
        });
      }
    },
    [take],
  );

  const reload = useCallback(() => {
    const own = held.current;
    if (!own) return;
    own.error = undefined;
    const pages = [...own.pages.keys()].sort((a, b) => a - b);
    void take(own, pages.length ? pages : [0]);
  }, [take]);

  useEffect(() => {
    held.current ??= nothing<T>(key);
    const own = held.current;
    if (own.abort.signal.aborted) own.abort = new AbortController();
    show(0, 1);
    return () => {
      own.abort.abort();
      own.asking = false;
    };
  }, [key, show]);
  useEffect(() => {
    if (!everyMs) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, everyMs);
    return () => {
      clearInterval(timer);
    };
  }, [everyMs, reload]);

  const own = held.current;
  useRetry(own.error, reload);
  return {
    data: own.answered || undefined,
    error: own.error,
    loading: own.asking,
    reload,
    known: own.sizes.reduce((sum, size) => sum + size, 0),
    hasMore: !own.ended,
    at: (index) => {
      const [page, within] = placeOf(own.sizes, index);
      return own.pages.get(page)?.[within];
    },
    show,
  };
}

function kept<T>(before: T | undefined, now: T): T {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(now) ? before : now;
}

/** In which page an index falls, and where in it. */
export function placeOf(sizes: readonly number[], index: number): [page: number, within: number] {
  let rest = index;
  for (const [page, size] of sizes.entries()) {
    if (rest < size) return [page, rest];
    rest -= size;
  }
  return [sizes.length, rest];
}

function pagesOf(sizes: readonly number[], first: number, end: number): [number, number] {
  return [placeOf(sizes, first)[0], placeOf(sizes, Math.max(first, end - 1))[0]];
}
