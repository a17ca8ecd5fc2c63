"""A report as one HTML page: no script, no other file, English and Chinese, light and dark."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.evaluator.application.reports import MeasuredReport
from services.evaluator.domain.definitions import DEFINITIONS, Definition
from services.evaluator.domain.metrics import Interval, ThresholdPoint, ThresholdView
from services.evaluator.domain.report import ReportKind, StoredSample

WIDTH, HEIGHT = 240, 150
"""Of a chart's plot, without its axes."""
_TARGETS = (0.9, 0.95, 0.98, 0.99, 0.995)
"""Accuracies that people ask for."""


def _percent(share: float | None) -> str:
    # A no-break space: a line must not begin with a per cent sign.
    return "–" if share is None else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


_pages = Environment(
    loader=PackageLoader("services.evaluator", "wire"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters["percent"] = _percent


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a chart: what it shows and its SVG path."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over a plot of WIDTH × HEIGHT; y from `low` at the bottom to 1 at the top, x from 0 to 1."""

    lines: tuple[Line, ...]
    low: float = 0.0
    title: str = ""
    support: int = 0

    @property
    def ticks(self) -> list[tuple[float, float]]:
        """Heights in the plot and their values."""
        return [(HEIGHT * (1 - part / 4), self.low + (1 - self.low) * part / 4) for part in range(5)]


@dataclass(frozen=True, slots=True)
class Axis:
    """What x is, and how its values are written."""

    en: str
    zh: str
    in_percent: bool

    def tick(self, quarter: int) -> str:
        """The value after so many quarters."""
        return f"{25 * quarter} %" if self.in_percent else f"{quarter / 4:g}"


@dataclass(frozen=True, slots=True)
class WorkingPoint:
    """The least that a human must see for an accuracy of the rest."""

    accuracy: float
    threshold: float | None
    to_human: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the confusion matrix."""

    count: int
    share: float
    """Of its row."""


@dataclass(frozen=True, slots=True)
class Row:
    """A code of the confusion matrix."""

    code: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A misjudged sample; without bytes where its picture cannot be shown."""

    sample: StoredSample
    jpeg: bytes | None

    @property
    def data_url(self) -> str:
        """What an <img> shows."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg or b'').decode()}"


@dataclass(frozen=True, slots=True)
class Gallery:
    """The misjudged samples of a code that the page shows, and how many there are."""

    code: str
    misjudged: int
    pictures: tuple[Picture, ...]

    @property
    def left_out(self) -> int:
        """Misjudged samples that the page does not show."""
        return self.misjudged - len(self.pictures)


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Everything that the page shows."""

    measured: MeasuredReport
    thresholds: ThresholdView
    galleries: Sequence[Gallery]
    language: str = "en"
    definitions: Mapping[str, Definition] = field(
        default_factory=lambda: {definition.id: definition for definition in DEFINITIONS}
    )

    def html(self) -> str:
        """The page; every text from outside is escaped."""
        return _pages.get_template("report_page.html.jinja").render(
            page=self,
            report=self.measured.report,
            header=self.measured.report.header,
            overlap=self.measured.report.header.training_overlap,
            counts=self.measured.report.counts,
            metrics=self.measured.metrics,
            segmentation=self.measured.segmentation,
            validation=self.measured.report.header.kind is ReportKind.VALIDATION,
            width=WIDTH,
            height=HEIGHT,
            whole=Interval(0.0, 1.0),
            share_axis=Axis("share that goes to a human", "转人工比例", in_percent=True),
            threshold_axis=Axis("confidence threshold", "置信度阈值", in_percent=False),
        )

    @property
    def majority(self) -> float | None:
        """Accuracy of always naming the commonest code."""
        metrics = self.measured.metrics
        if not metrics.samples:
            return None
        return max(code.support for code in metrics.per_code) / metrics.samples

    @property
    def confusion(self) -> list[Row]:
        """Rows of true codes."""
        codes = self.measured.report.header.code_list
        return [
            Row(code, tuple(Cell(count, count / max(sum(counts), 1)) for count in counts))
            for code, counts in zip(codes, self.measured.metrics.confusion.tolist(), strict=True)
        ]

    @property
    def trade_off(self) -> Chart:
        """Accuracy of what the model keeps over the share that goes to a human."""
        points = [its for its in self.thresholds.overall if its.precision is not None]
        accuracies = [its.precision or 0.0 for its in points]
        low = min(floor(min(accuracies, default=0.0) * 10) / 10, 0.9)
        line = Line("accuracy", _path([its.to_human or 0.0 for its in points], accuracies, low))
        return Chart((line,), low)

    @property
    def code_charts(self) -> list[Chart]:
        """Precision, recall and share to a human over the threshold, for every code that occurs."""
        return [
            Chart(
                tuple(
                    Line(kind, _path(self.thresholds.thresholds, [getattr(its, kind) for its in points], 0.0))
                    for kind in ("to_human", "recall", "precision")
                ),
                title=code.code,
                support=code.support,
            )
            for code, points in zip(self.measured.metrics.per_code, self.thresholds.per_code, strict=True)
            if code.support or code.predicted
        ]

    @property
    def working_points(self) -> list[WorkingPoint]:
        """For accuracies that people ask for, from the first that the model does not reach by itself."""
        points = list(zip(self.thresholds.thresholds, self.thresholds.overall, strict=True))
        reached = self.measured.metrics.accuracy
        return [
            _working_point(target, points) for target in _TARGETS if reached is not None and target > reached
        ]


def _working_point(target: float, points: Sequence[tuple[float, ThresholdPoint]]) -> WorkingPoint:
    for threshold, its in points:
        if its.precision is not None and its.precision >= target:
            return WorkingPoint(target, threshold, its.to_human)
    return WorkingPoint(target, None, None)


def _path(xs: Sequence[float], ys: Sequence[float | None], low: float) -> str:
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
