/** Server-sent events. A broken stream is resumed from its last event; it ends when the gateway sends `end`. */
import { ApiError, SIGNED_IN, api, type Problem } from "./client";

export interface Stream {
  close: () => void;
}

export interface Listener<T> {
  onMessage: (message: T) => void;
  onProblem?: (problem: Problem) => void;
  /** The gateway ended the stream. */
  onEnd?: () => void;
  onConnection?: (connected: boolean) => void;
}

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Follows `url`, whose events are called `name`. The browser reopens a broken connection by itself, with the id of the
 * last event. It does not reopen a refused one (a service is away, the session has ended): this function does.
 */
export function follow<T>(url: string, name: string, listener: Listener<T>): Stream {
  let source: EventSource;
  let cursor = "";
  let waitMs = FIRST_WAIT_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const open = () => {
    const at = new URL(url, window.location.origin);
    if (cursor) at.searchParams.set("cursor", cursor);
    source = new EventSource(at);
    source.addEventListener(name, (event) => {
      const message = event as MessageEvent<string>;
      cursor = message.lastEventId || cursor;
      listener.onMessage(JSON.parse(message.data) as T);
    });
    source.addEventListener("problem", (event) => {
      const problem = JSON.parse((event as MessageEvent<string>).data) as Problem;
      if (problem.status !== 401) {
        listener.onProblem?.(problem);
        return;
      }
      // The session ended while the stream was open: it goes on after the next log-in.
      source.close();
      listener.onConnection?.(false);
      void again();
    });
    source.addEventListener("end", () => {
      close();
      listener.onEnd?.();
    });
    source.onopen = () => {
      waitMs = FIRST_WAIT_MS;
      listener.onConnection?.(true);
    };
    source.onerror = () => {
      listener.onConnection?.(false);
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(() => void again(), waitMs);
      waitMs = Math.min(LONGEST_WAIT_MS, 2 * waitMs);
    };
  };
  const again = async () => {
    timer = undefined;
    // An event source does not report why it was refused, so ask whether the session has ended.
    const failure = await api.get("/v1/whoami").then(
      () => undefined,
      (error: unknown) => error,
    );
    if (closed) return;
    if (failure instanceof ApiError && failure.status === 401) window.addEventListener(SIGNED_IN, open, { once: true });
    else open();
  };
  let closed = false;
  const close = () => {
    closed = true;
    clearTimeout(timer);
    window.removeEventListener(SIGNED_IN, open);
    source.close();
  };
  open();
  return { close };
}
