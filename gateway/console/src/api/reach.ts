/** Polls whether the server is reachable while something waits for it. */
import { useSyncExternalStore } from "react";

const ASK_MS = 3000;

let waiting = 0;
const listeners = new Set<() => void>();

function count(by: 1 | -1): void {
  waiting += by;
  for (const listener of listeners) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Resolves when the server answers. */
export async function whenReachable(): Promise<void> {
  count(1);
  try {
    for (;;) {
      const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  } finally {
    count(-1);
  }
}

/** Whether something waits for the server. */
export function useWaiting(): boolean {
  return useSyncExternalStore(listen, () => waiting > 0);
}
