import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Thumbnail } from "./TileGrid";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

/** Tells the observer, where there is one, whether its element is in sight. */
let see: ((isIntersecting: boolean) => void) | undefined;

vi.stubGlobal(
  "IntersectionObserver",
  class {
    constructor(tell: (changes: { isIntersecting: boolean }[]) => void) {
      see = (isIntersecting) => {
        tell([{ isIntersecting }]);
      };
    }
    observe = () => undefined;
    disconnect = () => {
      see = undefined;
    };
  },
);

let root: Root;
let holder: HTMLElement;
beforeEach(() => {
  vi.useFakeTimers();
  see = undefined;
  holder = document.createElement("div");
  root = createRoot(holder);
});
afterEach(() => {
  act(() => {
    root.unmount();
  });
  vi.useRealTimers();
});

const show = (src: string) => {
  act(() => {
    root.render(<Thumbnail src={src} alt="A/a.png" />);
  });
};
const rest = () => {
  act(() => {
    vi.advanceTimersByTime(1000);
  });
};
const fail = () => {
  act(() => {
    holder.querySelector("img")?.dispatchEvent(new Event("error"));
  });
};
const sight = (isSeen: boolean) => {
  act(() => {
    see?.(isSeen);
  });
};
/** What the picture asks for; the text in its place where there is none. */
const shown = () => holder.querySelector("img")?.getAttribute("src") ?? `(${holder.textContent})`;

it("a picture that cannot be loaded is named, and tried once more when it comes into sight again", () => {
  show("/one");
  rest();
  expect(shown()).toBe("/one");
  fail();
  expect(shown()).toBe("(A/a.png)");
  // It is in sight all the while: nothing says that another try would do better.
  sight(true);
  rest();
  expect(shown()).toBe("(A/a.png)");
  sight(false);
  sight(true);
  rest();
  expect(shown()).toBe("/one");
  fail();
  expect(shown()).toBe("(A/a.png)");
  expect(see).toBeUndefined();
});

it("another picture in the same place is tried anew", () => {
  show("/one");
  rest();
  fail();
  show("/two");
  rest();
  expect(shown()).toBe("/two");
});
