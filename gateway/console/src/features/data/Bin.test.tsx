import { QueryClientProvider } from "@tanstack/react-query";
import { App } from "antd";
import type { ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { MemoryRouter } from "react-router";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError, api, type Schemas } from "../../api/client";
import { queryClient } from "../../api/queryClient";
import { SessionContext, admits, type Role } from "../../api/session";
import { zh } from "../../i18n/zh";
import { Bin } from "./Bin";
import { PathActions } from "./PathActions";

const path = (id: string, owner: string) =>
  ({ name: `datasets/panels/paths/${id}`, owner, sampleCount: "3", description: "" }) as Schemas["DataPath"];
const deleted = (id: string, owner: string): Schemas["DeletedDataPath"] => ({
  name: `datasets/panels/deletedPaths/${id}.7`,
  dataPath: path(id, owner),
  deleteTime: "2026-01-01T08:00:00Z",
  deleter: "users/zhao",
  purgeTime: "2026-01-31T08:00:00Z",
});

// What a table asks a browser for, and jsdom does not have.
const styleOf = window.getComputedStyle.bind(window);
const nothing = () => undefined;
vi.stubGlobal(
  "ResizeObserver",
  class {
    observe = nothing;
    unobserve = nothing;
    disconnect = nothing;
  },
);
vi.stubGlobal("matchMedia", () => ({
  matches: false,
  addListener: nothing,
  removeListener: nothing,
  addEventListener: nothing,
  removeEventListener: nothing,
}));

let root: Root | undefined;
beforeEach(() => {
  vi.spyOn(window, "getComputedStyle").mockImplementation((element) => styleOf(element));
});
vi.setConfig({ testTimeout: 60_000 });
afterEach(() => {
  root?.unmount();
  queryClient.clear();
  vi.restoreAllMocks();
  document.body.replaceChildren();
});

/** Shows a part of the console to a user of that role, named Li. */
function shown(part: ReactNode, role: Role): void {
  const session = {
    principal: { name: "users/li", role } as Schemas["Principal"],
    may: (least: Role) => admits(role, least),
    logOut: () => Promise.resolve(),
  };
  root = createRoot(document.body.appendChild(document.createElement("div")));
  root.render(
    <QueryClientProvider client={queryClient}>
      <SessionContext value={session}>
        <MemoryRouter>
          <App>
            {part}
            <i id="shown" />
          </App>
        </MemoryRouter>
      </SessionContext>
    </QueryClientProvider>,
  );
}

/** The buttons with that word; a space stands between two Chinese characters. */
const buttons = (word: string) =>
  [...document.querySelectorAll<HTMLElement>("button")].filter((one) => one.textContent.replace(/ /g, "") === word);
const until = (holds: () => void) => vi.waitFor(holds, { timeout: 20_000 });

function lists(...paths: Schemas["DeletedDataPath"][]) {
  const listing = { dataPaths: paths, nextPageToken: "" };
  return vi.spyOn(api, "get").mockImplementation(() => Promise.resolve(listing));
}

it("the bin shows whose a path was, and its owner restores it, under another name if its own is taken", async () => {
  lists(deleted("line-1", "users/li"), deleted("line-2", "users/wang"));
  const restore = vi
    .spyOn(api, "post")
    .mockRejectedValueOnce(
      new ApiError(409, {
        reason: "DATA_PATH_NAME_TAKEN",
        metadata: { path: "datasets/panels/paths/line-1" },
      } as unknown as Schemas["Problem"]),
    )
    .mockResolvedValue(path("line-1-old", "users/li"));
  shown(<Bin />, "ROLE_ENGINEER");
  await until(() => {
    expect(document.body.textContent).toContain("panels/line-2.7");
  });
  const rows = [...document.querySelectorAll("tr.ant-table-row")].map((row) => row.textContent);
  expect(rows).toHaveLength(2);
  expect(rows[1]).toContain("wang");
  // Only for the path of Li; nobody but an administrator purges.
  expect(buttons(zh.datasets.restore)).toHaveLength(1);
  expect(buttons(zh.datasets.purge)).toHaveLength(0);
  buttons(zh.datasets.restore)[0]?.click();
  const dialog = () => document.querySelector<HTMLElement>("[role=dialog]");
  await until(() => {
    expect(dialog()?.querySelector("input")?.value).toBe("line-1");
  });
  buttons(zh.datasets.restore).at(-1)?.click();
  await until(() => {
    expect(document.body.textContent).toContain("请换一个名称恢复");
  });
  const input = dialog()?.querySelector("input");
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, "line-1-old");
  input?.dispatchEvent(new Event("input", { bubbles: true }));
  buttons(zh.datasets.restore).at(-1)?.click();
  await until(() => {
    expect(restore).toHaveBeenCalledTimes(2);
  });
  expect(restore.mock.calls[1]).toEqual([
    "/v1/datasets/{dataset}/deletedPaths/{deletedPath}:restore",
    { path: { dataset: "panels", deletedPath: "line-1.7" }, body: { dataPathId: "line-1-old" } },
  ]);
});

it("an administrator may restore and purge what anybody deleted", async () => {
  lists(deleted("line-1", "users/li"), deleted("line-2", ""));
  shown(<Bin />, "ROLE_ADMIN");
  await until(() => {
    expect(buttons(zh.datasets.purge)).toHaveLength(2);
  });
  expect(buttons(zh.datasets.restore)).toHaveLength(2);
  expect(document.body.textContent).toContain(zh.datasets.shared);
});

it("a path is purged once that is confirmed, and not before", async () => {
  lists(deleted("line-1", ""));
  const purge = vi.spyOn(api, "delete").mockImplementation(() => Promise.resolve({} as never));
  shown(<Bin />, "ROLE_ADMIN");
  await until(() => {
    expect(buttons(zh.datasets.purge)).toHaveLength(1);
  });
  buttons(zh.datasets.purge)[0]?.click();
  await until(() => {
    expect(document.body.textContent).toContain(zh.datasets.purgeConfirm);
  });
  expect(document.body.textContent).toContain(`${zh.datasets.purge} · panels/line-1.7`);
  expect(purge).not.toHaveBeenCalled();
  buttons(zh.datasets.purge).at(-1)?.click();
  await until(() => {
    expect(purge).toHaveBeenCalledTimes(1);
  });
  expect(purge.mock.calls[0]).toEqual([
    "/v1/datasets/{dataset}/deletedPaths/{deletedPath}",
    { path: { dataset: "panels", deletedPath: "line-1.7" } },
  ]);
});

it.each<[string, Role, number]>([
  ["users/li", "ROLE_ENGINEER", 1],
  ["users/wang", "ROLE_ENGINEER", 0],
  ["", "ROLE_ENGINEER", 1],
  ["", "ROLE_VIEWER", 0],
  ["users/wang", "ROLE_ADMIN", 1],
])("a path of %j offers %s what its owner and administrators may do", async (owner, role, offered) => {
  shown(<PathActions path={path("line-1", owner)} />, role);
  await until(() => {
    expect(document.getElementById("shown")).not.toBeNull();
  });
  expect(buttons(zh.common.delete)).toHaveLength(offered);
  expect(buttons(zh.datasets.setOwner)).toHaveLength(offered);
});
