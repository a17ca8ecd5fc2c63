"""The training loop, the same for every network."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
import torch
from loupe.translation import sentence
from torch import Tensor, nn

from services.failure_codes import FailureCode
from services.trainer.training.batches import Batch
from services.trainer.training.best_look import BestLook
from services.trainer.training.processes import Group
from services.trainer.training.recipe import NetworkParameters
from services.vision.faults import UserFault

_REPORT_INTERVAL_S = 0.05
"""How often losses leave the device: within M5's 200 ms, and on a GPU one wait per interval, not one per
step."""


class Monitor(Protocol):
    """Who watches a training."""

    def losses(
        self, first_iteration: int, values: list[float], learning_rate: float, images_per_s: float
    ) -> None:
        """Losses of consecutive iterations."""
        ...

    def validation(self, iteration: int, score: float) -> None:
        """The network's score on the validation split after so many iterations."""
        ...

    def progress(self, iterations_done: int) -> None:
        """After every iteration."""
        ...


class Checkpoints(Protocol):
    """Who decides when the state is kept, and keeps it."""

    def due(self, iterations_done: int) -> bool:
        """Whether to keep it now."""
        ...

    def save(self, iterations_done: int) -> None:
        """Keeps it; every loss before has been reported. What it raises ends the training."""
        ...


def train(  # noqa: PLR0913, PLR0917 - the parts of a training
    network: nn.Module,
    loss_of: Callable[[nn.Module, Batch], Tensor],
    optimiser: torch.optim.SGD,
    batches: Iterable[Batch],
    parameters: NetworkParameters,
    monitor: Monitor,
    *,
    validate: Callable[[], float],
    validation_interval: int,
    best: BestLook,
    checkpoints: Checkpoints,
    group: Group,
) -> None:
    """Takes the network through the batches, or ends early where `best` does. Raises UserFault NAN_LOSS.

    `loss_of` augments and normalises a batch, shows it to the network and says how wrong it is. Of several
    processes each holds its part of the batches; all validate, and the leading one reports and saves.
    """
    schedule = parameters.schedule
    precision = mixed_precision(group.device)
    losses = _Losses(monitor, parameters.batch_size)
    replica = group.replicate(network)
    part = group.part(parameters.batch_size)
    weight = (part.stop - part.start) / parameters.batch_size
    network.train()
    for batch in batches:
        learning_rate = schedule(batch.iteration)
        for options in optimiser.param_groups:
            options["lr"] = learning_rate
        with precision:
            loss = loss_of(replica, batch)
        optimiser.zero_grad(set_to_none=True)
        # A replica's gradients become the mean over the processes; what is wanted is the mean over samples.
        (loss * (weight * group.size)).backward()
        optimiser.step()
        mean_loss = group.total(loss.detach() * weight)
        if group.leads:
            losses.add(batch.iteration, mean_loss, learning_rate)
        done = batch.iteration + 1
        if done % validation_interval == 0 or done == parameters.max_iter:
            losses.report()
            score = validate()
            monitor.validation(done, score)
            best.add(done, score)
            losses.restart_clock()
        losses.report_if_due()
        monitor.progress(done)
        if best.ends_training:
            break
        if group.leads and checkpoints.due(done):
            losses.report()
            checkpoints.save(done)
    losses.report()


def make_optimiser(network: nn.Module, parameters: NetworkParameters) -> torch.optim.SGD:
    """SGD as W8 has it; the fused kernel touches memory once instead of three times, on the CPU as well."""
    return torch.optim.SGD(
        network.parameters(),
        lr=parameters.base_lr,
        momentum=parameters.momentum,
        weight_decay=parameters.weight_decay,
        fused=True,
    )


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where a GPU has it. Never on a CPU: without AMX it is ten times slower."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


class _Losses:
    """Losses on their way from the device to the monitor, in batches."""

    def __init__(self, monitor: Monitor, batch_size: int) -> None:
        self._monitor = monitor
        self._batch_size = batch_size
        self._waiting: list[Tensor] = []
        self._first_iteration = 0
        self._learning_rate = 0.0
        self._reported_at = time.monotonic()

    def add(self, iteration: int, loss: Tensor, learning_rate: float) -> None:
        if not self._waiting:
            self._first_iteration = iteration
        self._waiting.append(loss.detach())
        self._learning_rate = learning_rate

    def restart_clock(self) -> None:
        """Validation is no part of the throughput."""
        self._reported_at = time.monotonic()

    def report_if_due(self) -> None:
        if time.monotonic() - self._reported_at >= _REPORT_INTERVAL_S:
            self.report()

    def report(self) -> None:
        """Hands on what waits. Raises UserFault at the first loss that is not finite, after those before."""
        if not self._waiting:
            return
        values = torch.stack(self._waiting).float().cpu().numpy()
        self._waiting.clear()
        broken = np.flatnonzero(~np.isfinite(values))
        sound = values[: broken[0]] if len(broken) else values
        now = time.monotonic()
        images_per_s = len(values) * self._batch_size / max(now - self._reported_at, 1e-9)
        self._reported_at = now
        if len(sound):
            self._monitor.losses(self._first_iteration, sound.tolist(), self._learning_rate, images_per_s)
        if len(broken):
            iteration = self._first_iteration + len(sound)
            raise UserFault(
                FailureCode.NAN_LOSS,
                *sentence("the loss at iteration {iteration} is not a number", iteration=iteration),
            )
