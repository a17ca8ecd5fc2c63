"""A report as one HTML page without scripts and without other files, in English and Chinese."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor

from jinja2 import Environment, PackageLoader, StrictUndefined
from loupe.looks import described
from loupe.translation import Sentence, sentence

from services import look_messages
from services.evaluator.domain.definitions import DEFINITIONS, Definition
from services.evaluator.domain.metrics import Interval, MeasuredReport, ThresholdPoint, ThresholdView
from services.evaluator.domain.report import ReportKind, StoredSample
from services.evaluator.wire.charts import HEIGHT, WIDTH, Axis, Chart, Line, svg_path

_TARGETS = (0.9, 0.95, 0.98, 0.99, 0.995)
"""Accuracies that the page looks up a threshold for."""


def _percent(share: float | None) -> str:
    # A no-break space, so that no line begins with a percent sign.
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
class WorkingPoint:
    """The lowest threshold at which the samples kept reach an accuracy; None if there is none."""

    accuracy: float
    threshold: float | None
    to_human: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the confusion matrix."""

    count: int
    share: float
    """Of the samples in its row."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the confusion matrix: the samples of one true code."""

    code: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A misjudged sample; `jpeg` is None if its picture cannot be shown."""

    sample: StoredSample
    jpeg: bytes | None

    @property
    def data_url(self) -> str:
        """The picture as a data URL."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg or b'').decode()}"


@dataclass(frozen=True, slots=True)
class Gallery:
    """The misjudged samples of a code that the page shows, and the number of all."""

    code: str
    misjudged: int
    pictures: tuple[Picture, ...]

    @property
    def left_out(self) -> int:
        """How many misjudged samples the page does not show."""
        return self.misjudged - len(self.pictures)


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The data of the page."""

    measured: MeasuredReport
    thresholds: ThresholdView
    galleries: Sequence[Gallery]
    language: str = "en"
    definitions: Mapping[str, Definition] = field(
        default_factory=lambda: {definition.id: definition for definition in DEFINITIONS}
    )

    def html(self) -> str:
        """The page. The template engine escapes all texts."""
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
            share_axis=Axis(*sentence("share that goes to a human"), in_percent=True),
            threshold_axis=Axis(*sentence("confidence threshold"), in_percent=False),
        )

    @property
    def confusion(self) -> list[Row]:
        """The confusion matrix, a row for each true code."""
        codes = self.measured.report.header.code_list
        return [
            Row(code, tuple(Cell(count, count / max(sum(counts), 1)) for count in counts))
            for code, counts in zip(codes, self.measured.metrics.confusion, strict=True)
        ]

    @property
    def looks(self) -> list[Sentence]:
        """Of which look at the validation split the weights are, a sentence a network (E4)."""
        value = look_messages.to_message(self.measured.report.header.looks)
        return [] if value is None else described(value)

    @property
    def trade_off(self) -> Chart:
        """Accuracy of the samples kept over the share that goes to a human."""
        points = [point for point in self.thresholds.overall if point.precision is not None]
        accuracies = [point.precision or 0.0 for point in points]
        low = min(floor(min(accuracies, default=0.0) * 10) / 10, 0.9)
        line = Line("accuracy", svg_path([point.to_human or 0.0 for point in points], accuracies, low))
        return Chart((line,), low)

    @property
    def code_charts(self) -> list[Chart]:
        """Precision, recall and share to a human over the threshold, for every code that occurs."""
        return [
            Chart(
                tuple(
                    Line(
                        kind,
                        svg_path(self.thresholds.thresholds, [getattr(point, kind) for point in points], 0.0),
                    )
                    for kind in ("to_human", "recall", "precision")
                ),
                title=code.code,
                support=code.support,
            )
            for code, points in zip(self.measured.metrics.per_code, self.thresholds.per_code, strict=True)
            if code.support
        ]

    @property
    def working_points(self) -> list[WorkingPoint]:
        """The working points for the target accuracies that the model does not reach without a threshold."""
        points = list(zip(self.thresholds.thresholds, self.thresholds.overall, strict=True))
        accuracy = self.measured.metrics.accuracy
        return [
            _working_point(target, points)
            for target in _TARGETS
            if accuracy is not None and target > accuracy
        ]


def _working_point(target: float, points: Sequence[tuple[float, ThresholdPoint]]) -> WorkingPoint:
    for threshold, point in points:
        if point.precision is not None and point.precision >= target:
            return WorkingPoint(target, threshold, point.to_human)
    return WorkingPoint(target, None, None)
