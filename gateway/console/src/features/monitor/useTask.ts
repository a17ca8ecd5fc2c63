import { startTransition, useCallback, useEffect, useState } from "react";
import { ApiError, address, api } from "../../api/client";
import { follow } from "../../api/events";
import { useRetry } from "../../api/useRetry";
import type { Task } from "./task";

export interface WatchedTask {
  task: Task | undefined;
  error: ApiError | undefined;
  reload: () => void;
}

/** A task, and every change of it as it happens. */
export function useTask(id: string): WatchedTask {
  const [state, setState] = useState<{ id: string; task?: Task; error?: ApiError }>({ id });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    // A whole page is drawn by it: in pieces, between which the browser can show a frame.
    const put = (next: typeof state) => {
      startTransition(() => {
        setState(next);
      });
    };
    let close: () => void = () => undefined;
    api
      .get("/v1/tasks/{task}", { path: { task: id }, signal: abort.signal })
      .then((task) => {
        put({ id, task });
        const url = address("/v1/tasks/{task}:watch", { task: id }, { cursor: task.revision, follow: true });
        close = follow<{ task?: Task }>(url, "WatchTaskResponse", {
          onMessage: (message) => {
            if (message.task) put({ id, task: message.task });
          },
        }).close;
      })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) put({ id, error: error instanceof ApiError ? error : new ApiError(0, undefined) });
      });
    return () => {
      abort.abort();
      close();
    };
  }, [id, turn]);
  const own = state.id === id ? state : undefined;
  const reload = useCallback(() => {
    setTurn((before) => before + 1);
  }, []);
  useRetry(own?.error, reload);
  return { task: own?.task, error: own?.error, reload };
}
