/** Server-sent events that end when the gateway says so, and go on where they were when they break. */
import type { Problem } from "./client";

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

/** Follow `url`, whose events are called `name`. The browser reconnects by itself with the last event's id. */
export function follow<T>(url: string, name: string, listener: Listener<T>): Stream {
  const source = new EventSource(url);
  source.addEventListener(name, (event) => {
    listener.onMessage(JSON.parse((event as MessageEvent<string>).data) as T);
  });
  source.addEventListener("problem", (event) => {
    listener.onProblem?.(JSON.parse((event as MessageEvent<string>).data) as Problem);
  });
  source.addEventListener("end", () => {
    source.close();
    listener.onEnd?.();
  });
  source.onopen = () => listener.onConnection?.(true);
  source.onerror = () => listener.onConnection?.(false);
  return {
    close: () => {
      source.close();
    },
  };
}
