"""Samples and suspected labels between their values and `loupe.evaluator.v1`."""

from loupe.errors import Violation
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.evaluator.v1 import sample_result_service_pb2 as rpc
from loupe.translation import Sentence

from services.evaluator.domain.errors import FilterInvalid, ReportInvalid
from services.evaluator.domain.listing import SampleFilter, SampleOrder
from services.evaluator.domain.report import (
    CodeScore,
    DecidedBy,
    PixelCounts,
    SampleResult,
    StoredSample,
    Verdict,
)
from services.evaluator.domain.suspicion import SuspectedLabel, SuspectFilter, Suspicion
from services.evaluator.wire.values import optional_enum


def sample_filter(
    request: report_service_pb2.ListSampleResultsRequest | rpc.DownloadSampleResultsRequest,
) -> SampleFilter:
    """The samples that a request asks for."""
    return SampleFilter(
        true_code=request.true_code,
        predicted_code=request.predicted_code,
        verdict=optional_enum(Verdict, request.verdict, "verdict"),
        decided_by=optional_enum(DecidedBy, request.decided_by, "decided_by"),
        below_threshold=request.below_threshold,
    )


def sample_order(text: str) -> SampleOrder:
    """The order that `order_by` names."""
    words = " ".join(text.split()).removesuffix(" asc")
    if words in set(SampleOrder):
        return SampleOrder(words)
    known = ", ".join(order for order in SampleOrder if order)
    raise FilterInvalid.of(Violation("order_by", "INVALID", Sentence(f"{text!r} is none of: {known}", "")))


def result_from(message: report_pb2.SampleResult) -> SampleResult:
    """One sample of a new report; ReportInvalid without a verdict."""
    if message.verdict not in Verdict._value2member_map_:
        raise ReportInvalid.of(
            Violation("batch.results", "INVALID", Sentence(f"{message.file} has no verdict", ""))
        )
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
            PixelCounts(pixels.code, pixels.intersection, pixels.truth, pixels.predicted)
            for pixels in message.pixels
        ),
        perceptual_hash=message.perceptual_hash,
    )


def stored_sample(sample: StoredSample) -> report_pb2.SampleResult:
    """One sample of a stored report."""
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
                code=pixels.code,
                intersection=pixels.intersection,
                truth=pixels.truth,
                predicted=pixels.predicted,
            )
            for pixels in value.pixels
        ],
    )


def suspect_filter(request: rpc.ListSuspectedLabelsRequest) -> SuspectFilter:
    """The suspected labels that a request asks for."""
    return SuspectFilter(request.true_code, optional_enum(Suspicion, request.suspicion, "suspicion"))


def suspected_label(value: SuspectedLabel) -> rpc.SuspectedLabel:
    """One suspected label."""
    message, message_zh = value.explanation
    return rpc.SuspectedLabel(
        sample=stored_sample(value.sample),
        suspicion=rpc.Suspicion.ValueType(value.suspicion),
        suggested_code=value.suggested_code,
        score=value.score,
        usual_confidence=value.usual_confidence,
        twin=None if value.twin is None else stored_sample(value.twin),
        distance=value.distance,
        message=message,
        message_zh=message_zh,
    )
