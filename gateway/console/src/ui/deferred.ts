import { lazy, type ComponentType, type LazyExoticComponent } from "react";
import { whenReachable } from "../api/reach";

/** A part's file is gone from a server that answers: the console was built anew since the page was opened. */
export class NewBuild extends Error {}

/** As `lazy`; a line that is down for a moment only delays: the part is fetched again once the server answers. */
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

/** Once the browser has nothing better to do: for parts that what is looked at first does not wait for. */
export function whenIdle(): Promise<void> {
  return new Promise((done) => {
    // Not in Safari.
    if ("requestIdleCallback" in window) requestIdleCallback(() => { done(); }, { timeout: 2000 });
    else setTimeout(done, 300);
  });
}
