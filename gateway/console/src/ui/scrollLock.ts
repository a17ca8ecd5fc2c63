/**
 * Replaces the component library's own lock of the page behind a dialog, which writes a style that the security
 * policy of the page refuses. `vite.config.ts` puts it there.
 */
import { useLayoutEffect } from "react";

let locks = 0;

export default function useScrollLocker(lock?: boolean): void {
  useLayoutEffect(() => {
    if (!lock) return;
    const { style } = document.body;
    locks += 1;
    if (locks === 1) {
      const barPx = window.innerWidth - document.documentElement.clientWidth;
      style.overflowY = "hidden";
      if (barPx > 0) style.width = `calc(100% - ${barPx}px)`;
    }
    return () => {
      locks -= 1;
      if (locks === 0) style.overflowY = style.width = "";
    };
  }, [lock]);
}
