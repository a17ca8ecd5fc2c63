import { hashKey, type QueryKey } from "@tanstack/react-query";
import { useState } from "react";
import { readPages, type Page, type PageQuery } from "./pages";
import { useApiQuery, type ApiQuery } from "./useApiQuery";

export interface PagedQuery<T> extends ApiQuery<T[]> {
  hasMore: boolean;
  more: () => void;
}

/**
 * A list that grows by a page at a time. `intervalMs` reads all its pages again, in one request where they fit in one
 * (up to 500 items), so that a live list keeps its length.
 */
export function usePagedQuery<T>(
  queryKey: QueryKey,
  readPage: (query: PageQuery, signal: AbortSignal) => Promise<Page<T>>,
  intervalMs?: number,
  pageSize = 50,
): PagedQuery<T> {
  const hash = hashKey(queryKey);
  const [wanted, setWanted] = useState({ hash, pages: 1 });
  const pages = wanted.hash === hash ? wanted.pages : 1;
  const query = useApiQuery(
    [...queryKey, { pages }],
    (signal) => readPages(pageSize * pages, (page) => readPage(page, signal)),
    {
      intervalMs,
      // While the next page comes, the ones before it stay.
      placeholderData: (previous, of) => (of && hashKey(of.queryKey.slice(0, -1)) === hash ? previous : undefined),
    },
  );
  return {
    ...query,
    data: query.data?.items,
    hasMore: Boolean(query.data?.next),
    more: () => {
      setWanted({ hash, pages: pages + 1 });
    },
  };
}
