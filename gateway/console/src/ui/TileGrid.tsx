import { memo, useCallback, useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import type { WindowedQuery } from "../api/useWindowedQuery";
import { useVisibleRows } from "./useVisibleRows";

const TILE_PX = 132;
const GAP_PX = 10;
const ROW_PX = 150;
/** Rows that are drawn outside the window, on each side. */
const BEYOND = 1;
const REST_MS = 120;

interface Props<T> {
  items: WindowedQuery<T>;
  onOpen: (index: number) => void;
  children: (item: T) => ReactNode;
}

/** A grid of pictures. Only those in the window are drawn and loaded. Arrow keys move the focus, Enter opens. */
export function TileGrid<T>({ items, onOpen, children }: Props<T>): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const [columns, setColumns] = useState(6);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const measured = new ResizeObserver(() => {
      setColumns(Math.max(1, Math.floor((element.clientWidth + GAP_PX) / (TILE_PX + GAP_PX))));
    });
    measured.observe(element);
    return () => {
      measured.disconnect();
    };
  }, []);
  // One row more than is known, so that people can scroll to rows that are not loaded yet.
  const rows = Math.ceil(items.known / columns) + (items.hasMore ? 1 : 0);
  const [first, end] = useVisibleRows(box, ROW_PX + GAP_PX, rows, BEYOND);
  const { show } = items;
  useEffect(() => {
    show(first * columns, end * columns);
  }, [show, first, end, columns, items.known]);
  const move = useCallback(
    (event: KeyboardEvent<HTMLElement>, index: number) => {
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      box.current?.querySelector<HTMLElement>(`[data-index="${index + by}"]`)?.focus();
    },
    [columns],
  );
  const shown = Array.from(
    { length: Math.max(0, Math.min(items.known, end * columns) - first * columns) },
    (_, index) => first * columns + index,
  );
  return (
    <div ref={box} className="tiles" style={{ height: Math.max(1, rows) * (ROW_PX + GAP_PX) }}>
      <div className="gallery" style={{ transform: `translateY(${first * (ROW_PX + GAP_PX)}px)` }}>
        {shown.map((index) => (
          <Tile
            key={index}
            index={index}
            item={items.at(index)}
            onOpen={onOpen}
            onMove={move}
            draw={children as (item: unknown) => ReactNode}
          />
        ))}
      </div>
    </div>
  );
}

interface TileProps {
  index: number;
  item: unknown;
  onOpen: (index: number) => void;
  onMove: (event: KeyboardEvent<HTMLElement>, index: number) => void;
  draw: (item: unknown) => ReactNode;
}

/** Memoised: scrolling does not render it again. */
const Tile = memo(function Tile({ index, item, onOpen, onMove, draw }: TileProps): ReactNode {
  return (
    <button
      type="button"
      className="tile"
      data-index={index}
      aria-label={item === undefined ? "…" : undefined}
      disabled={item === undefined}
      onClick={() => {
        onOpen(index);
      }}
      onKeyDown={(event) => {
        onMove(event, index);
      }}
    >
      {item !== undefined && draw(item)}
    </button>
  );
});

/** A tile's picture; its alternative text in its place where it cannot be had. */
export function Thumbnail({ src, alt }: { src: string; alt: string }): ReactNode {
  return <Picture key={src} src={src} alt={alt} />;
}

/** Requested when the tile stays in the window for a moment, not while people scroll past; tried again once. */
function Picture({ src, alt }: { src: string; alt: string }): ReactNode {
  const picture = useRef<HTMLImageElement>(null);
  const told = useRef<HTMLSpanElement>(null);
  const [isSecond, setIsSecond] = useState(false);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    const image = picture.current;
    const timer = setTimeout(() => {
      if (image) image.src = src;
    }, REST_MS);
    return () => {
      clearTimeout(timer);
      // What is out of sight is not waited for: its request would keep the others waiting.
      image?.removeAttribute("src");
    };
  }, [src, isSecond]);
  useEffect(() => {
    if (!failed || isSecond || !told.current) return;
    let left = false;
    const sight = new IntersectionObserver((changes) => {
      const isSeen = changes.at(-1)?.isIntersecting === true;
      if (isSeen && left) {
        setIsSecond(true);
        setFailed(false);
      }
      left ||= !isSeen;
    });
    sight.observe(told.current);
    return () => {
      sight.disconnect();
    };
  }, [failed, isSecond]);
  if (failed) {
    return (
      <span ref={told} className="tile-lost">
        {alt}
      </span>
    );
  }
  return (
    <img
      ref={picture}
      className="tile-picture"
      decoding="async"
      alt={alt}
      onError={() => {
        setFailed(true);
      }}
    />
  );
}
