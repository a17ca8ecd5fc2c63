/**
 * Replaces the component library's own measurement, which writes a style that the page's security policy refuses.
 * `vite.config.ts` puts it there.
 */
let known: { width: number; height: number } | undefined;

export default function getScrollBarSize(): number {
  return measured().width;
}

export function getTargetScrollBarSize(): { width: number; height: number } {
  return measured();
}

function measured(): { width: number; height: number } {
  if (!known) {
    const box = document.createElement("div");
    Object.assign(box.style, { position: "absolute", width: "100px", height: "100px", overflow: "scroll" });
    document.body.appendChild(box);
    known = { width: box.offsetWidth - box.clientWidth, height: box.offsetHeight - box.clientHeight };
    box.remove();
  }
  return known;
}
