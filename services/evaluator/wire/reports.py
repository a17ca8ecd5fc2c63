"""Reports between their values and `loupe.evaluator.v1`."""

from collections.abc import Sequence
from dataclasses import asdict

from loupe.errors import Violation
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.registry.v1 import model_pb2
from loupe.translation import Sentence

from services import look_messages
from services.evaluator.domain.definitions import DEFINITIONS
from services.evaluator.domain.errors import FilterInvalid, ReportInvalid
from services.evaluator.domain.listing import ReportFilter
from services.evaluator.domain.metrics import (
    DEFAULT_THRESHOLDS,
    CodeMetrics,
    Interval,
    MeasuredReport,
    Metrics,
    Segmentation,
    ThresholdPoint,
    ThresholdView,
)
from services.evaluator.domain.report import PixelCounts, ReportHeader, ReportKind, TrainingOverlap
from services.evaluator.wire.names import question_bank, report_id
from services.evaluator.wire.values import optional_enum

MAX_THRESHOLDS = 101

_DEFINITIONS = [report_pb2.Definition(**asdict(definition)) for definition in DEFINITIONS]


def report_filter(request: report_service_pb2.ListReportsRequest) -> ReportFilter:
    """The reports that a request asks for."""
    return ReportFilter(
        task=request.task,
        model_version=request.model_version,
        kind=optional_enum(ReportKind, request.kind, "kind"),
        comparable_with=report_id(request.comparable_with) if request.comparable_with else None,
        official=request.official,
        question_bank=question_bank(request.question_bank, "question_bank") if request.question_bank else "",
    )


def header_from(message: report_service_pb2.CreateReportRequest.Header) -> ReportHeader:
    """The header of a new report; ReportInvalid if it contradicts itself."""
    report = message.report
    if report.kind not in ReportKind._value2member_map_:
        raise ReportInvalid.of(
            Violation("header.report.kind", "INVALID", Sentence("must be VALIDATION or PREDICTION", ""))
        )
    return ReportHeader(
        job=message.job,
        fencing_token=message.fencing_token,
        kind=ReportKind(report.kind),
        task=report.task,
        model_version=report.model_version,
        weights_sha256=report.weights_sha256,
        code_list=tuple(report.code_list),
        num_of_classes=report.num_of_classes,
        confidence_threshold=report.confidence_threshold,
        images_per_s=report.images_per_s,
        data_paths=tuple(report.data_paths),
        training_overlap=_overlap_from(report.training_overlap)
        if report.HasField("training_overlap")
        else None,
        question_bank=report.question_bank,
        excluded_sample_count=report.excluded_sample_count,
        looks=look_messages.from_message(report),
        training_task=report.training_task,
    )


def _overlap_from(message: model_pb2.TrainingOverlap) -> TrainingOverlap:
    return TrainingOverlap(
        sample_count=message.sample_count,
        trained_sample_count=message.trained_sample_count,
        trained_group_count=message.trained_group_count,
        affected_sample_count=message.affected_sample_count,
    )


def report(measured: MeasuredReport, *, defined: bool = True) -> report_pb2.Report:
    """A report with its figures; `defined`: and with the definitions of its terms."""
    value, header, counts = measured.report, measured.report.header, measured.report.counts
    message = report_pb2.Report(
        name=value.name,
        kind=report_pb2.ReportKind.ValueType(header.kind),
        task=header.task,
        model_version=header.model_version,
        weights_sha256=header.weights_sha256,
        code_list=header.code_list,
        num_of_classes=header.num_of_classes,
        overall=overall(measured.metrics),
        codes=[
            _code_result(
                code,
                special=position >= header.num_of_classes,
                nonconforming=nonconforming,
                iou=measured.segmentation.per_code[position] if measured.segmentation else None,
            )
            for position, (code, nonconforming) in enumerate(
                zip(measured.metrics.per_code, counts.nonconforming_by_code, strict=True)
            )
        ],
        confusion=report_pb2.ConfusionMatrix(counts=counts.confusion, size=len(header.code_list)),
        nonconforming_count=counts.nonconforming_count,
        confidence_threshold=header.confidence_threshold,
        below_threshold_count=counts.below_threshold_count,
        images_per_s=header.images_per_s,
        data_paths=header.data_paths,
        segmentation=_segmentation(measured.segmentation, counts.pixel_sample_count),
        definitions=_DEFINITIONS if defined else (),
        training_overlap=_overlap(header.training_overlap),
        question_bank=header.question_bank,
        excluded_sample_count=header.excluded_sample_count,
        looks=look_messages.to_message(header.looks),
        training_task=header.training_task,
    )
    message.create_time.FromDatetime(value.create_time)
    return message


