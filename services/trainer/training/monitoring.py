"""Events of a training while it runs: stages, losses, progress, checkpoints (M1 to M3)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from google.protobuf.duration_pb2 import Duration
from loupe.scheduler.v1 import job_pb2, task_pb2
from loupe.worker.v1 import event_pb2
from torch import nn

from services.looks import NetworkLooks
from services.trainer.training.best_look import BestLook
from services.trainer.training.checkpoint import Progress, save_checkpoint

PROGRESS_INTERVAL_S = 0.5
_MAX_REMAINING_S = 1e11
"""More than a protobuf Duration holds is no better known."""


class Channel(Protocol):
    """Where events go, and whether to stop."""

    def emit(self, event: event_pb2.Event) -> None:
        """Sends one event to the worker."""
        ...

    def stop_if_asked(self) -> None:
        """Raises where the work should end."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether it would raise."""
        ...


def network_of(name: str) -> task_pb2.Network.ValueType:
    """The contract's value for a learner's name."""
    return task_pb2.Network.Value(f"NETWORK_{name.upper()}")


def emit_log(channel: Channel, network: str, text: str) -> None:
    """A line of the network's log."""
    channel.emit(event_pb2.Event(log=event_pb2.LogText(network=network_of(network), text=text)))


def emit_progress(channel: Channel, phase: task_pb2.Phase.ValueType, progress: task_pb2.Progress) -> None:
    """How far the phase is."""
    channel.emit(event_pb2.Event(progress=event_pb2.JobProgress(phase=phase, progress=progress)))


class Stage:
    """Reports the begin and the end of a preprocessing stage (M1).

    One that is switched off is SKIPPED from its begin on: what it counts then comes of reading the samples.
    """

    def __init__(self, name: task_pb2.StageName.ValueType, channel: Channel, *, is_on: bool = True) -> None:
        self._name = name
        self._channel = channel
        self._is_on = is_on
        self._started = time.monotonic()
        state = task_pb2.STAGE_STATE_RUNNING if is_on else task_pb2.STAGE_STATE_SKIPPED
        stage = task_pb2.Stage(name=name, state=state, duration=Duration() if is_on else None)
        channel.emit(event_pb2.Event(stage=event_pb2.StageReport(stage=stage)))

    def done(
        self,
        *,
        sample_count: int = 0,
        nonconforming_count: int = 0,
        train_count: int = 0,
        validation_count: int = 0,
        contact_sheet_path: Path | None = None,
    ) -> None:
        """Ends the stage."""
        stage = task_pb2.Stage(
            name=self._name,
            state=task_pb2.STAGE_STATE_DONE if self._is_on else task_pb2.STAGE_STATE_SKIPPED,
            duration=_duration(time.monotonic() - self._started) if self._is_on else None,
            sample_count=sample_count,
            nonconforming_count=nonconforming_count,
            train_count=train_count,
            validation_count=validation_count,
        )
        path = str(contact_sheet_path) if contact_sheet_path else ""
        self._channel.emit(event_pb2.Event(stage=event_pb2.StageReport(stage=stage, contact_sheet_path=path)))


@dataclass(frozen=True)
class Share:
    """The part of a task's whole training that one network's is, in 0..1 of its expected time."""

    begin: float = 0.0
    end: float = 1.0
    """Where the next network's begins."""

    @property
    def size(self) -> float:
        """How much of the whole it is."""
        return self.end - self.begin


