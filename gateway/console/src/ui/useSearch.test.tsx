import { act, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { MemoryRouter } from "react-router";
import { expect, it } from "vitest";
import { useSearch } from "./useSearch";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let held: ReturnType<typeof useSearch> | undefined;

function Shown(): ReactNode {
  held = useSearch();
  return null;
}

/** What the address holds after one parameter was put into it. */
async function after(address: string, name: string, value: string | string[] | undefined): Promise<string> {
  const root = createRoot(document.createElement("div"));
  await act(async () => {
    root.render(
      <MemoryRouter initialEntries={[address]}>
        <Shown />
      </MemoryRouter>,
    );
    await Promise.resolve();
  });
  await act(async () => {
    held?.[1](name, value);
    await Promise.resolve();
  });
  const search = held?.[0].toString() ?? "none";
  act(() => {
    root.unmount();
  });
  return search;
}

it.each<[string, string, string | string[] | undefined, string]>([
  ["/?q=a&type=b", "q", "c", "type=b&q=c"],
  ["/?q=a&type=b", "q", "", "type=b"],
  ["/?q=a&type=b", "q", undefined, "type=b"],
  ["/?state=a&state=b", "state", ["c", "d"], "state=c&state=d"],
  ["/?state=a&state=b", "state", [], ""],
])("of %s, another value takes the place of those of %s: %j", async (address, name, value, expected) => {
  expect(await after(address, name, value)).toBe(expected);
});
