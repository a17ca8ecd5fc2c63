import { Tag } from "antd";
import type { ReactNode } from "react";
import type { Schemas } from "../api/client";

/** How many images each code has. */
export function CodeCounts({ counts }: { counts: readonly Schemas["CodeCount"][] }): ReactNode {
  return (
    <div className="codes">
      {counts.map(({ code, sampleCount }) => (
        <Tag key={code}>
          {code} {sampleCount}
        </Tag>
      ))}
    </div>
  );
}
