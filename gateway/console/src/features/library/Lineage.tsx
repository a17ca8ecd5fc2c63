import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { lastPart } from "../../api/names";

type Version = Schemas["ModelVersion"];

export interface Placed {
  name: string;
  label: string;
  column: number;
  row: number;
  parent: string;
}

/** Versions in columns by their distance from a version without a parent here, a row for each branch. */
export function place(versions: readonly Version[]): Placed[] {
  const known = new Map(versions.map((version) => [version.name, version]));
  const children = new Map<string, Version[]>();
  const roots: Version[] = [];
  for (const version of [...versions].reverse()) {
    if (known.has(version.parentVersion)) {
      children.set(version.parentVersion, [...(children.get(version.parentVersion) ?? []), version]);
    } else {
      roots.push(version);
    }
  }
  const placed: Placed[] = [];
  let row = 0;
  const put = (version: Version, column: number) => {
    placed.push({
      name: version.name,
      label: lastPart(version.name),
      column,
      row,
      parent: known.has(version.parentVersion) ? version.parentVersion : "",
    });
    (children.get(version.name) ?? []).forEach((child, index) => {
      if (index > 0) row += 1;
      put(child, column + 1);
    });
  };
  for (const root of roots) {
    put(root, 0);
    row += 1;
  }
  return placed;
}

const WIDTH = 118;
const HEIGHT = 56;
const BOX = { width: 84, height: 32 };

/** Which version was retrained from which, as a picture. */
export function Lineage({ versions, onOpen }: { versions: Version[]; onOpen: (name: string) => void }): ReactNode {
  const placed = place(versions);
  const at = new Map(placed.map((item) => [item.name, item]));
  const width = Math.max(...placed.map((item) => item.column + 1), 1) * WIDTH + 20;
  const height = Math.max(...placed.map((item) => item.row + 1), 1) * HEIGHT + 10;
  return (
    <div style={{ overflow: "auto" }}>
      <svg className="lineage" width={width} height={height} role="group">
        {placed.map((item) => {
          const parent = at.get(item.parent);
          if (!parent) return null;
          const [x1, y1] = [parent.column * WIDTH + 10 + BOX.width, parent.row * HEIGHT + 10 + BOX.height / 2];
          const [x2, y2] = [item.column * WIDTH + 10, item.row * HEIGHT + 10 + BOX.height / 2];
          const middle = (x1 + x2) / 2;
          return <path key={item.name} d={`M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`} />;
        })}
        {placed.map((item) => (
          <a
            key={item.name}
            href={`#${item.label}`}
            onClick={(event) => {
              event.preventDefault();
              onOpen(item.name);
            }}
          >
            <rect x={item.column * WIDTH + 10} y={item.row * HEIGHT + 10} rx={6} {...BOX} />
            <text
              x={item.column * WIDTH + 10 + BOX.width / 2}
              y={item.row * HEIGHT + 30}
              textAnchor="middle"
            >
              {item.label}
            </text>
          </a>
        ))}
      </svg>
    </div>
  );
}
