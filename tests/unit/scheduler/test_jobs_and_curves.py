"""Leases, chunks, downsampling, progress (rules T5, T6, M1, M4)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from services.scheduler.curves import extremes_kept
from services.scheduler.domain.job import (
    REVOKED,
    Checkpoint,
    Job,
    JobKind,
    JobState,
    LeaseLost,
    Network,
    has_advanced,
)
from services.scheduler.domain.loss import POINTS_PER_CHUNK, LossGap, require_contiguous, slices
from services.scheduler.domain.overdue import OverdueLease, OverdueLeases
from services.scheduler.domain.progress import (
    Phase,
    Stage,
    StageName,
    StageState,
    merged,
    overall_fraction,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_job() -> Job:
    return Job(
        id="j",
        task="t",
        attempt=1,
        kind=JobKind.TRAIN,
        compute_resource="computeResources/cpu",
        queue_time=NOW,
        available_time=NOW,
        checkpoint=Checkpoint("0" * 64, Network.CLASSIFICATION, 5),
    )


def test_t6_every_lease_has_a_larger_token() -> None:
    job, tokens = a_job(), []
    for _ in range(5):
        job = job.granted("workers/w", NOW, 10)
        tokens.append(job.fencing_token)
        job = job.lost(NOW)
    assert tokens == sorted(set(tokens))
    assert job.recoveries == 5


def test_t6_only_the_present_token_holds() -> None:
    held = a_job().granted("workers/w", NOW, 10)
    held.require_lease(held.fencing_token)
    for job, token in ((held, 0), (held, 2), (held.lost(NOW), 1), (held.finished("x"), 1), (a_job(), 0)):
        with pytest.raises(LeaseLost):
            job.require_lease(token)
    with pytest.raises(LeaseLost):
        held.granted("workers/v", NOW, 10)


def test_t2_a_lease_is_shortened_never_lengthened() -> None:
    """T2: the termination of a dead worker's task is confirmed in time, however long its lease is."""
    soon, late = NOW + timedelta(seconds=7), NOW + timedelta(hours=1)
    held = a_job().granted("workers/w", NOW, 120)
    assert held.must_answer_by(soon).lease_expire_time == soon
    assert held.must_answer_by(late) is held
    assert a_job().must_answer_by(soon).lease_expire_time is None


def test_t5_a_checkpoint_is_progress_only_beyond_the_one_before() -> None:
    """T5: a job that stores the same checkpoint again and again does not advance."""
    first = Checkpoint("0" * 64, Network.CLASSIFICATION, 5)
    assert first.is_after(None)
    assert not first.is_after(first)
    assert not Checkpoint("1" * 64, Network.CLASSIFICATION, 4).is_after(first)
    assert Checkpoint("1" * 64, Network.CLASSIFICATION, 6).is_after(first)
    assert Checkpoint("1" * 64, Network.SEGMENTATION, 1).is_after(first)
    assert not first.is_after(Checkpoint("1" * 64, Network.SEGMENTATION, 1))


@given(st.lists(st.floats(0.0, 1.0), max_size=200))
def test_t5_a_job_without_checkpoints_advances_at_most_ten_times(fractions: list[float]) -> None:
    """T5: a job that dies a little later each time is not taken up for ever."""
    reached, advances = 0.0, 0
    for fraction in fractions:
        if has_advanced(reached, fraction):
            reached, advances = fraction, advances + 1
    assert advances <= 10


def test_t5_an_overdue_lease_ends_only_if_nobody_prolongs_it() -> None:
    """T5: clocks step, and servers are away: leases of living workers are over until these report again."""
    leases = OverdueLeases()
    dead, alive, ending = (
        OverdueLease(name, 1, NOW, terminating=name == "ending") for name in ("dead", "alive", "ending")
    )
    assert leases.ended([dead, alive, ending], 100.0) == [ending]
    prolonged = replace(alive, expire_time=NOW + timedelta(seconds=1))
    assert leases.ended([dead, prolonged], 102.0) == []
    assert leases.ended([dead, prolonged], 103.0) == [dead]
    revoked = replace(alive, expire_time=REVOKED)
    assert leases.ended([revoked], 104.0) == [revoked]


