"""Reports between their values and `loupe.evaluator.v1`."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from loupe.errors import Violation
from loupe.evaluator.v1 import report_pb2, report_service_pb2, sample_result_service_pb2
from loupe.registry.v1 import model_pb2

from services.evaluator.application import MeasuredReport
from services.evaluator.domain.definitions import DEFINITIONS
from services.evaluator.domain.errors import FilterInvalid, ReportInvalid, ReportNotFound
from services.evaluator.domain.listing import ReportFilter, SampleFilter, SampleOrder
from services.evaluator.domain.report import (
    CodeScore,
    DecidedBy,
    PixelCounts,
    ReportHeader,
    ReportKind,
    SampleResult,
    StoredSample,
    TrainingOverlap,
    Verdict,
)
from services.evaluator.measuring.metrics import (
    CodeMetrics,
    IntersectionOverUnion,
    Interval,
    Metrics,
    ThresholdPoint,
    ThresholdView,
)

MAX_THRESHOLDS = 101
DEFAULT_THRESHOLDS = (*(hundredth / 100 for hundredth in range(100)), 0.999)
"""A good model's confidences crowd near 1: 1.00 itself would send almost everything to a human."""

_DEFINITIONS = [
    report_pb2.Definition(
        id=its.id, term=its.term, term_zh=its.term_zh, meaning=its.meaning, meaning_zh=its.meaning_zh
    )
    for its in DEFINITIONS
]


def report_id(name: str) -> UUID:
    """The id in `reports/{report}`."""
    collection, _, text = name.partition("/")
    if collection == "reports":
        with contextlib.suppress(ValueError):
            return UUID(text)
    raise ReportNotFound(f"there is no report {name!r}; names are reports/{{report}}", report=name)


def report_filter(request: report_service_pb2.ListReportsRequest) -> ReportFilter:
    """Which reports a listing keeps."""
    return ReportFilter(
        task=request.task,
        model_version=request.model_version,
        kind=ReportKind(request.kind) if request.kind else None,
        comparable_with=report_id(request.comparable_with) if request.comparable_with else None,
        official=request.official,
    )


def sample_filter(
    request: report_service_pb2.ListSampleResultsRequest
    | sample_result_service_pb2.DownloadSampleResultsRequest,
) -> SampleFilter:
    """Which samples a listing keeps."""
    try:
        return SampleFilter(
            true_code=request.true_code,
            predicted_code=request.predicted_code,
            verdict=Verdict(request.verdict) if request.verdict else None,
            decided_by=DecidedBy(request.decided_by) if request.decided_by else None,
            below_threshold=request.below_threshold,
        )
    except ValueError as error:
        raise FilterInvalid.of(
            Violation("verdict", "INVALID", f"{error}; take one of the contract's")
        ) from error


def sample_order(text: str) -> SampleOrder:
    """In which order a listing is."""
    words = " ".join(text.split()).removesuffix(" asc")
    if words in set(SampleOrder):
        return SampleOrder(words)
    known = ", ".join(order for order in SampleOrder if order)
    raise FilterInvalid.of(Violation("order_by", "INVALID", f"{text!r} is none of: {known}"))


def header_from(message: report_service_pb2.CreateReportRequest.Header) -> ReportHeader:
    """The header of a new report; ReportInvalid where it contradicts itself."""
    report = message.report
    if report.kind not in ReportKind._value2member_map_:
        raise ReportInvalid.of(Violation("header.report.kind", "INVALID", "must be VALIDATION or PREDICTION"))
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
    )


def _overlap_from(message: model_pb2.TrainingOverlap) -> TrainingOverlap:
    return TrainingOverlap(
        sample_count=message.sample_count,
        trained_sample_count=message.trained_sample_count,
        trained_group_count=message.trained_group_count,
        affected_sample_count=message.affected_sample_count,
    )


def result_from(message: report_pb2.SampleResult) -> SampleResult:
    """One sample of a new report."""
    if message.verdict not in Verdict._value2member_map_:
        raise ReportInvalid.of(Violation("batch.results", "INVALID", f"{message.file} has no verdict"))
    return SampleResult(
        file=message.file,
        data_path=message.data_path,
        sha256=message.sha256,
        true_code=message.true_code,
        verdict=Verdict(message.verdict),
        predicted_code=message.predicted_code,
        confidence=message.confidence,
        top=tuple(CodeScore(score.code, score.score) for score in message.top),
        decided_by=DecidedBy(message.decided_by),
        reason=message.reason,
        message=message.message,
        mask_sha256=message.mask_sha256,
        predicted_mask_sha256=message.predicted_mask_sha256,
        pixels=tuple(
            PixelCounts(its.code, its.intersection, its.truth, its.predicted) for its in message.pixels
        ),
        perceptual_hash=message.perceptual_hash,
    )


def stored_sample(sample: StoredSample) -> report_pb2.SampleResult:
    """One sample of a report."""
    value = sample.result
    return report_pb2.SampleResult(
        name=sample.name,
        file=value.file,
        data_path=value.data_path,
        sha256=value.sha256,
        true_code=value.true_code,
        verdict=report_pb2.Verdict.ValueType(value.verdict),
        predicted_code=value.predicted_code,
        confidence=value.confidence,
        top=[report_pb2.CodeScore(code=score.code, score=score.score) for score in value.top],
        decided_by=report_pb2.DecidedBy.ValueType(value.decided_by),
        reason=value.reason,
        message=value.message,
        mask_sha256=value.mask_sha256,
        predicted_mask_sha256=value.predicted_mask_sha256,
        pixels=[
            report_pb2.PixelCounts(
                code=its.code, intersection=its.intersection, truth=its.truth, predicted=its.predicted
            )
            for its in value.pixels
        ],
    )


