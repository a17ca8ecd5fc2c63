"""Line charts as SVG paths, for the HTML page of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 240, 150
"""Of a plot in px, without its axes."""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a chart."""

    kind: str
    """The CSS class of the curve."""
    path: str
    """In SVG syntax."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over a plot of WIDTH × HEIGHT; y from `low` at the bottom to 1 at the top, x from 0 to 1."""

    lines: tuple[Line, ...]
    low: float = 0.0
    title: str = ""
    support: int = 0

    @property
    def ticks(self) -> list[tuple[float, float]]:
        """Positions on the y axis in px, and their values."""
        return [(HEIGHT * (1 - part / 4), self.low + (1 - self.low) * part / 4) for part in range(5)]


@dataclass(frozen=True, slots=True)
class Axis:
    """The x axis: its title and the format of its values."""

    en: str
    zh: str
    in_percent: bool

    def tick(self, quarter: int) -> str:
        """The label after that many quarters of the axis."""
        return f"{25 * quarter} %" if self.in_percent else f"{quarter / 4:g}"


def svg_path(xs: Sequence[float], ys: Sequence[float | None], low: float) -> str:
    """An SVG path through the points; a gap where y is None."""
    parts: list[str] = []
    drawing = False
    for x, y in zip(xs, ys, strict=True):
        if y is not None:
            parts.append(
                f"{'L' if drawing else 'M'}{x * WIDTH:.1f} {(1 - (y - low) / (1 - low)) * HEIGHT:.1f}"
            )
        drawing = y is not None
    return "".join(parts)
