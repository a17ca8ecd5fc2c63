import { useState } from "react";
import { firstOf, type PageAnswer, type PageQuery } from "../api/firstOf";
import { useQuery, type Query } from "../api/useQuery";

export interface Pages<T> extends Query<T[]> {
  hasMore: boolean;
  more: () => void;
}

/**
 * A list that grows by a page at a time. `everyMs` asks for all shown pages again, in one request where they fit in
 * one (`pageSize` up to 500), so that a live list stays as long as it was.
 */
export function usePages<T>(
  key: string,
  ask: (query: PageQuery, signal: AbortSignal) => Promise<PageAnswer<T>>,
  everyMs?: number,
  pageSize = 50,
): Pages<T> {
  const [pages, setPages] = useState({ key, count: 1 });
  const count = pages.key === key ? pages.count : 1;
  const query = useQuery(
    key + String(count),
    (signal) => firstOf(pageSize * count, (page) => ask(page, signal)),
    everyMs,
  );
  // While the next page comes, the ones before stay.
  const [shown, setShown] = useState<{ key: string; items: T[]; next: string }>();
  if (query.data && (shown?.key !== key || shown.items !== query.data.items)) setShown({ key, ...query.data });
  const held = shown?.key === key ? shown : undefined;
  return {
    data: query.data?.items ?? held?.items,
    error: query.error,
    loading: query.loading,
    reload: query.reload,
    hasMore: Boolean((query.data ?? held)?.next),
    more: () => {
      setPages({ key, count: count + 1 });
    },
  };
}
