"""Comparisons between their values and `loupe.evaluator.v1`."""

from loupe.evaluator.v1 import comparison_pb2

from services.evaluator.domain.comparison import Change, Changes, ComparedSample, Comparison
from services.evaluator.wire.sample_results import stored_sample
from services.evaluator.wire.values import optional_enum


def change_filter(number: int) -> Change | None:
    """The change that a request asks for; None for all."""
    return optional_enum(Change, number, "change")


def comparison(value: Comparison) -> comparison_pb2.Comparison:
    """The counts of a comparison."""
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
        overall=changes(value.overall),
        codes=[
            comparison_pb2.CodeChanges(code=code, changes=changes(of_code))
            for code, of_code in value.per_code.items()
        ],
    )


def compared_sample(value: ComparedSample) -> comparison_pb2.ComparedSample:
    """One sample in both reports."""
    return comparison_pb2.ComparedSample(
        change=comparison_pb2.Change.ValueType(value.change),
        base=stored_sample(value.base),
        candidate=stored_sample(value.candidate),
    )


def changes(value: Changes) -> comparison_pb2.Changes:
    """How many samples changed, and what that proves."""
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
