"""The worker's loop with a real child process, real object storage, and a scheduler that fails on demand."""

import asyncio
import hashlib
import os
import re
import signal
import time
from pathlib import Path

import pytest
from loupe.errors import Unavailable
from loupe.scheduler.v1 import task_pb2
from loupe.trainer.v1 import worker_service_pb2

from services.failure_codes import remedy_of
from services.kit import machine, tasks
from services.kit.readiness import Readiness
from services.worker import worker
from services.worker.worker import _TERMINATE_GRACE_S
from tests.integration.worker.conftest import WorkerUnderTest
from tests.integration.worker.scheduler_double import START_TIME_S
from tests.support.waiting import DEADLINE_S, eventually

CLASSIFICATION = task_pb2.NETWORK_CLASSIFICATION
_TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_finished_job_is_reported_in_full_and_its_files_are_stored(work: WorkerUnderTest) -> None:
    """FinishJob names weights and split: both must be there, and every point and line before it."""
    work.scheduler.add("jobs/1", iterations=1000)
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
    record = work.scheduler.records["jobs/1"]
    assert record.losses[CLASSIFICATION] == [float(n) for n in range(1000)]
    assert re.fullmatch(_TIMESTAMP + " from 0.*", record.lines[CLASSIFICATION][0])
    assert (record.stages[0].train_count, record.stages[0].validation_count) == (80, 20)
    assert record.progress[-1].fraction == 1
    sheet = hashlib.sha256(b"contact sheet").hexdigest()
    assert record.stages[-1].contact_sheet_sha256 == sheet, "reported only once it is stored"
    assert await work.objects.get_bytes(f"contact-sheets/{sheet}.jpg", max_bytes=100) == b"contact sheet"
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert outcome.trained.weights_sha256 == sha256
    assert await work.objects.get_bytes(f"weights/{sha256}.safetensors", max_bytes=100) == b"weights"
    split = f"splits/{outcome.trained.split_sha256}.jsonl"
    assert await work.objects.get_bytes(split, max_bytes=100) == b"split"


async def test_one_warm_child_serves_job_after_job(work: WorkerUnderTest) -> None:
    """Importing torch takes seconds: it is paid once."""
    pids = set()
    for number in range(3):
        work.scheduler.add(f"jobs/{number}")
        async with asyncio.timeout(DEADLINE_S):
            await work.scheduler.finished.get()
        pids.add(work.child.pid)
    assert len(pids) == 1


async def test_the_scheduler_says_when_the_worker_started(work: WorkerUnderTest) -> None:
    """T5: the clock of the worker's machine may be wrong, and decides nothing."""
    for number in range(2):
        work.scheduler.add(f"jobs/{number}")
        async with asyncio.timeout(DEADLINE_S):
            await work.scheduler.finished.get()
    assert work.scheduler.start_times[:2] == [0, START_TIME_S]
    # T4: it said that it is there before its child was ready, and asked for jobs only then.
    assert work.scheduler.starting[0]
    assert not work.scheduler.starting[-1]


async def test_a_killed_child_is_an_infrastructure_fault_and_the_next_one_is_warm(
    work: WorkerUnderTest,
) -> None:
    """T5: the job goes on from its checkpoint; every point before the checkpoint was reported before it."""
    work.scheduler.add("jobs/1", behaviour="checkpoint-and-die", iterations=1000)
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
    assert outcome.failed.retryable
    assert outcome.failed.failure.code == "CHILD_DIED"
    assert outcome.failed.failure.message_zh
    record = work.scheduler.records["jobs/1"]
    ((checkpoint, points_before),) = record.checkpoints
    assert checkpoint.next_iteration == 100
    assert points_before >= 100
    assert len(record.losses[CLASSIFICATION]) == 107
    stored = await work.objects.get_bytes(f"checkpoints/{checkpoint.sha256}.safetensors", max_bytes=100)
    assert stored == b"checkpoint 100"
    work.scheduler.add("jobs/2", iterations=10)
    async with asyncio.timeout(DEADLINE_S):
        assert (await work.scheduler.finished.get()).HasField("trained")


