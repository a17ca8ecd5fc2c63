"""The training loop.

N samples of a batch, H height, W width, C = 3 channels (in logits: classes).
"""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from torch import Tensor, nn

from services.trainer.training.augment import augment, value_factor
from services.trainer.training.batches import Batch
from services.trainer.training.recipe import TrainingRecipe
from services.vision.faults import UserFault
from services.vision.inference import outputs
from services.vision.networks import lay_out, normalise, to_input
from services.vision.pack import Pack
from services.vision.preprocessing import InputSpecification
from services.vision.windows import Windows

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

    def validation(self, iteration: int, accuracy: float) -> None:
        """Accuracy on the validation split after so many iterations."""
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


def train(  # noqa: PLR0913 - the parts of a training
    network: nn.Module,
    optimiser: torch.optim.SGD,
    batches: Iterable[Batch],
    recipe: TrainingRecipe,
    monitor: Monitor,
    *,
    logit_shift_C: Tensor,
    validate: Callable[[], float],
    validation_interval: int,
    checkpoints: Checkpoints,
) -> None:
    """Takes the network through the batches. Raises UserFault NAN_LOSS.

    `logit_shift_C` (batches.logit_shift) is added to the logits in the loss alone: it undoes in predictions
    that rare classes are drawn more often than they occur.
    """
    specification, schedule = recipe.input_specification, recipe.classification.schedule
    device = next(network.parameters()).device
    precision, shift_C = mixed_precision(device), logit_shift_C.to(device)
    losses = _Losses(monitor, recipe.classification.batch_size)
    network.train()
    for batch in batches:
        learning_rate = schedule(batch.iteration)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate
        images_NCHW = augment(to_input(batch.images_NHWC), batch.draws_N, recipe.augmentations, recipe.seed)
        of_whole = batch.of_whole
        if of_whole and "colour" in recipe.augmentations:
            # Exposure is forgotten; more or less contrast than the image has is an augmentation.
            of_whole = of_whole[0], of_whole[1] * value_factor(batch.draws_N, recipe.seed)
        images_NCHW = lay_out(normalise(images_NCHW, specification, of_whole), specification)
        with precision:
            loss = F.cross_entropy(network(images_NCHW) + shift_C, batch.classes_N)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.add(batch.iteration, loss, learning_rate)
        done = batch.iteration + 1
        if done % validation_interval == 0 or done == recipe.classification.max_iter:
            losses.report()
            monitor.validation(done, validate())
            losses.restart_clock()
        losses.report_if_due()
        monitor.progress(done)
        if checkpoints.due(done):
            losses.report()
            checkpoints.save(done)
    losses.report()


def make_optimiser(network: nn.Module, recipe: TrainingRecipe) -> torch.optim.SGD:
    """SGD as W8 has it; the fused kernel touches memory once instead of three times, on the CPU as well."""
    parameters = recipe.classification
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


def judge(
    network: nn.Module,
    pack: Pack,
    hashes: list[str],
    specification: InputSpecification,
    windows: Windows | None,
) -> Tensor:
    """Logits (N, C) of samples, on the CPU. Changes nothing."""
    rows = pack.rows(hashes)
    was_training = network.training
    network.eval()
    found = [torch.zeros(0, network.get_parameter("fc.bias").shape[0])]
    with mixed_precision(next(network.parameters()).device):
        for start in range(0, len(rows), 64):
            _, logits_NC = outputs(network, pack, rows[start : start + 64], specification, windows)
            found.append(logits_NC.float().cpu())
    network.train(was_training)
    return torch.cat(found)


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
            raise UserFault(
                "NAN_LOSS",
                f"the loss at iteration {self._first_iteration + len(sound)} is not a number; lower base_lr",
            )
