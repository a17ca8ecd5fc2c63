import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { JsonEditor } from "./JsonEditor";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let root: Root | undefined;
afterEach(() => {
  act(() => root?.unmount());
});

/** The text in the editor once it is there, and what is said under it. */
async function opened(value: string) {
  const holder = document.body.appendChild(document.createElement("div"));
  root = createRoot(holder);
  await act(async () => {
    root?.render(
      <JsonEditor
        label="parameters"
        value={value}
        defaults={'{"a": 1}'}
        hint="a hint"
        findings={[]}
        onChange={() => undefined}
      />,
    );
    await import("./CodeEditor");
  });
  await vi.waitFor(() => { expect(holder.querySelector(".cm-content")).not.toBeNull(); }, { timeout: 20_000 });
  const lines = [...holder.querySelectorAll(".cm-line")].map((line) => line.textContent);
  return { text: lines.join("\n"), alert: holder.querySelector("[role=alert]")?.textContent };
}

describe("a JSON editor (W3a)", () => {
  it("shows the text that it is given, and the default in its place never", async () => {
    expect((await opened('{"a": 2}')).text).toBe('{"a": 2}');
  });

  it("can be emptied: the default does not spring back, and that there is nothing is said", async () => {
    const { text, alert } = await opened("");
    expect(text).toBe("");
    expect(alert).toBeTruthy();
  });
});
