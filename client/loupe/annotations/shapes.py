"""What annotators draw, and the pixels it covers.

A pixel belongs to a shape if its centre lies inside: pixel (x, y) has its centre at (x + 0.5, y + 0.5), and a
box from 2 to 5 covers the pixels 2, 3 and 4. So an area has no bias, which filling with the outline has.
Arrays are (H, W) uint8; points are (x, y) in pixels from the upper left corner, as in all three formats.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Canvas = NDArray[np.uint8]
Point = tuple[float, float]
Bounds = tuple[float, float, float, float]
"""Left, top, right, bottom."""
MAX_PIXELS = 80_000_000
"""The registry's limit; it refuses a larger picture or mask."""
EDGE_COST = 2000
"""An edge of a polygon takes as long as so many pixels of an area."""


@contextmanager
def opened_image(file: IO[bytes], *formats: str) -> Iterator[Image.Image]:
    """An image of one of these formats; whatever Pillow raises.

    Of a file on disk, Pillow allocates what a chunk says of its length: pass the bytes to decode them.
    Without its warnings, which would stand on the terminal between the lines of the report and name no file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file, formats=list(formats)) as image:
            yield image


class Shape(Protocol):
    """Something with an extent that can be painted."""

    @property
    def bounds(self) -> Bounds:
        """The smallest box around it, wherever it lies."""
        ...

    @property
    def extent(self) -> Bounds:
        """The smallest box around the coordinates that were written, without the width of a line."""
        return self.bounds

    @property
    def frame(self) -> tuple[int, int] | None:
        """Width and height of the picture that it was made for, if it says so."""
        return None

    def cost(self, width: int, height: int) -> float:
        """About how many pixels are touched to paint it on a canvas of that size."""
        left, top, right, bottom = self.bounds
        across = max(0.0, min(right, width) - max(left, 0)) + 1
        return across * (max(0.0, min(bottom, height) - max(top, 0)) + 1)

    def check(self) -> None:
        """Raise what `paint` would; called where `cost` is borne."""
        return

    def paint(self, canvas: Canvas, value: int) -> None:
        """Set the pixels that it covers; what lies outside of the canvas is cut off."""
        ...


@dataclass(frozen=True, slots=True)
class Polygon(Shape):
    """A closed line; inside by the even-odd rule.

    One so small that it covers no pixel's centre marks the pixels of its corners.
    """

    points: tuple[Point, ...]

    @property
    def bounds(self) -> Bounds:
        """Of its points."""
        return _bounds(self.points)

    def cost(self, width: int, height: int) -> float:
        """Its box, and the rows that its edges cross."""
        ys = [min(max(y, 0), height) for _, y in self.points]
        rows = sum(abs(y1 - y0) for y0, y1 in zip(ys, (*ys[1:], ys[0]), strict=True))
        # `super()` without arguments does not find the class that `slots` makes.
        return Shape.cost(self, width, height) + rows + EDGE_COST * len(self.points)

    def paint(self, canvas: Canvas, value: int) -> None:
        """Toggle each row at every edge it crosses; an odd number of edges to the left means inside."""
        height, width = canvas.shape
        left, top, right, bottom = self.bounds
        # Clipped before anything is allocated: a point may be anywhere.
        first_x, last_x = (int(min(max(math.floor(x), 0), width)) for x in (left, right + 1))
        first_y, last_y = (int(min(max(math.floor(y), 0), height)) for y in (top, bottom + 1))
        if first_x >= last_x or first_y >= last_y:
            return
        crossings = np.zeros((last_y - first_y, last_x - first_x + 1), np.uint16)
        for (x0, y0), (x1, y1) in zip(self.points, (*self.points[1:], self.points[0]), strict=True):
            if y0 == y1:
                continue
            (x_up, y_up), (x_down, y_down) = ((x0, y0), (x1, y1)) if y0 < y1 else ((x1, y1), (x0, y0))
            # The rows whose centre is in [y_up, y_down): a corner counts for one of its two edges.
            start = max(math.ceil(max(y_up, first_y) - 0.5), first_y)
            stop = min(math.ceil(min(y_down, last_y) - 0.5), last_y)
            if start >= stop:
                continue
            centres = np.arange(start, stop) + 0.5
            x = x_up + (centres - y_up) * ((x_down - x_up) / (y_down - y_up))
            columns = np.ceil(np.clip(x, first_x, last_x) - 0.5).astype(np.int64) - first_x
            crossings[np.arange(start, stop) - first_y, np.clip(columns, 0, None)] += 1
        inside = (np.cumsum(crossings, axis=1, dtype=np.uint16) & 1).astype(bool)[:, :-1]
        if inside.any():
            canvas[first_y:last_y, first_x:last_x][inside] = value
            return
        for corner_x, corner_y in self.points:
            if 0 <= corner_x < width and 0 <= corner_y < height:
                canvas[int(corner_y), int(corner_x)] = value


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    """An upright rectangle."""
    return Polygon(((left, top), (right, top), (right, bottom), (left, bottom)))


@dataclass(frozen=True, slots=True)
class Circle(Shape):
    """A disc."""

    centre: Point
    radius: float
    edge: Point | None = None
    """The point on it that was written, if one was."""

    @property
    def bounds(self) -> Bounds:
        """Centre and radius."""
        (x, y), r = self.centre, self.radius
        return (x - r, y - r, x + r, y + r)

    @property
    def extent(self) -> Bounds:
        """Of the points that were written: a disc at the picture's edge reaches beyond it."""
        return _bounds((self.centre, self.edge or self.centre))

    def paint(self, canvas: Canvas, value: int) -> None:
        """Pixels by the distance of their centre; the pixel of the centre at least."""
        height, width = canvas.shape
        left, top, right, bottom = self.bounds
        first_x, last_x = (int(min(max(math.floor(x), 0), width)) for x in (left, right + 1))
        first_y, last_y = (int(min(max(math.floor(y), 0), height)) for y in (top, bottom + 1))
        if first_x >= last_x or first_y >= last_y:
            return
        x, y = self.centre
        columns, rows = np.arange(first_x, last_x) + 0.5 - x, np.arange(first_y, last_y) + 0.5 - y
        inside = columns[None, :] ** 2 + rows[:, None] ** 2 <= self.radius**2
        canvas[first_y:last_y, first_x:last_x][inside] = value
        if 0 <= x < width and 0 <= y < height:
            canvas[int(y), int(x)] = value