def _overlap(value: TrainingOverlap | None) -> model_pb2.TrainingOverlap | None:
    return None if value is None else model_pb2.TrainingOverlap(**asdict(value))


def overall(metrics: Metrics) -> report_pb2.Overall:
    """The figures over all samples."""
    return report_pb2.Overall(
        sample_count=metrics.samples,
        correct_count=metrics.correct,
        accuracy=_estimate(metrics.accuracy, metrics.accuracy_interval, metrics.correct, metrics.samples),
        macro_precision=metrics.macro_precision,
        macro_recall=metrics.macro_recall,
        macro_f1=metrics.macro_f1,
        majority_share=metrics.majority_share,
    )


def _segmentation(value: Segmentation | None, sample_count: int) -> report_pb2.Segmentation | None:
    if value is None:
        return None
    return report_pb2.Segmentation(
        sample_count=sample_count, defect=_iou(value.defect), mean_iou=value.mean_iou
    )


def _iou(value: PixelCounts) -> report_pb2.IntersectionOverUnion:
    return report_pb2.IntersectionOverUnion(
        value=value.iou, intersection=value.intersection, truth=value.truth, predicted=value.predicted
    )


def threshold_curves(view: ThresholdView, codes: Sequence[str]) -> report_pb2.ThresholdCurves:
    """The figures at each threshold; `codes` are those of the report."""
    return report_pb2.ThresholdCurves(
        thresholds=view.thresholds,
        overall=_curve("", view.overall),
        codes=[_curve(code, points) for code, points in zip(codes, view.per_code, strict=True)],
    )


def report_format(
    request: report_service_pb2.ExportReportRequest,
) -> report_service_pb2.ReportFormat.ValueType:
    """The format of an export; FilterInvalid for an unknown format or language."""
    if request.language not in {"", "en", "zh"}:
        raise FilterInvalid.of(
            Violation("language", "INVALID", Sentence(f"{request.language!r} is neither en nor zh", ""))
        )
    if request.format not in report_service_pb2.ReportFormat.values():
        raise FilterInvalid.of(
            Violation("format", "INVALID", Sentence(f"{request.format} is no ReportFormat", ""))
        )
    return request.format


def _curve(code: str, points: Sequence[ThresholdPoint]) -> report_pb2.ThresholdCurve:
    return report_pb2.ThresholdCurve(
        code=code,
        points=[
            report_pb2.ThresholdPoint(precision=point.precision, recall=point.recall, to_human=point.to_human)
            for point in points
        ],
    )


def thresholds_from(request: report_service_pb2.GetThresholdCurvesRequest) -> Sequence[float]:
    """The thresholds of a request, ascending; the default thresholds if it has none."""
    thresholds = sorted(set(request.thresholds)) or DEFAULT_THRESHOLDS
    if len(thresholds) > MAX_THRESHOLDS or not all(0 <= threshold <= 1 for threshold in thresholds):
        raise FilterInvalid.of(
            Violation(
                "thresholds", "INVALID", Sentence(f"must be at most {MAX_THRESHOLDS} numbers from 0 to 1", "")
            )
        )
    return thresholds


def _code_result(
    code: CodeMetrics, *, special: bool, nonconforming: int, iou: PixelCounts | None
) -> report_pb2.CodeResult:
    return report_pb2.CodeResult(
        code=code.code,
        special=special,
        support=code.support,
        precision=_estimate(code.precision, code.precision_interval, code.correct, code.predicted),
        recall=_estimate(code.recall, code.recall_interval, code.correct, code.support),
        f1=code.f1,
        misjudged_count=code.misjudged,
        nonconforming_count=nonconforming,
        iou=None if iou is None else _iou(iou),
    )


def _estimate(
    value: float | None, interval: Interval | None, numerator: int, denominator: int
) -> report_pb2.Estimate:
    # Without trials the share may have any value.
    bounds = interval or Interval(0.0, 1.0)
    return report_pb2.Estimate(
        value=value, low=bounds.low, high=bounds.high, numerator=numerator, denominator=denominator
    )