def test_t5_what_was_seen_before_a_pause_says_nothing() -> None:
    """T5: while PostgreSQL is away nobody looks, and no heartbeat can be stored."""
    leases, lease = OverdueLeases(), OverdueLease("j", 1, NOW, terminating=False)
    for looked_at_s in (0.0, 60.0, 62.0, 120.0, 122.0):
        assert leases.ended([lease], looked_at_s) == []
    assert leases.ended([lease], 123.0) == [lease]


def test_an_outcome_may_be_repeated_but_not_changed() -> None:
    done = a_job().granted("workers/w", NOW, 10).finished("trained")
    assert done.state is JobState.DONE
    assert done.was_finished_with(1, "trained")
    assert not done.was_finished_with(1, "failed")
    assert not done.was_finished_with(2, "trained")
    assert not a_job().was_finished_with(0, "")


def test_t5_the_checkpoint_survives_a_loss_and_not_the_end() -> None:
    held = a_job().granted("workers/w", NOW, 10)
    assert held.lost(NOW).checkpoint == held.checkpoint
    assert held.finished("x").checkpoint is None


def test_t5_a_job_that_told_of_a_fault_rests_longer_each_time() -> None:
    job, delays = a_job(), []
    for _ in range(7):
        delays.append(job.retry_delay_s())
        job = job.granted("w", NOW, 10).lost(NOW, job.retry_delay_s())
    assert delays == sorted(delays)
    assert delays[-1] == 30
    assert job.available_time == NOW + timedelta(seconds=30)


@given(st.integers(0, 10**6), st.integers(0, 5000))
def test_slices_cover_every_point_once(first: int, count: int) -> None:
    """A point that falls between two chunks would be missing for ever."""
    places = [
        (part.chunk * POINTS_PER_CHUNK + part.offset + i - part.start, i)
        for part in slices(first, count)
        for i in range(part.start, part.end)
    ]
    assert places == [(first + i, i) for i in range(count)]
    assert all(part.offset + part.end - part.start <= POINTS_PER_CHUNK for part in slices(first, count))


def test_m5_points_leave_no_hole() -> None:
    require_contiguous("c", 5, 5)
    require_contiguous("c", 3, 5)
    for first in (6, -1):
        with pytest.raises(LossGap) as gap:
            require_contiguous("c", first, 5)
        assert gap.value.facts["expected"] == "5"


@given(
    np_st.arrays(
        np.float32, st.integers(0, 3000), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)
    ),
    st.integers(4, 500),
)
def test_m4_downsampling_keeps_extremes(losses_N: np.ndarray, max_points: int) -> None:  # noqa: N803 -- shape
    """M4: a spike in the curve must be visible in the plot."""
    kept = extremes_kept(losses_N, max_points)
    assert len(kept) <= max_points
    assert (np.diff(kept) > 0).all()
    if len(losses_N) <= max_points:
        assert len(kept) == len(losses_N)
        return
    assert kept[0] == 0
    assert kept[-1] == len(losses_N) - 1
    shown = losses_N[kept]
    assert np.isnan(losses_N).any() == np.isnan(shown).any()
    if not np.isnan(losses_N).any():
        assert shown.max() == losses_N.max()
        assert shown.min() == losses_N.min()


def test_m4_every_point_on_request() -> None:
    assert len(extremes_kept(np.zeros(100_000, np.float32), 0)) == 100_000


def test_m1_stages_keep_their_order_and_the_others() -> None:
    split = Stage(StageName.SPLIT, StageState.DONE, train_count=8)
    assert merged((), ()) == ()
    stages = merged((), (split,))
    assert [stage.name for stage in stages] == list(StageName)
    later = merged(stages, (Stage(StageName.AUGMENTATION, StageState.RUNNING),))
    assert later[1] == split
    assert later[2].state is StageState.RUNNING


def test_t3_the_bar_never_runs_back() -> None:
    order = (Phase.PREPROCESSING, Phase.TRAINING, Phase.EVALUATING)
    values = [overall_fraction(phase, f / 10) for phase in order for f in range(11)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.0, 1.0)
    assert overall_fraction(None, 0.5) == 0.0
    assert overall_fraction(Phase.PREDICTING, 7.0) == 1.0
