import { startTransition, useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./client";
import { useRetry } from "./useRetry";

export interface Query<T> {
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
  reload: () => void;
}

/**
 * What `ask` answers, asked again when `key` changes, on `reload`, and every `everyMs` while the page is seen.
 * What was there stays to be looked at while it is asked again, unless the key is another.
 */
export function useQuery<T>(key: string, ask: (signal: AbortSignal) => Promise<T>, everyMs?: number): Query<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: ApiError; loading: boolean }>({ key, loading: true });
  const [turn, setTurn] = useState(0);
  const asking = useRef(ask);
  const busy = useRef(false);
  useEffect(() => {
    asking.current = ask;
  });

  useEffect(() => {
    const abort = new AbortController();
    busy.current = true;
    setState((before) => (before.key === key ? { ...before, loading: true } : { key, loading: true }));
    asking
      .current(abort.signal)
      .then((data) => {
        // Much may be drawn by it: in pieces, between which the browser can show a frame.
        startTransition(() => {
          setState({ key, data, loading: false });
        });
      })
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        const told = error instanceof ApiError ? error : new ApiError(0, undefined);
        setState((before) => ({ ...before, key, error: told, loading: false }));
      })
      .finally(() => {
        if (!abort.signal.aborted) busy.current = false;
      });
    return () => {
      abort.abort();
    };
  }, [key, turn]);

  const reload = useCallback(() => {
    setTurn((before) => before + 1);
  }, []);

  useEffect(() => {
    if (!everyMs) return;
    const timer = setInterval(() => {
      // On a slow line an answer may take longer than that; asking anew would be for ever.
      if (document.visibilityState === "visible" && !busy.current) reload();
    }, everyMs);
    return () => {
      clearInterval(timer);
    };
  }, [everyMs, reload]);

  const own = state.key === key ? state : undefined;
  useRetry(own?.error, reload);
  return { data: own?.data, error: own?.error, loading: own?.loading ?? true, reload };
}
