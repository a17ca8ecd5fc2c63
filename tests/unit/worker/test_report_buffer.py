"""What a worker holds until the scheduler has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loupe.scheduler.v1 import job_pb2, task_pb2

from services.worker.report_buffer import Heartbeat, ReportBuffer, SequenceGap

NETWORK = task_pb2.NETWORK_CLASSIFICATION


def points(first_iteration: int, losses: list[float]) -> job_pb2.LossPoints:
    return job_pb2.LossPoints(network=NETWORK, first_iteration=first_iteration, losses=losses)


def checkpoint(next_iteration: int) -> job_pb2.Checkpoint:
    return job_pb2.Checkpoint(sha256="ab", next_iteration=next_iteration, network=NETWORK)


def position(next_iteration: int, next_line: int = 0) -> job_pb2.Position:
    return job_pb2.Position(network=NETWORK, next_iteration=next_iteration, next_line=next_line)


class Store:
    """The scheduler's copy, with its two rules: no hole, and a repeat is welcome."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.lines: list[str] = []
        self.checkpoints: list[int] = []

    def take(self, heartbeat: Heartbeat) -> tuple[job_pb2.Position]:
        """Store a heartbeat."""
        for run in heartbeat.loss_points:
            assert run.first_iteration <= len(self.losses)
            self.losses[run.first_iteration :] = list(run.losses)
        for log in heartbeat.logs:
            assert log.first_line <= len(self.lines)
            self.lines[log.first_line :] = list(log.lines)
        if heartbeat.HasField("checkpoint"):
            assert heartbeat.checkpoint.next_iteration <= len(self.losses)
            self.checkpoints.append(heartbeat.checkpoint.next_iteration)
        return (position(len(self.losses), len(self.lines)),)


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
    store, buffer = Store(), ReportBuffer(max_heartbeat_bytes=1000)
    point_count = line_count = 0
    for new_points, new_lines, fate in steps:
        end = point_count + new_points
        buffer.add_loss_points(points(point_count, [float(n) for n in range(point_count, end)]))
        buffer.add_lines(NETWORK, [f"line {n}" for n in range(line_count, line_count + new_lines)])
        point_count = end
        line_count += new_lines
        buffer.set_checkpoint(checkpoint(point_count))
        if fate != "not sent":
            positions = store.take(buffer.next_heartbeat())
            if fate == "answered":
                buffer.confirm(positions)
    for _ in range(10_000):
        if buffer.is_empty:
            break
        buffer.confirm(store.take(buffer.next_heartbeat()))
    assert store.losses == [float(n) for n in range(point_count)]
    assert store.lines == [f"line {n}" for n in range(line_count)]
    assert store.checkpoints == sorted(store.checkpoints)
    assert not steps or store.checkpoints[-1] == point_count
    assert buffer.size_bytes == 0


def test_a_heartbeat_is_bounded() -> None:
    """A scheduler that was away for an hour must not be sent an hour in one message."""
    buffer = ReportBuffer(max_heartbeat_bytes=4000)
    buffer.add_loss_points(points(0, [0.0] * 100_000))
    buffer.add_lines(NETWORK, ["x" * 500] * 100)
    heartbeat = buffer.next_heartbeat()
    assert len(heartbeat.loss_points[0].losses) == 1000
    assert not heartbeat.logs


def test_a_checkpoint_waits_for_the_points_before_it() -> None:
    """Reported without them, a resumed curve would have a hole that nobody can fill."""
    buffer = ReportBuffer(max_heartbeat_bytes=400)
    buffer.add_loss_points(points(0, [0.0] * 150))
    buffer.set_checkpoint(checkpoint(120))
    assert not buffer.next_heartbeat().HasField("checkpoint")
    buffer.confirm([position(100)])
    second = buffer.next_heartbeat()
    assert second.loss_points[0].first_iteration == 100
    assert second.HasField("checkpoint")


def test_a_withdrawn_checkpoint_is_not_sent() -> None:
    """A job that is over is not resumed: its upload may end too late to be of use."""
    buffer = ReportBuffer()
    buffer.set_checkpoint(checkpoint(0))
    buffer.set_checkpoint(None)
    assert not buffer.next_heartbeat().HasField("checkpoint")
    assert buffer.is_empty


def test_a_skipped_iteration_is_refused() -> None:
    """A hole is noticed where it is made, not where it is seen."""
    buffer = ReportBuffer()
    buffer.add_loss_points(points(10, [1.0, 2.0]))
    with pytest.raises(SequenceGap):
        buffer.add_loss_points(points(13, [1.0]))


def test_points_that_are_reported_twice_are_kept_once() -> None:
    buffer = ReportBuffer()
    buffer.add_loss_points(points(0, [0.0, 1.0, 2.0]))
    buffer.add_loss_points(points(1, [1.0, 2.0, 3.0]))
    (run,) = buffer.next_heartbeat().loss_points
    assert list(run.losses) == [0.0, 1.0, 2.0, 3.0]


def test_points_that_come_during_a_call_are_sent_next() -> None:
    """They are appended to the message of those before, of which the answer confirms a part."""
    buffer = ReportBuffer()
    buffer.add_loss_points(points(0, [0.0, 1.0]))
    buffer.next_heartbeat()
    buffer.add_loss_points(points(2, [2.0]))
    buffer.confirm([position(2)])
    (run,) = buffer.next_heartbeat().loss_points
    assert (run.first_iteration, list(run.losses)) == (2, [2.0])


def test_what_changed_during_a_call_is_sent_next() -> None:
    """The answer is to what was sent, not to what is true by then."""
    buffer = ReportBuffer()
    running, done = (
        task_pb2.Stage(name=task_pb2.STAGE_NAME_SPLIT, state=state)
        for state in (task_pb2.STAGE_STATE_RUNNING, task_pb2.STAGE_STATE_DONE)
    )
    buffer.set_stage(running)
    buffer.set_progress(task_pb2.Progress(fraction=0.1))
    buffer.set_phase(task_pb2.PHASE_PREPROCESSING)
    buffer.next_heartbeat()
    buffer.set_stage(done)
    buffer.set_progress(task_pb2.Progress(fraction=0.2))
    buffer.set_phase(task_pb2.PHASE_TRAINING)
    buffer.confirm(())
    following = buffer.next_heartbeat()
    assert list(following.stages) == [done]
    assert following.progress.fraction == 0.2
    assert following.phase == task_pb2.PHASE_TRAINING
    buffer.confirm(())
    assert buffer.is_empty
    assert buffer.next_heartbeat() == Heartbeat()


def test_a_log_goes_on_where_the_worker_before_left_it() -> None:
    buffer = ReportBuffer()
    buffer.begin([position(0, 7)])
    buffer.add_lines(NETWORK, ["a"])
    (log,) = buffer.next_heartbeat().logs
    assert log.first_line == 7
