"""`loupe.evaluator.v1.ComparisonService`."""

from loupe.errors import Violation
from loupe.evaluator.v1 import comparison_pb2, comparison_service_pb2, comparison_service_pb2_grpc

from services.evaluator import paging, wire
from services.evaluator.comparing.application import Comparisons
from services.evaluator.domain.comparison import Change, Changes, ComparedSample, Comparison
from services.evaluator.domain.errors import FilterInvalid
from services.kit.grpc_server import Service
from services.kit.paging import size_of


class ComparisonServicer(comparison_service_pb2_grpc.ComparisonServiceServicer):
    """Answers for two reports side by side."""

    def __init__(self, comparisons: Comparisons) -> None:
        self._comparisons = comparisons

    async def CompareReports(  # noqa: N802 -- the contract's name
        self,
        request: comparison_service_pb2.CompareReportsRequest,
        context: object,  # noqa: ARG002
    ) -> comparison_pb2.Comparison:
        """Fixed, regressed, unchanged."""
        return _comparison(
            await self._comparisons.compare(wire.report_id(request.base), wire.report_id(request.candidate))
        )

    async def ListComparedSamples(  # noqa: N802 -- the contract's name
        self,
        request: comparison_service_pb2.ListComparedSamplesRequest,
        context: object,  # noqa: ARG002
    ) -> comparison_service_pb2.ListComparedSamplesResponse:
        """The samples behind the counts."""
        page = await self._comparisons.list_samples(
            wire.report_id(request.base),
            wire.report_id(request.candidate),
            true_code=request.true_code,
            change=_change(request.change),
            after=paging.COMPARED.key(request),
            page_size=size_of(request),
        )
        return comparison_service_pb2.ListComparedSamplesResponse(
            samples=[_sample(sample) for sample in page.items],
            next_page_token=paging.COMPARED.token(request, page.last_key),
        )


def service(comparisons: Comparisons) -> Service:
    """The service for the evaluator's server."""
    return Service(
        servicer=ComparisonServicer(comparisons),
        add_to_server=comparison_service_pb2_grpc.add_ComparisonServiceServicer_to_server,
        descriptor=comparison_service_pb2.DESCRIPTOR.services_by_name["ComparisonService"],
    )


def _change(number: int) -> Change | None:
    try:
        return Change(number) if number else None
    except ValueError as error:
        raise FilterInvalid.of(
            Violation("change", "INVALID", f"{error}; take one of the contract's")
        ) from error


def _comparison(value: Comparison) -> comparison_pb2.Comparison:
    return comparison_pb2.Comparison(
        base=value.base.name,
        candidate=value.candidate.name,
        compared_count=value.compared,
        base_only_count=value.base_only,
        candidate_only_count=value.candidate_only,
        not_judged_count=value.not_judged,
        relabelled_count=value.relabelled,
        base_only_codes=value.base_only_codes,
        candidate_only_codes=value.candidate_only_codes,
        overall=_changes(value.overall),
        codes=[
            comparison_pb2.CodeChanges(code=code, changes=_changes(changes))
            for code, changes in value.per_code.items()
        ],
    )


def _changes(value: Changes) -> comparison_pb2.Changes:
    message, message_zh = value.sentence()
    return comparison_pb2.Changes(
        fixed_count=value.fixed,
        regressed_count=value.regressed,
        unchanged_right_count=value.unchanged_right,
        unchanged_wrong_count=value.unchanged_wrong,
        p_value=value.p_value,
        adjusted_p_value=value.adjusted_p_value,
        conclusion=comparison_pb2.Conclusion.ValueType(value.conclusion),
        message=message,
        message_zh=message_zh,
    )


def _sample(value: ComparedSample) -> comparison_pb2.ComparedSample:
    return comparison_pb2.ComparedSample(
        change=comparison_pb2.Change.ValueType(value.change),
        base=wire.stored_sample(value.base),
        candidate=wire.stored_sample(value.candidate),
    )
