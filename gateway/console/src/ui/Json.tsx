import { Typography } from "antd";
import type { ReactNode } from "react";

/** Shows a JSON value. */
export function Json({ title, value }: { title: string; value: unknown }): ReactNode {
  if (value === undefined) return null;
  return (
    <section>
      <Typography.Title level={5}>{title}</Typography.Title>
      <pre className="log" tabIndex={0} role="region" aria-label={title} style={{ height: "auto", maxHeight: 320 }}>
        {JSON.stringify(value, undefined, 2)}
      </pre>
    </section>
  );
}