def report(measured: MeasuredReport, *, defined: bool = True) -> report_pb2.Report:
    """A whole report; `defined`: with what its terms mean."""
    value, header, counts = measured.report, measured.report.header, measured.report.counts
    message = report_pb2.Report(
        name=value.name,
        kind=report_pb2.ReportKind.ValueType(header.kind),
        task=header.task,
        model_version=header.model_version,
        weights_sha256=header.weights_sha256,
        code_list=header.code_list,
        num_of_classes=header.num_of_classes,
        overall=_overall(measured.metrics),
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
        segmentation=_segmentation(measured),
        definitions=_DEFINITIONS if defined else (),
        training_overlap=_overlap(header.training_overlap),
    )
    message.create_time.FromDatetime(value.create_time)
    return message


def _overlap(value: TrainingOverlap | None) -> model_pb2.TrainingOverlap | None:
    return None if value is None else model_pb2.TrainingOverlap(**asdict(value))


def _overall(metrics: Metrics) -> report_pb2.Overall:
    commonest = max((code.support for code in metrics.per_code), default=0)
    return report_pb2.Overall(
        sample_count=metrics.samples,
        correct_count=metrics.correct,
        accuracy=_estimate(metrics.accuracy, metrics.accuracy_interval, metrics.correct, metrics.samples),
        macro_precision=metrics.macro_precision or 0.0,
        macro_recall=metrics.macro_recall or 0.0,
        macro_f1=metrics.macro_f1 or 0.0,
        majority_share=commonest / metrics.samples if metrics.samples else 0.0,
    )


def _segmentation(measured: MeasuredReport) -> report_pb2.Segmentation | None:
    if measured.segmentation is None:
        return None
    return report_pb2.Segmentation(
        sample_count=measured.report.counts.pixel_sample_count,
        defect=_iou(measured.segmentation.defect),
        mean_iou=measured.segmentation.mean_iou,
    )


def _iou(value: IntersectionOverUnion) -> report_pb2.IntersectionOverUnion:
    return report_pb2.IntersectionOverUnion(
        value=value.value, intersection=value.intersection, truth=value.truth, predicted=value.predicted
    )


def threshold_curves(view: ThresholdView, codes: Sequence[str]) -> report_pb2.ThresholdCurves:
    """The threshold view, codes in that order."""
    return report_pb2.ThresholdCurves(
        thresholds=view.thresholds,
        overall=_curve("", view.overall),
        codes=[_curve(code, points) for code, points in zip(codes, view.per_code, strict=True)],
    )


def report_format(
    request: report_service_pb2.ExportReportRequest,
) -> report_service_pb2.ReportFormat.ValueType:
    """The format that is wanted, of those that there are."""
    if request.language not in {"", "en", "zh"}:
        raise FilterInvalid.of(Violation("language", "INVALID", f"{request.language!r} is neither en nor zh"))
    if request.format not in report_service_pb2.ReportFormat.values():
        raise FilterInvalid.of(Violation("format", "INVALID", f"{request.format} is no ReportFormat"))
    return request.format


def document_head(report: report_pb2.Report, curves: report_pb2.ThresholdCurves) -> bytes:
    """The beginning of a report as one JSON document, in the gateway's way of writing messages.

    Samples follow, as `document_samples` writes them, then `]}`.
    """
    parts = {"report": report, "thresholdCurves": curves}
    written = [f'"{name}": {_json(message)}' for name, message in parts.items()]
    return ("{" + ",\n".join([*written, '"sampleResults": ['])).encode()


def document_samples(samples: Sequence[StoredSample], *, first: bool) -> bytes:
    """The next samples of the document, a line each."""
    lines = ",\n".join(_json(stored_sample(sample)) for sample in samples)
    return (("\n" if first else ",\n") + lines).encode()


def _json(message: Message) -> str:
    return json.dumps(MessageToDict(message, always_print_fields_with_no_presence=True), ensure_ascii=False)


def _curve(code: str, points: Sequence[ThresholdPoint]) -> report_pb2.ThresholdCurve:
    return report_pb2.ThresholdCurve(
        code=code,
        points=[
            report_pb2.ThresholdPoint(precision=its.precision, recall=its.recall, to_human=its.to_human)
            for its in points
        ],
    )


def thresholds_from(request: report_service_pb2.GetThresholdCurvesRequest) -> Sequence[float]:
    """Ascending; the default where none is asked for."""
    wanted = sorted(set(request.thresholds)) or DEFAULT_THRESHOLDS
    if len(wanted) > MAX_THRESHOLDS or not all(0 <= its <= 1 for its in wanted):
        raise FilterInvalid.of(
            Violation("thresholds", "INVALID", f"must be at most {MAX_THRESHOLDS} numbers from 0 to 1")
        )
    return wanted


def _code_result(
    code: CodeMetrics, *, special: bool, nonconforming: int, iou: IntersectionOverUnion | None
) -> report_pb2.CodeResult:
    return report_pb2.CodeResult(
        code=code.code,
        special=special,
        support=code.support,
        precision=_estimate(code.precision, code.precision_interval, code.correct, code.predicted),
        recall=_estimate(code.recall, code.recall_interval, code.correct, code.support),
        f1=code.f1 or 0.0,
        misjudged_count=code.support - code.correct,
        nonconforming_count=nonconforming,
        iou=None if iou is None else _iou(iou),
    )


def _estimate(
    value: float | None, interval: Interval | None, numerator: int, denominator: int
) -> report_pb2.Estimate:
    # Nothing is known of a share of nothing: its interval is all of it.
    known = interval or Interval(0.0, 1.0)
    return report_pb2.Estimate(
        value=value, low=known.low, high=known.high, numerator=numerator, denominator=denominator
    )
