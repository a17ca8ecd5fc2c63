import type { ReactNode } from "react";

/** Scrolls sideways what is wider than its place; it takes the focus, so that the arrow keys scroll it as well. */
export function ScrollRegion({ label, children }: { label: string; children: ReactNode }): ReactNode {
  return (
    <div className="scroll-region" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}
