"""Leaderboards as messages."""

from loupe.evaluator.v1 import leaderboard_pb2
from loupe.translation import Sentence

from services.evaluator.domain.comparison import Changes
from services.evaluator.domain.leaderboard import Entry, Leaderboard
from services.evaluator.wire.comparison import changes
from services.evaluator.wire.reports import overall


def leaderboard(value: Leaderboard) -> leaderboard_pb2.Leaderboard:
    """As a message."""
    return leaderboard_pb2.Leaderboard(
        question_bank=value.revision.name,
        production_environment=value.revision.production_environment,
        entries=[_entry(entry) for entry in value.entries],
        left_out_count=value.left_out,
    )


def _entry(value: Entry) -> leaderboard_pb2.LeaderboardEntry:
    report, outcome = value.measured.report, value.outcome
    why = outcome if isinstance(outcome, Sentence) else Sentence("", "")
    message = leaderboard_pb2.LeaderboardEntry(
        rank=value.rank,
        model_version=value.version,
        report=report.name,
        overall=overall(value.measured.metrics),
        excluded_sample_count=report.header.excluded_sample_count,
        nonconforming_count=report.counts.nonconforming_count,
        in_production=value.in_production,
        compared_with=value.compared_with,
        changes=changes(outcome) if isinstance(outcome, Changes) else None,
        not_compared=why.english,
        not_compared_zh=why.chinese,
    )
    message.report_time.FromDatetime(report.create_time)
    return message
