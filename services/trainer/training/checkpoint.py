"""Checkpoints: the state of network and optimiser between two iterations.

It is enough for a bit-identical resume on the CPU. Nothing else has to be kept: the order of samples, their
augmentation and the learning rate are functions of the seed and the iteration.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from services.vision.faults import InfrastructureFault
from services.vision.weights import BadWeights, load_strictly

_NETWORK, _MOMENTUM = "network.", "momentum."


@dataclass(frozen=True)
class Progress:
    """Where the training stood."""

    next_iteration: int
    """The first iteration that is not part of the state."""
    recipe_digest: str
    """TrainingRecipe.digest: under another one the curve would not go on where it stopped."""
    threads: int
    """The CPU sums in an order that depends on them."""


def save_checkpoint(path: Path, network: nn.Module, optimiser: torch.optim.SGD, progress: Progress) -> None:
    """Writes the file whole or not at all."""
    tensors = {_NETWORK + name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        momentum = optimiser.state[parameter].get("momentum_buffer") if parameter in optimiser.state else None
        if momentum is not None:
            tensors[_MOMENTUM + name] = momentum.cpu().contiguous()
    metadata = {
        "next_iteration": progress.next_iteration,
        "recipe_digest": progress.recipe_digest,
        "threads": progress.threads,
    }
    partial = path.with_suffix(".partial")
    safetensors.torch.save_file(tensors, partial, {"loupe": json.dumps(metadata, sort_keys=True)})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(
    path: Path, network: nn.Module, optimiser: torch.optim.SGD, recipe_digest: str
) -> Progress:
    """Puts network and optimiser back. Raises InfrastructureFault where the file does not fit."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            progress = Progress(**json.loads(file.metadata()["loupe"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        if progress.recipe_digest != recipe_digest:
            raise ValueError("it belongs to a training with other parameters or samples")  # noqa: TRY301 - told below
        load_strictly(
            network,
            {name[len(_NETWORK) :]: tensor for name, tensor in tensors.items() if name.startswith(_NETWORK)},
        )
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError, BadWeights) as error:
        raise InfrastructureFault(
            "CHECKPOINT_UNUSABLE", f"the checkpoint cannot be resumed: {error}"
        ) from error
    for name, parameter in network.named_parameters():
        if (momentum := tensors.get(_MOMENTUM + name)) is not None:
            # empty_like keeps the parameter's memory layout: the update then sums as it did before.
            optimiser.state[parameter]["momentum_buffer"] = (
                torch.empty_like(parameter).copy_(momentum).detach()
            )
    return progress
