"""Checkpoints: the state of network and optimiser between two iterations.

It is enough for a bit-identical resume on the CPU. Nothing else has to be kept: the order of samples, their
augmentation and the learning rate are functions of the seed and the iteration. Networks that were complete
before the one in training lie beside it, so that the task goes on wherever it was ended.

    network.<tensor>, momentum.<tensor>    of the network in training
    best.<tensor>                          the same network at its best look so far (E4)
    trained.<name>.<tensor>                of each that is complete
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from loupe.translation import sentence
from torch import Tensor, nn

from services.failure_codes import FailureCode
from services.looks import NetworkLooks
from services.vision.faults import InfrastructureFault
from services.vision.weights import BadWeights, load_strictly

_NETWORK, _MOMENTUM, _TRAINED, _BEST = "network.", "momentum.", "trained.", "best."


class OtherTraining(Exception):
    """A checkpoint is of a training with other parameters or samples."""


@dataclass(frozen=True)
class Progress:
    """Where the training stood."""

    network: str
    """Which network was in training."""
    next_iteration: int
    """The first iteration that is not part of the state."""
    recipe_digest: str
    """TrainingRecipe.digest: under another one the curve would not go on where it stopped."""
    threads: int
    """Of each process. The CPU sums in an order that depends on them."""
    processes: int = 1
    looks: Mapping[str, NetworkLooks] = field(default_factory=dict)
    """At this network and at those before it, by name; empty in checkpoints from before looks were kept."""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Progress":
        """Of a checkpoint's metadata."""
        looks = {name: NetworkLooks(**its) for name, its in value.pop("looks", {}).items()}
        return cls(**value, looks=looks)

    def at(self, iterations_done: int, looks: NetworkLooks) -> "Progress":
        """The same training, so many iterations on."""
        return replace(self, next_iteration=iterations_done, looks={**self.looks, self.network: looks})


@dataclass(frozen=True)
class Checkpoint:
    """What a file held: a function of the seed that was begun, and how far it came."""

    progress: Progress
    tensors: Mapping[str, Tensor]

    @classmethod
    def load(cls, path: Path, recipe_digest: str) -> "Checkpoint":
        """Reads the file. Raises OtherTraining; InfrastructureFault where it is damaged."""
        try:
            with safetensors.safe_open(path, "pt") as file:
                progress = Progress.from_json(json.loads(file.metadata()["loupe"]))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except (
            safetensors.SafetensorError,
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            raise _unusable(error) from error
        if progress.recipe_digest != recipe_digest:
            raise OtherTraining
        return cls(progress, tensors)

    @property
    def best(self) -> Mapping[str, Tensor]:
        """The network in training at its best look so far; empty before the first."""
        return _below(self.tensors, _BEST)

    def resume(self, network: nn.Module, optimiser: torch.optim.SGD) -> None:
        """Puts the network in training and its optimiser back. Raises InfrastructureFault."""
        self._restore(network, _NETWORK)
        momenta = _below(self.tensors, _MOMENTUM)
        for name, parameter in network.named_parameters():
            if (momentum := momenta.get(name)) is not None:
                # empty_like keeps the parameter's memory layout: the update then sums as it did before.
                optimiser.state[parameter]["momentum_buffer"] = (
                    torch.empty_like(parameter).copy_(momentum).detach()
                )

    def restore(self, name: str, network: nn.Module) -> None:
        """Gives a network that was complete its weights. Raises InfrastructureFault."""
        self._restore(network, f"{_TRAINED}{name}.")

    def _restore(self, network: nn.Module, prefix: str) -> None:
        try:
            load_strictly(network, _below(self.tensors, prefix))
        except BadWeights as error:
            raise _unusable(error) from error


def save_checkpoint(  # noqa: PLR0913, PLR0917 - what a checkpoint holds
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.SGD,
    progress: Progress,
    best: Mapping[str, Tensor],
    trained: Mapping[str, nn.Module],
) -> None:
    """Writes the file whole or not at all."""
    tensors = _prefixed(_NETWORK, network.state_dict()) | _prefixed(_BEST, best)
    tensors |= _prefixed(
        _MOMENTUM,
        {
            name: momentum
            for name, parameter in network.named_parameters()
            if parameter in optimiser.state
            and (momentum := optimiser.state[parameter].get("momentum_buffer")) is not None
        },
    )
    for name, complete in trained.items():
        tensors |= _prefixed(f"{_TRAINED}{name}.", complete.state_dict())
    partial = path.with_suffix(".partial")
    metadata = json.dumps(asdict(progress), sort_keys=True)
    safetensors.torch.save_file(tensors, partial, {"loupe": metadata})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor.cpu().contiguous() for name, tensor in tensors.items()}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _unusable(why: object) -> InfrastructureFault:
    return InfrastructureFault(
        FailureCode.CHECKPOINT_UNUSABLE, *sentence("the checkpoint cannot be resumed: {error}", error=why)
    )
