"""What a worker holds until the scheduler has it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.report_buffer import Gap, Unreported
from services.worker.values import (
    Checkpoint,
    Network,
    Phase,
    Position,
    Progress,
    Report,
    Stage,
    StageName,
    StageState,
)

NET = Network.CLASSIFICATION
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Store:
    """The scheduler's copy, with its two rules: no hole, and a repeat is welcome."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.lines: list[str] = []
        self.checkpoints: list[int] = []

    def take(self, report: Report) -> tuple[Position, ...]:
        """Store a report."""
        for points in report.losses:
            assert points.first_iteration <= len(self.losses)
            self.losses[points.first_iteration :] = list(points.values)
        for log in report.logs:
            assert log.first_line <= len(self.lines)
            self.lines[log.first_line :] = list(log.lines)
        if report.checkpoint is not None:
            assert report.checkpoint.next_iteration <= len(self.losses)
            self.checkpoints.append(report.checkpoint.next_iteration)
        return (Position(NET, len(self.losses), len(self.lines)),)


@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 400), st.integers(0, 3), st.sampled_from(["answered", "unanswered", "not sent"])
        ),
        max_size=30,
    )
)
def test_whatever_is_answered_or_not_every_point_and_line_arrives_once(
    steps: list[tuple[int, int, str]],
) -> None:
    """An answer may get lost after the report was stored: repeating must neither lose nor double."""
    store, unreported = Store(), Unreported(max_report_bytes=1000)
    points = lines = 0
    for count, line_count, fate in steps:
        unreported.add_losses(NET, points, [float(n) for n in range(points, points + count)], NOW)
        unreported.add_lines(NET, [f"line {n}" for n in range(lines, lines + line_count)])
        points += count
        lines += line_count
        unreported.set_checkpoint(Checkpoint("ab", points, NET))
        if fate != "not sent":
            report = unreported.next_report()
            positions = store.take(report)
            if fate == "answered":
                unreported.confirm(report, positions)
    for _ in range(10_000):
        if unreported.is_empty:
            break
        report = unreported.next_report()
        unreported.confirm(report, store.take(report))
    assert store.losses == [float(n) for n in range(points)]
    assert store.lines == [f"line {n}" for n in range(lines)]
    assert store.checkpoints == sorted(store.checkpoints)
    assert not steps or store.checkpoints[-1] == points
    assert unreported.size_bytes == 0


def test_a_report_is_bounded() -> None:
    """A scheduler that was away for an hour must not be sent an hour in one message."""
    unreported = Unreported(max_report_bytes=4000)
    unreported.add_losses(NET, 0, [0.0] * 100_000, NOW)
    unreported.add_lines(NET, ["x" * 500] * 100)
    report = unreported.next_report()
    assert len(report.losses[0].values) == 1000
    assert not report.logs


def test_a_checkpoint_waits_for_the_points_before_it() -> None:
    """Reported without them, a resumed curve would have a hole that nobody can fill."""
    unreported = Unreported(max_report_bytes=400)
    unreported.add_losses(NET, 0, [0.0] * 150, NOW)
    unreported.set_checkpoint(Checkpoint("ab", 120, NET))
    first = unreported.next_report()
    assert first.checkpoint is None
    unreported.confirm(first, [Position(NET, 100, 0)])
    second = unreported.next_report()
    assert second.losses[0].first_iteration == 100
    assert second.checkpoint is not None


def test_a_skipped_iteration_is_refused() -> None:
    """A hole is noticed where it is made, not where it is seen."""
    unreported = Unreported()
    unreported.add_losses(NET, 10, [1.0, 2.0], NOW)
    with pytest.raises(Gap):
        unreported.add_losses(NET, 13, [1.0], NOW)


def test_what_was_said_twice_is_kept_once() -> None:
    unreported = Unreported()
    unreported.add_losses(NET, 0, [0.0, 1.0, 2.0], NOW)
    unreported.add_losses(NET, 1, [1.0, 2.0, 3.0], NOW)
    (points,) = unreported.next_report().losses
    assert list(points.values) == [0.0, 1.0, 2.0, 3.0]


def test_what_changed_while_a_report_was_under_way_is_sent_next() -> None:
    """The answer is to what was sent, not to what is true by then."""
    unreported = Unreported()
    done, running = (Stage(StageName.SPLIT, state) for state in (StageState.DONE, StageState.RUNNING))
    unreported.set_stage(running)
    unreported.set_progress(Progress(0.1, 0.1))
    unreported.set_phase(Phase.PREPROCESSING)
    report = unreported.next_report()
    unreported.set_stage(done)
    unreported.set_progress(Progress(0.2, 0.2))
    unreported.set_phase(Phase.TRAINING)
    unreported.confirm(report, ())
    following = unreported.next_report()
    assert following.stages == (done,)
    assert following.progress == Progress(0.2, 0.2)
    assert following.phase is Phase.TRAINING
    unreported.confirm(following, ())
    assert unreported.is_empty
    assert unreported.next_report() == Report()


def test_a_log_goes_on_where_the_worker_before_left_it() -> None:
    unreported = Unreported()
    unreported.begin([Position(NET, 0, 7)])
    unreported.add_lines(NET, ["a"])
    (log,) = unreported.next_report().logs
    assert log.first_line == 7
