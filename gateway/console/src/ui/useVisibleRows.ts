import { useWindowVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { useCallback, type RefObject } from "react";

/** Rows drawn before the element's position is known. */
const FIRST_ROWS = 24;

/**
 * Which rows of a tall element are in the window or at most `beyond` rows from it: `[first, end)`. Every row is
 * `rowPx` high. `rows` counts only the rows that were read so far, so that the element reaches the largest height that
 * browsers allow only if somebody scrolls that far.
 */
export function useVisibleRows(
  element: RefObject<HTMLElement | null>,
  rowPx: number,
  rows: number,
  beyond: number,
): [number, number] {
  const virtualizer = useWindowVirtualizer<HTMLElement>({
    count: rows,
    estimateSize: useCallback(() => rowPx, [rowPx]),
    overscan: beyond,
    initialOffset: 0,
    // The library must not scroll the page.
    scrollToFn: useCallback(() => undefined, []),
    initialRect: { width: 0, height: FIRST_ROWS * rowPx },
    // Measured from the element itself, because the content above it may grow at any time.
    observeElementOffset: useCallback(
      (_: Virtualizer<Window, HTMLElement>, onOffset: (offset: number, isScrolling: boolean) => void) => {
        let frame = 0;
        const look = () => {
          frame = 0;
          const box = element.current?.getBoundingClientRect();
          if (box) onOffset(-box.top, false);
        };
        const soon = () => {
          frame ||= requestAnimationFrame(look);
        };
        look();
        document.addEventListener("scroll", soon, { capture: true, passive: true });
        window.addEventListener("resize", soon);
        return () => {
          cancelAnimationFrame(frame);
          document.removeEventListener("scroll", soon, { capture: true });
          window.removeEventListener("resize", soon);
        };
      },
      [element],
    ),
  });
  const drawn = virtualizer.getVirtualItems();
  const last = drawn.at(-1);
  return [drawn[0]?.index ?? 0, last === undefined ? 0 : last.index + 1];
}
