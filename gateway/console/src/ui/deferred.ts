import { lazy, type ComponentType, type LazyExoticComponent } from "react";
import { whenReachable } from "../api/reach";

/** The server answers but no longer has the script: a new build was installed after the page was opened. */
export class NewBuild extends Error {}

/** Like `lazy`, but a script that cannot be fetched is fetched again when the server is reachable. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as lazy has it: whatever the part takes
export function deferred<C extends ComponentType<any>>(load: () => Promise<{ default: C }>): LazyExoticComponent<C> {
  return lazy(() =>
    load().catch(async () => {
      await whenReachable();
      return load().catch((error: unknown) => {
        throw new NewBuild(String(error));
      });
    }),
  );
}

/** Resolves when the browser is idle: for parts of a page that are not needed first. */
export function whenIdle(): Promise<void> {
  return new Promise((done) => {
    // Safari does not have it.
    if ("requestIdleCallback" in window) requestIdleCallback(() => { done(); }, { timeout: 2000 });
    else setTimeout(done, 300);
  });
}