async def test_what_a_child_writes_to_stderr_is_for_the_operator(
    work: WorkerUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    """M6: a process engineer is shown the end of the task's log; stack traces stay in the worker's log."""
    with caplog.at_level("INFO"):
        work.scheduler.add("jobs/1", behaviour="checkpoint-and-die", iterations=1000)
        async with asyncio.timeout(DEADLINE_S):
            outcome = await work.scheduler.finished.get()
    assert outcome.failed.failure.log_tail
    assert "something is wrong" not in outcome.failed.failure.log_tail
    assert any("something is wrong" in str(getattr(record, "line", "")) for record in caplog.records)


async def test_a_resumed_job_goes_on_in_curve_and_log(work: WorkerUnderTest) -> None:
    """No point missing or doubled, and the log of the attempt is one log."""
    record = work.scheduler.records["jobs/1"]
    record.losses[CLASSIFICATION] = [float(n) for n in range(100)]
    record.lines[CLASSIFICATION] = ["the first worker's line"]
    work.scheduler.add("jobs/1", token=2, resume=100, iterations=300)
    async with asyncio.timeout(DEADLINE_S):
        assert (await work.scheduler.finished.get()).HasField("trained")
    assert record.losses[CLASSIFICATION] == [float(n) for n in range(300)]
    assert record.lines[CLASSIFICATION][0] == "the first worker's line"
    assert re.fullmatch(_TIMESTAMP + " from 100.*", record.lines[CLASSIFICATION][1])


async def test_a_user_fault_is_reported_with_the_end_of_the_log(work: WorkerUnderTest) -> None:
    """T5: a user's fault is FAILED at once with a code, a sentence, and the end of the log."""
    work.scheduler.add("jobs/1", behaviour="user-fault")
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
    assert not outcome.failed.retryable
    assert outcome.failed.failure.code == "NAN_LOSS"
    assert "from 0" in outcome.failed.failure.log_tail
    assert len(work.scheduler.records["jobs/1"].losses[CLASSIFICATION]) == 100


async def test_a_child_that_the_kernel_killed_for_memory_is_the_users_fault(
    work: WorkerUnderTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """T5: the same order would take as much again; three attempts would only take longer to say so."""
    counted = tmp_path / "vmstat"
    counted.write_text("pgfault 7\noom_kill 3\n")
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "none")
    monkeypatch.setattr(machine, "_EVENTS", counted)
    work.scheduler.add("jobs/1", behaviour="until-sigterm")
    await eventually(lambda: work.scheduler.records["jobs/1"].losses[CLASSIFICATION])
    pid = work.child.pid
    assert pid is not None
    assert int(await asyncio.to_thread(Path(f"/proc/{pid}/oom_score_adj").read_text)) > 0
    counted.write_text("pgfault 8\noom_kill 4\n")
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
    assert outcome.failed.failure.code == "OUT_OF_MEMORY"
    assert not outcome.failed.retryable
    assert "batch_size" in remedy_of(outcome.failed.failure.code).english


async def test_terminating_ends_even_a_child_that_does_not_listen(work: WorkerUnderTest) -> None:
    """T2: TERMINATED means that the process is gone, and it is killed well before the 10 s are over."""
    assert _TERMINATE_GRACE_S <= 5
    work.scheduler.add("jobs/1", behaviour="ignore-sigterm")
    await eventually(lambda: work.scheduler.records["jobs/1"].losses[CLASSIFICATION])
    pid = work.child.pid
    assert pid is not None
    work.scheduler.cancelled.add("jobs/1")
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
    assert outcome.HasField("terminated")
    assert not alive(pid)


async def test_a_lost_lease_ends_the_child_and_nothing_more_is_reported(work: WorkerUnderTest) -> None:
    """T6: another worker has the job; this one must stop using the machine for it."""
    work.scheduler.add("jobs/1", behaviour="until-sigterm")
    await eventually(lambda: work.scheduler.records["jobs/1"].losses[CLASSIFICATION])
    pid = work.child.pid
    assert pid is not None
    work.scheduler.lost.add("jobs/1")
    await eventually(lambda: not alive(pid))
    work.scheduler.add("jobs/2", iterations=10)
    async with asyncio.timeout(DEADLINE_S):
        assert (await work.scheduler.finished.get()).job == "jobs/2"


@pytest.mark.parametrize("work", [{"max_unreported_bytes": 100_000}], indirect=True)
async def test_a_scheduler_that_was_away_misses_no_point(work: WorkerUnderTest) -> None:
    """A restart of the scheduler costs nothing; a long absence stops the child, not fills the memory."""
    work.scheduler.add("jobs/1", iterations=400_000)
    await eventually(lambda: work.scheduler.records["jobs/1"].losses[CLASSIFICATION])
    work.scheduler.away = True
    await asyncio.sleep(1.5)  # the fault lasts: there is no condition to await
    work.scheduler.away = False
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
    assert outcome.HasField("trained")
    record = work.scheduler.records["jobs/1"]
    assert record.losses[CLASSIFICATION] == [float(n) for n in range(400_000)]


async def test_points_are_reported_soon_and_not_one_by_one(work: WorkerUnderTest) -> None:
    """M5: batches of 40 ms, so that a fast training does not flood the scheduler."""
    work.scheduler.add("jobs/1", behaviour="until-sigterm")
    record = work.scheduler.records["jobs/1"]
    await eventually(lambda: record.losses[CLASSIFICATION])
    reports, started_s = record.reports, time.monotonic()
    await asyncio.sleep(2)  # a rate needs a time
    rate = (record.reports - reports) / (time.monotonic() - started_s)
    assert rate < 26
    work.scheduler.cancelled.add("jobs/1")
    async with asyncio.timeout(DEADLINE_S):
        await work.scheduler.finished.get()


async def test_a_drained_worker_gives_its_job_back_with_a_checkpoint(work: WorkerUnderTest) -> None:
    """A rolling update costs no work: the next worker goes on where this one stopped."""
    work.scheduler.add("jobs/1", behaviour="until-sigterm")
    record = work.scheduler.records["jobs/1"]
    await eventually(lambda: len(record.losses[CLASSIFICATION]) > 20)
    assert work.worker.status.state == worker_service_pb2.WORKER_STATE_BUSY
    async with asyncio.timeout(DEADLINE_S):
        await work.worker.drained()
    assert work.scheduler.released.get_nowait() == "jobs/1"
    ((checkpoint, points_before),) = record.checkpoints
    assert checkpoint.next_iteration == len(record.losses[CLASSIFICATION]) == points_before
    assert work.worker.status.state == worker_service_pb2.WORKER_STATE_DRAINING
    assert work.run.done()


async def test_t9_a_worker_that_the_scheduler_drains_gives_its_job_back_and_stays(
    work: WorkerUnderTest,
) -> None:
    """T9: its process goes on, so that an administrator can undrain it without going to its machine."""
    work.scheduler.add("jobs/1", behaviour="until-sigterm")
    record = work.scheduler.records["jobs/1"]
    await eventually(lambda: len(record.losses[CLASSIFICATION]) > 20)
    work.scheduler.drained.add("jobs/1")
    async with asyncio.timeout(DEADLINE_S):
        assert await work.scheduler.released.get() == "jobs/1"
    ((checkpoint, points_before),) = record.checkpoints
    assert checkpoint.next_iteration == len(record.losses[CLASSIFICATION]) == points_before
    assert work.scheduler.finished.empty()
    # Undrained, it does the next job with a new child.
    work.scheduler.add("jobs/2", iterations=10)
    async with asyncio.timeout(DEADLINE_S):
        assert (await work.scheduler.finished.get()).job == "jobs/2"


@pytest.fixture
def endless_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_POLL_S", 3600.0)


@pytest.mark.usefixtures("endless_poll")
async def test_an_idle_worker_drains_at_once(work: WorkerUnderTest) -> None:
    """It must not sit out its long poll."""
    await eventually(lambda: work.worker.status.state == worker_service_pb2.WORKER_STATE_IDLE)
    async with asyncio.timeout(DEADLINE_S):
        await work.worker.drained()
    assert work.run.done()


@pytest.mark.parametrize("behaviour", ["gap", "nonsense"])
async def test_a_child_that_is_not_understood_fails_its_job(work: WorkerUnderTest, behaviour: str) -> None:
    """A hole in a curve is worse than a job that is taken up again."""
    work.scheduler.add("jobs/1", behaviour=behaviour)
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
    assert outcome.failed.failure.code == "CHILD_PROTOCOL"


@pytest.mark.parametrize("work", [{"max_silence_s": 1.0}], indirect=True)
async def test_a_child_that_hangs_is_killed(work: WorkerUnderTest) -> None:
    """A deadlock must not hold a machine for ever."""
    work.scheduler.add("jobs/1", behaviour="silent")
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
    assert outcome.failed.failure.code == "CHILD_HUNG"
    assert outcome.failed.retryable


async def test_a_child_that_dies_while_idle_is_replaced(work: WorkerUnderTest) -> None:
    """The system may kill the largest process at any time."""
    await eventually(lambda: work.child.is_ready)
    pid = work.child.pid
    assert pid is not None
    os.kill(pid, 9)
    await eventually(lambda: work.child.pid not in {None, pid})
    work.scheduler.add("jobs/1", iterations=10)
    async with asyncio.timeout(DEADLINE_S):
        assert (await work.scheduler.finished.get()).HasField("trained")


async def test_a_worker_is_ready_with_its_child_and_the_schedulers_consent(work: WorkerUnderTest) -> None:
    """A worker that can take no job, or whose name another has, is no place that works (fault h)."""
    readiness = Readiness(pause_s=0.05)
    readiness.require("child", work.child.require)
    readiness.require("consent", work.worker.require_consent)
    await readiness.begin()
    looking = asyncio.create_task(readiness.run())
    try:
        await eventually(lambda: readiness.ready)
        # The long poll that hangs takes the job; the next one is refused.
        work.scheduler.replaced = True
        work.scheduler.add("jobs/1")
        await eventually(lambda: readiness.states["consent"] == "WORKER_REPLACED")
        assert not readiness.ready
        work.scheduler.replaced = False
        await eventually(lambda: readiness.ready)
        work.worker.drain()
        await eventually(lambda: readiness.states["consent"] == "WORKER_DRAINING")
    finally:
        await tasks.end(looking)


async def test_a_child_that_has_to_start_again_makes_its_worker_not_ready(work: WorkerUnderTest) -> None:
    """`Unavailable` from its end until its successor is ready."""
    first = (await work.child.ready()).pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: work.child.pid is None)
    with pytest.raises(Unavailable) as refused:
        await work.child.require()
    assert refused.value.reason == "CHILD_NOT_READY"
    await work.child.ready()
    await work.child.require()


@pytest.mark.parametrize("work", [{"max_idle_s": 1.0}], indirect=True)
async def test_a_worker_that_nobody_needs_ends(work: WorkerUnderTest) -> None:
    """Who starts workers as jobs wait pays for one that stays; it takes what waits, and ends of itself."""
    work.scheduler.add("jobs/1", iterations=10)
    async with asyncio.timeout(DEADLINE_S):
        outcome = await work.scheduler.finished.get()
        await work.run
    assert outcome.HasField("trained")
    assert work.worker.status.state == worker_service_pb2.WORKER_STATE_DRAINING
    assert work.scheduler.released.empty()
