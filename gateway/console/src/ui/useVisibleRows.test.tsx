import { act, useRef, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, expect, it, vi } from "vitest";
import { useVisibleRows } from "./useVisibleRows";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let root: Root | undefined;
afterEach(() => {
  act(() => root?.unmount());
  vi.restoreAllMocks();
});

it("the rows in the window are drawn, and a few beyond it, wherever the element stands", async () => {
  const scrolled = vi.spyOn(window, "scrollTo").mockImplementation(() => undefined);
  const box = vi.spyOn(HTMLElement.prototype, "getBoundingClientRect").mockReturnValue({ top: 200 } as DOMRect);
  let range: readonly [number, number] = [0, 0];
  const Rows = (): ReactNode => {
    const element = useRef<HTMLDivElement>(null);
    range = useVisibleRows(element, 50, 1_000_000, 3);
    return <div ref={element} />;
  };
  const holder = document.createElement("div");
  root = createRoot(holder);
  await act(async () => {
    root?.render(<Rows />);
    await new Promise((done) => setTimeout(done, 50));
  });
  // The window of jsdom is 768 px high: 200 px of it stand above the element.
  expect(range).toEqual([0, Math.ceil((768 - 200) / 50) + 3]);
  box.mockReturnValue({ top: -5000 } as DOMRect);
  await act(async () => {
    document.dispatchEvent(new Event("scroll"));
    await new Promise((done) => setTimeout(done, 50));
  });
  expect(range).toEqual([97, Math.ceil((768 + 5000) / 50) + 3]);
  expect(scrolled).not.toHaveBeenCalled();
});