class ProgressReporter:
    """Turns the values of the training loop into events, at a pace that a person can follow (M2, M3)."""

    def __init__(self, network: str, max_iter: int, share: Share, channel: Channel) -> None:
        self._network = network
        self._max_iter = max_iter
        self._share = share
        self._channel = channel
        self._reported_at = self._logged_at = float("-inf")
        self._step_at = time.monotonic()
        self._steps = 0
        self._mean_s = 0.0
        self._variance_s2 = 0.0
        self._reported = 0
        self._learning_rate = 0.0
        self.images_per_s = 0.0
        self.throughput = 0.0
        """Images/s over what was trained here, validations and checkpoints included; 0: too little was."""

    def losses(
        self, first_iteration: int, values: list[float], learning_rate: float, images_per_s: float
    ) -> None:
        """Sends the losses at once: the loop has gathered them for as long as M5 allows."""
        smooth = 0.9 if self.images_per_s else 0.0
        self.images_per_s = smooth * self.images_per_s + (1 - smooth) * images_per_s
        self._learning_rate = learning_rate
        self._reported = first_iteration + len(values)
        points = job_pb2.LossPoints(
            network=network_of(self._network), first_iteration=first_iteration, losses=values
        )
        self._channel.emit(event_pb2.Event(loss_points=points))
        if time.monotonic() - self._logged_at >= 2.0:
            self._logged_at = time.monotonic()
            last = first_iteration + len(values) - 1
            self.log(
                f"iteration {last} loss {values[-1]:.4f} lr {learning_rate:.3g} "
                f"{self.images_per_s:.1f} images/s"
            )

    def validation(self, iteration: int, score: float) -> None:
        """Sends the validation score, if there is anything to validate on."""
        if score == score:  # noqa: PLR0124 - NaN where the validation side is empty
            point = task_pb2.ValidationPoint(iteration=iteration, accuracy=score)
            report = job_pb2.ValidationReport(network=network_of(self._network), point=point)
            self._channel.emit(event_pb2.Event(validation=report))
            self.log(f"iteration {iteration} validation {self._metric} {score:.4f}")

    def ended(self, looks: NetworkLooks, patience: int) -> None:
        """Logs whether the training ended early and why, and of which look the weights are (E4)."""
        if looks.last_iteration < looks.max_iteration:
            self.log(
                f"ended early after {looks.last_iteration} of {looks.max_iteration} iterations: "
                f"{looks.looks_since_best} looks in turn were no better (patience {patience})"
            )
        if looks.best_score is None:
            self.log("nothing in the validation split to judge on: weights of the last iteration")
            return
        weights = (
            f"weights of iteration {looks.best_iteration}: validation {self._metric} {looks.best_score:.4f}"
        )
        if looks.is_best or looks.last_score is None:
            self.log(f"{weights}, the last and best of {looks.look_count} looks")
        else:
            self.log(f"{weights}, the best of {looks.look_count} looks; last {looks.last_score:.4f}")

    @property
    def _metric(self) -> str:
        return "accuracy" if self._network == "classification" else "IoU"

    def progress(self, iterations_done: int) -> None:
        """Fraction and expected end; the bounds are wide while few steps are known."""
        done, now = iterations_done, time.monotonic()
        step_s, self._step_at = now - self._step_at, now
        self._steps += 1
        weight = max(1 / self._steps, 0.02)
        deviation_s = step_s - self._mean_s
        self._mean_s += weight * deviation_s
        self._variance_s2 = (1 - weight) * (self._variance_s2 + weight * deviation_s * deviation_s)
        if now - self._reported_at < PROGRESS_INTERVAL_S and done < self._max_iter:
            return
        self._reported_at = now
        remaining = self._max_iter - done
        eta_s = remaining * self._mean_s
        # The mean is known up to its standard error, and machines change their pace.
        uncertainty_s = remaining * (
            2 * (self._variance_s2 / min(self._steps, 50)) ** 0.5 + 0.05 * self._mean_s
        )
        uncertainty_s += eta_s / self._steps
        # What the networks after this one take is known from their size alone.
        after_s = self._mean_s * self._max_iter * (1 - self._share.end) / self._share.size
        eta_s, uncertainty_s = eta_s + after_s, uncertainty_s + 0.5 * after_s
        progress = task_pb2.Progress(
            fraction=min(1.0, self._share.begin + self._share.size * done / self._max_iter),
            iteration=self._reported,
            max_iteration=self._max_iter,
            images_per_s=round(self.images_per_s, 3),
            learning_rate=self._learning_rate,
            remaining=_duration(eta_s),
            remaining_low=_duration(max(0.0, eta_s - uncertainty_s)),
            remaining_high=_duration(eta_s + uncertainty_s),
        )
        emit_progress(self._channel, task_pb2.PHASE_TRAINING, progress)

    def log(self, text: str) -> None:
        """A line of the network's log."""
        emit_log(self._channel, self._network, text)


class Checkpoints:
    """Keeps the state of the network in training, and of those before it, for whoever must go on."""

    def __init__(  # noqa: PLR0913 - what a checkpoint holds and where it goes
        self,
        folder: Path,
        network: nn.Module,
        optimiser: torch.optim.SGD,
        progress: Progress,
        channel: Channel,
        *,
        max_iter: int,
        interval_s: float,
        best: BestLook,
        trained: Mapping[str, nn.Module],
    ) -> None:
        """`progress` says whose checkpoints these are; `trained` are the networks that are complete."""
        self._folder = folder
        self._network = network
        self._optimiser = optimiser
        self._progress = progress
        self._channel = channel
        self._max_iter = max_iter
        self._interval_s = interval_s
        self._best = best
        self._trained = trained
        self._saved_at = time.monotonic()

    def due(self, iterations_done: int) -> bool:
        """At intervals, and when the child is asked to stop.

        Not after the last iteration: what comes next keeps the weights at once.
        """
        if iterations_done == self._max_iter:
            return False
        return self._channel.stopping or time.monotonic() - self._saved_at >= self._interval_s

    def save(self, iterations_done: int) -> None:
        """Writes the file, reports it, and stops if the child was asked to."""
        progress = self._progress.at(iterations_done, self._best.looks)
        path = self._folder / f"checkpoint-{progress.network}-{iterations_done}.safetensors"
        save_checkpoint(path, self._network, self._optimiser, progress, self._best.tensors, self._trained)
        emit_log(self._channel, progress.network, f"checkpoint after {iterations_done} iterations")
        checkpoint = job_pb2.Checkpoint(network=network_of(progress.network), next_iteration=iterations_done)
        self._channel.emit(
            event_pb2.Event(checkpoint=event_pb2.CheckpointFile(path=str(path), checkpoint=checkpoint))
        )
        self._saved_at = time.monotonic()
        self._channel.stop_if_asked()


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(round(min(seconds, _MAX_REMAINING_S) * 1e3))
    return duration
