"""The events that `services.trainer.child` and `services.evaluator.worker.child` document."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.kit.clock import timestamp
from services.worker.events import Listener, UnreadableEvent, failure
from services.worker.unreported import Unreported
from services.worker.values import Network, Phase, StageName, StageState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def hear(*events: dict[str, Any]) -> Unreported:
    unreported = Unreported()
    listener = Listener(unreported, {"ab": "datasets/d/paths/p"}, {Network.CLASSIFICATION: 100})
    for event in events:
        assert listener.hear(event, NOW)
    return unreported


def test_progress_shows_what_the_monitor_needs() -> None:
    """M2: iteration, throughput and learning rate come with the points, the end with the progress."""
    report = hear(
        {
            "event": "loss",
            "network": "classification",
            "first_iteration": 40,
            "values": [0.5] * 10,
            "learning_rate": 0.01,
            "images_per_s": 27.5,
        },
        {
            "event": "progress",
            "phase": "TRAINING",
            "fraction": 0.5,
            "eta_s": 10.0,
            "eta_low_s": 8.0,
            "eta_high_s": 14.0,
        },
    ).next_report()
    assert report.phase is Phase.TRAINING
    progress = report.progress
    assert progress is not None
    assert (progress.iteration, progress.max_iteration) == (50, 100)
    assert (progress.images_per_s, progress.learning_rate) == (27.5, 0.01)
    assert (progress.remaining_low_s, progress.remaining_s, progress.remaining_high_s) == (8.0, 10.0, 14.0)
    assert progress.overall_fraction == pytest.approx(0.5)


def test_stages_carry_their_counts() -> None:
    """M1."""
    report = hear(
        {
            "event": "stage",
            "name": "RESOLUTION_FILTER",
            "state": "DONE",
            "duration_s": 1.5,
            "counts": {"samples": 12, "usable": 10, "nonconforming": 2, "reasons": {"EMPTY": 2}},
        },
        {
            "event": "stage",
            "name": "SPLIT",
            "state": "DONE",
            "duration_s": 0.1,
            "counts": {"train": 8, "validation": 2, "per_code": {}, "moved_to_validation": 0},
        },
        {"event": "stage", "name": "AUGMENTATION", "state": "RUNNING"},
    ).next_report()
    by_name = {stage.name: stage for stage in report.stages}
    filtered = by_name[StageName.RESOLUTION_FILTER]
    assert (filtered.sample_count, filtered.nonconforming_count, filtered.duration_s) == (10, 2, 1.5)
    assert (by_name[StageName.SPLIT].train_count, by_name[StageName.SPLIT].validation_count) == (8, 2)
    assert by_name[StageName.AUGMENTATION].state is StageState.RUNNING


def test_set_aside_samples_name_their_data_path() -> None:
    """The child knows manifests, people know data paths."""
    sample = {
        "manifest": "ab",
        "name": "TPFIP/1.jpg",
        "sha256": "cd",
        "code": "TPFIP",
        "reason": "EMPTY",
        "message": "0 bytes",
    }
    (told,) = hear({"event": "nonconforming", "samples": [sample]}).next_report().nonconforming
    assert (told.file, told.data_path, told.reason) == ("TPFIP/1.jpg", "datasets/d/paths/p", "EMPTY")


def test_a_log_event_of_several_lines_is_several_lines() -> None:
    """M6: each line begins with its time in UTC."""
    (log,) = hear({"event": "log", "network": "segmentation", "text": "a\nb"}).next_report().logs
    assert log.network is Network.SEGMENTATION
    assert log.lines == (f"{timestamp(NOW)} a", f"{timestamp(NOW)} b")


@pytest.mark.parametrize(
    "event",
    [
        {"event": "loss", "network": "classification"},
        {
            "event": "loss",
            "network": "other",
            "first_iteration": 0,
            "values": [],
            "learning_rate": 0,
            "images_per_s": 0,
        },
        {"event": "progress", "phase": "SLEEPING", "fraction": 0.5},
        {"event": "stage", "name": "SPLIT", "state": None},
        {"event": "nonconforming", "samples": [{}]},
        {"no": "event"},
    ],
)
def test_what_cannot_be_read_is_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(UnreadableEvent):
        hear(event)


def test_a_user_fault_is_never_retried() -> None:
    """T5: a user's fault would fail again."""
    told = {"code": "OUT_OF_MEMORY", "message": "lower batch_size", "message_zh": "请减小 batch_size"}
    event = told | {"user_fault": True, "retryable": True}
    assert not failure(event, "").retryable
    assert failure({**event, "user_fault": False}, "").retryable