@dataclass(frozen=True, slots=True)
class Stroke(Shape):
    """A line of a width, with round ends."""

    points: tuple[Point, ...]
    width_px: float

    @property
    def bounds(self) -> Bounds:
        """Of the line itself: that its width reaches over the picture's edge is no fault."""
        return _bounds(self.points)

    def paint(self, canvas: Canvas, value: int) -> None:
        """A rectangle for each piece and a disc at each joint."""
        for part in self._parts():
            part.paint(canvas, value)

    def cost(self, width: int, height: int) -> float:
        """That of its parts."""
        return sum(part.cost(width, height) for part in self._parts())

    def _parts(self) -> Iterator[Shape]:
        half = self.width_px / 2
        for x, y in self.points:
            yield Circle((x, y), half)
        for (x0, y0), (x1, y1) in zip(self.points, self.points[1:], strict=False):
            length = math.hypot(x1 - x0, y1 - y0)
            if length > 0:
                dx, dy = -(y1 - y0) / length * half, (x1 - x0) / length * half
                yield Polygon(
                    ((x0 + dx, y0 + dy), (x1 + dx, y1 + dy), (x1 - dx, y1 - dy), (x0 - dx, y0 - dy))
                )


@dataclass(frozen=True, slots=True)
class RunLengths(Shape):
    """COCO's run lengths: column by column, background first; already checked to fill the picture."""

    width: int
    height: int
    counts: NDArray[np.int64]

    @property
    def frame(self) -> tuple[int, int]:
        """As the annotation says."""
        return (self.width, self.height)

    @property
    def bounds(self) -> Bounds:
        """The picture's."""
        return (0, 0, self.width, self.height)

    def paint(self, canvas: Canvas, value: int) -> None:
        """Every other run, without touching the pixels between."""
        ends = np.cumsum(self.counts)[1::2]
        lengths = self.counts[1::2]
        # Each marked pixel's place: its run's begin, and how far it is in the run.
        firsts = ends - lengths - (np.cumsum(lengths) - lengths)
        places = np.repeat(firsts, lengths) + np.arange(lengths.sum())
        canvas[places % self.height, places // self.height] = value

    def cost(self, _width: int, _height: int) -> float:
        """The marked pixels, each of which is looked up, and the runs."""
        return 4.0 * float(self.counts[1::2].sum()) + len(self.counts)


def area_px(shapes: Sequence[Shape], width: int, height: int) -> int:
    """How many pixels they cover together."""
    canvas = np.zeros((height, width), np.uint8)
    for shape in shapes:
        shape.paint(canvas, 1)
    return int(np.count_nonzero(canvas))


def _bounds(points: Sequence[Point]) -> Bounds:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))
