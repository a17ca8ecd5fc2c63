import { hashKey, useQuery, useQueryClient, type Query, type QueryKey } from "@tanstack/react-query";
import { useCallback, useDeferredValue, useMemo } from "react";
import { ApiError } from "./client";

export interface ApiQuery<T> {
  data: T | undefined;
  /** The latest failure; a read that may succeed later is repeated meanwhile. */
  error: ApiError | undefined;
  loading: boolean;
  reload: () => void;
}

export interface ApiQueryOptions<T> {
  /** Reads again at this interval while the page is visible. */
  intervalMs?: number | undefined;
  enabled?: boolean;
  /** Drops the answer from the cache when nothing shows it: for initial values of forms, and for links that expire. */
  forget?: boolean;
  placeholderData?: (previous: T | undefined, query: Query<T, Error, T> | undefined) => T | undefined;
}

/** A cached answer of the gateway; it is read again when a component mounts. One key always has the same `read`. */
export function useApiQuery<T>(
  queryKey: QueryKey,
  read: (signal: AbortSignal) => Promise<T>,
  { intervalMs, enabled = true, forget = false, placeholderData }: ApiQueryOptions<T> = {},
): ApiQuery<T> {
  const client = useQueryClient();
  const { data, error, failureReason, isFetching } = useQuery<T, Error, T>({
    queryKey,
    queryFn: ({ signal }) => read(signal),
    enabled,
    refetchInterval: intervalMs ?? false,
    ...(forget ? { gcTime: 0 } : {}),
    ...(placeholderData ? { placeholderData: placeholderData as never } : {}),
  });
  const failure = error ?? failureReason;
  const hash = hashKey(queryKey);
  const latest = useMemo(() => ({ hash, data }), [hash, data]);
  // An answer may change much of a page: rendered as a transition, which leaves the browser time for frames.
  const rendered = useDeferredValue(latest);
  const reload = useCallback(() => {
    const filters = { queryKey: JSON.parse(hash) as QueryKey, exact: true };
    // A request that waits for its retry is started again at once.
    void client.cancelQueries(filters).then(() => client.refetchQueries(filters));
  }, [client, hash]);
  return {
    data: rendered.hash === hash ? rendered.data : data,
    error: failure === null ? undefined : ApiError.of(failure),
    loading: isFetching || rendered !== latest,
    reload,
  };
}
