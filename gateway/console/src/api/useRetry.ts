import { useEffect } from "react";
import type { ApiError } from "./client";

const RETRY_MS = 4000;

/** Asks again by itself, once the server can be reached, for what failed because it could not. */
export function useRetry(error: ApiError | undefined, again: () => void): void {
  const away = error?.status === 0 || error?.status === 503;
  useEffect(() => {
    if (!away) return;
    const timer = setInterval(again, RETRY_MS);
    window.addEventListener("online", again);
    return () => {
      clearInterval(timer);
      window.removeEventListener("online", again);
    };
  }, [away, again]);
}
