import { useEffect } from "react";
import { SIGNED_IN, type ApiError } from "./client";

const RETRY_MS = 4000;

/** Asks again by itself what failed because the server could not be reached, or because the session was over. */
export function useRetry(error: ApiError | undefined, again: () => void): void {
  const away = error?.status === 0 || error?.status === 503;
  const refused = error?.status === 401;
  useEffect(() => {
    if (!away) return;
    const timer = setInterval(again, RETRY_MS);
    window.addEventListener("online", again);
    return () => {
      clearInterval(timer);
      window.removeEventListener("online", again);
    };
  }, [away, again]);
  useEffect(() => {
    if (!refused) return;
    window.addEventListener(SIGNED_IN, again);
    return () => {
      window.removeEventListener(SIGNED_IN, again);
    };
  }, [refused, again]);
}
