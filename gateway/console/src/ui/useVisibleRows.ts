import { useEffect, useState, type RefObject } from "react";

/** Which rows of a tall element are in the window or at most `beyond` rows from it: `[first, end)`. */
export function useVisibleRows(element: RefObject<HTMLElement | null>, rowPx: number, rows: number, beyond: number): [number, number] {
  const [range, setRange] = useState<[number, number]>([0, Math.min(rows, 24)]);
  useEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      const box = element.current?.getBoundingClientRect();
      if (!box) return;
      const clamp = (row: number) => Math.min(rows, Math.max(0, row));
      const first = clamp(Math.floor(-box.top / rowPx) - beyond);
      const end = clamp(Math.ceil((window.innerHeight - box.top) / rowPx) + beyond);
      setRange((before) => (before[0] === first && before[1] === end ? before : [first, end]));
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
  }, [element, rowPx, rows, beyond]);
  return [Math.min(range[0], rows), Math.min(range[1], rows)];
}
