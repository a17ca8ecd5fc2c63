"""What a child says about its job, put into words for the scheduler.

The children's docstrings define the events; these are the ones that both crafts have in common. An event that
cannot be read is an UnreadableEvent: a defect of the child, which must not end as a hole in a curve.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.kit.clock import timestamp
from services.worker.unreported import Unreported
from services.worker.values import (
    Failed,
    Network,
    Nonconforming,
    Phase,
    Progress,
    Stage,
    StageName,
    StageState,
    Validation,
)

# What share of a training task is over when a phase begins, and how much it takes: what the list's bar shows.
_SHARE: Mapping[Phase, tuple[float, float]] = {
    Phase.PREPROCESSING: (0.0, 0.05),
    Phase.TRAINING: (0.05, 0.90),
    Phase.EVALUATING: (0.95, 0.05),
    Phase.PREDICTING: (0.0, 1.0),
    Phase.PACKAGING: (0.0, 1.0),
}


class UnreadableEvent(ValueError):
    """The child said what this worker does not understand."""


class Listener:
    """Turns one job's events into what is to be reported."""

    def __init__(
        self, unreported: Unreported, data_paths: Mapping[str, str], max_iterations: Mapping[Network, int]
    ) -> None:
        """`data_paths` are names by the SHA-256 of the path's manifest; `max_iterations` are a training's."""
        self._unreported = unreported
        self._data_paths = data_paths
        self._max_iterations = max_iterations
        self._network = Network.CLASSIFICATION
        self._iteration = 0
        self._images_per_s = 0.0
        self._learning_rate = 0.0
        self._phase: Phase | None = None

    def hear(self, event: Mapping[str, Any], at: datetime) -> bool:
        """Take the event in; False if it is none of the common ones."""
        try:
            match event["event"]:
                case "loss":
                    self._loss(event, at)
                case "progress":
                    self._progress(event)
                case "log":
                    lines = [f"{timestamp(at)} {line}" for line in event["text"].splitlines() or [""]]
                    self._unreported.add_lines(Network(event.get("network", Network.CLASSIFICATION)), lines)
                case "stage":
                    self._unreported.set_stage(stage_of(event))
                case "nonconforming":
                    self._unreported.add_nonconforming(self._nonconforming(s) for s in event["samples"])
                case "validation":
                    self._unreported.add_validation(
                        Validation(
                            Network(event["network"]), int(event["iteration"]), float(event["accuracy"])
                        )
                    )
                case _:
                    return False
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableEvent(f"{error!r} in {str(dict(event))[:300]}") from error
        return True

    def _loss(self, event: Mapping[str, Any], at: datetime) -> None:
        first, values = int(event["first_iteration"]), event["values"]
        self._network = Network(event["network"])
        self._unreported.add_losses(self._network, first, values, at)
        self._iteration = first + len(values)
        self._learning_rate = float(event["learning_rate"])
        self._images_per_s = float(event["images_per_s"])

    def _progress(self, event: Mapping[str, Any]) -> None:
        phase = Phase(event["phase"].lower())
        if phase is not self._phase:
            self._phase = phase
            self._unreported.set_phase(phase)
        fraction = min(max(float(event["fraction"]), 0.0), 1.0)
        begin, share = _SHARE[phase]
        training = phase is Phase.TRAINING
        self._unreported.set_progress(
            Progress(
                fraction=fraction,
                overall_fraction=begin + share * fraction,
                iteration=self._iteration if training else 0,
                max_iteration=self._max_iterations.get(self._network, 0) if training else 0,
                images_per_s=float(event.get("images_per_s") or self._images_per_s),
                learning_rate=self._learning_rate if training else 0.0,
                remaining_s=event.get("eta_s"),
                remaining_low_s=event.get("eta_low_s"),
                remaining_high_s=event.get("eta_high_s"),
            )
        )

    def _nonconforming(self, sample: Mapping[str, Any]) -> Nonconforming:
        return Nonconforming(
            file=sample["name"],
            data_path=self._data_paths.get(sample.get("manifest", ""), ""),
            sha256=sample["sha256"],
            reason=sample["reason"],
            message=sample["message"],
            width=int(sample.get("width") or 0),
            height=int(sample.get("height") or 0),
        )


def failure(event: Mapping[str, Any], log_tail: str) -> Failed:
    """The outcome that a `failed` event asks for."""
    try:
        return Failed(
            code=event["code"],
            message=event["message"],
            message_zh=event["message_zh"],
            retryable=bool(event["retryable"]) and not event["user_fault"],
            log_tail=log_tail,
        )
    except (KeyError, TypeError) as error:
        raise UnreadableEvent(f"{error!r} in {str(dict(event))[:300]}") from error


def stage_of(event: Mapping[str, Any]) -> Stage:
    """The stage that a `stage` event tells of, without its contact sheet: that is still to be stored."""
    counts = event.get("counts") or {}
    return Stage(
        name=StageName(event["name"].lower()),
        state=StageState(event["state"].lower()),
        duration_s=float(event.get("duration_s") or 0.0),
        sample_count=int(counts.get("usable") or counts.get("train", 0) + counts.get("validation", 0)),
        nonconforming_count=int(counts.get("nonconforming") or 0),
        train_count=int(counts.get("train") or 0),
        validation_count=int(counts.get("validation") or 0),
    )
