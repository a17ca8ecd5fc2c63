/**
 * What each augmentation does to a picture (W10), as `services/trainer/training/augment.py` does it; a test of the
 * trainer's holds these figures against that file's.
 */

/** `scale` zooms both axes by one factor in 1/1.15..1.15. */
export const SCALE = 1.15;
/** `random` zooms each axis by a factor of its own in 1/1.4..1.4, and flips either axis. */
export const RANDOM_SCALE = 1.4;
/** `colour`: hue ±0.03 of a turn, saturation and value ±30 %. */
export const HUE_TURNS = 0.03;
export const SATURATION = 0.3;
export const VALUE = 0.3;

export type Kind = "AUGMENTATION_COLOUR" | "AUGMENTATION_SCALE" | "AUGMENTATION_FLIP" | "AUGMENTATION_RANDOM";

/** RGBA, row by row, as a canvas has it. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** One draw: how far each change goes. Every number is in -1..1. */
export interface Draw {
  hue: number;
  saturation: number;
  value: number;
  across: number;
  down: number;
  flip: boolean;
  upsideDown: boolean;
}

export function randomDraw(random: () => number = Math.random): Draw {
  const either = () => 2 * random() - 1;
  return {
    hue: either(),
    saturation: either(),
    value: either(),
    across: either(),
    down: either(),
    flip: random() < 0.5,
    upsideDown: random() < 0.5,
  };
}

/** The picture after one augmentation alone. */
export function augmented(pixels: Pixels, kind: Kind, draw: Draw): Pixels {
  switch (kind) {
    case "AUGMENTATION_COLOUR":
      return coloured(pixels, draw);
    case "AUGMENTATION_SCALE":
      return resampled(pixels, SCALE ** draw.across, SCALE ** draw.across, false, false);
    case "AUGMENTATION_FLIP":
      return resampled(pixels, 1, 1, draw.flip, false);
    case "AUGMENTATION_RANDOM":
      return resampled(pixels, RANDOM_SCALE ** draw.across, RANDOM_SCALE ** draw.down, draw.flip, draw.upsideDown);
  }
}

/** Turns RGB about the grey axis (Rodrigues), then scales saturation and value. */
function coloured({ width, height, data }: Pixels, draw: Draw): Pixels {
  const angle = 2 * Math.PI * HUE_TURNS * draw.hue;
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle) / Math.sqrt(3)];
  const grey = (1 - cosine) / 3;
  const [own, next, last] = [cosine + grey, grey - sine, grey + sine];
  const saturation = 1 + SATURATION * draw.saturation;
  const value = 1 + VALUE * draw.value;
  const changed = new Uint8ClampedArray(data.length);
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = [data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0];
    const turned = [
      own * red + next * green + last * blue,
      last * red + own * green + next * blue,
      next * red + last * green + own * blue,
    ];
    const top = Math.max(...turned);
    for (const [channel, part] of turned.entries()) changed[at + channel] = (top + (part - top) * saturation) * value;
    changed[at + 3] = data[at + 3] ?? 255;
  }
  return { width, height, data: changed };
}

/** Zoomed about its middle and perhaps flipped; what comes into view beyond the edge is mirrored. */
function resampled(
  { width, height, data }: Pixels,
  across: number,
  down: number,
  flip: boolean,
  upsideDown: boolean,
): Pixels {
  const changed = new Uint8ClampedArray(data.length);
  const from = (at: number, size: number, zoom: number, mirrored: boolean) => {
    const centred = ((at + 0.5 - size / 2) / zoom) * (mirrored ? -1 : 1);
    return reflected(centred + size / 2, size) - 0.5;
  };
  for (let y = 0; y < height; y += 1) {
    const v = from(y, height, down, upsideDown);
    for (let x = 0; x < width; x += 1) {
      const u = from(x, width, across, flip);
      for (let channel = 0; channel < 4; channel += 1) {
        changed[(y * width + x) * 4 + channel] = between(data, width, height, u, v, channel);
      }
    }
  }
  return { width, height, data: changed };
}

function reflected(at: number, size: number): number {
  const period = 2 * size;
  const within = ((at % period) + period) % period;
  return within > size ? period - within : within;
}

/** Bilinear. */
function between(
  data: Uint8ClampedArray,
  width: number,
  height: number,
  u: number,
  v: number,
  channel: number,
): number {
  const [left, top] = [Math.floor(u), Math.floor(v)];
  const [right, below] = [u - left, v - top];
  const at = (x: number, y: number) =>
    data[(Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x))) * 4 + channel] ?? 0;
  return (
    (at(left, top) * (1 - right) + at(left + 1, top) * right) * (1 - below) +
    (at(left, top + 1) * (1 - right) + at(left + 1, top + 1) * right) * below
  );
}
