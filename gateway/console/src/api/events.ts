/** Server-sent events that end when the gateway says so, and go on where they were when they break. */
import { ApiError, SIGNED_IN, api, type Problem } from "./client";

export interface Stream {
  close: () => void;
}

export interface Listener<T> {
  onMessage: (message: T) => void;
  onProblem?: (problem: Problem) => void;
  /** Nothing more comes. */
  onEnd?: () => void;
  onConnection?: (connected: boolean) => void;
}

const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Follow `url`, whose events are called `name`. A line that breaks the browser opens again by itself, with the last
 * event's id; what the gateway refuses, because a service is away or the session is over, it gives up, and we do not.
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
      listener.onProblem?.(JSON.parse((event as MessageEvent<string>).data) as Problem);
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
    // An event source does not tell why it was refused; the session's end has to be noticed here.
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
