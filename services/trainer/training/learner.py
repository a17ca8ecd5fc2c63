"""What the networks of a task have in common while they are trained."""

from typing import Protocol

from torch import Tensor, nn

from services.trainer.training.batches import Batch, Batches
from services.trainer.training.recipe import NetworkParameters


class Learner(Protocol):
    """One network in training: what it is fed, what it is to lower, and how it is judged."""

    name: str
    """As loss points and logs call it."""
    network: nn.Module
    parameters: NetworkParameters
    relative_cost: float
    """What an iteration takes, in the same arbitrary unit for all learners."""

    def described(self) -> str:
        """What is trained on, for the first line of the log."""
        ...

    def batches(self, iterations: range) -> Batches:
        """The batches of these iterations."""
        ...

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """How wrong `network` (this one, or a wrapper of it) is on the batch."""
        ...

    def score(self) -> float:
        """In 0..1, over the validation side; NaN where there is nothing to judge on."""
        ...

    @property
    def validation_interval(self) -> int:
        """Iterations between two scores."""
        ...


def affordable_interval(max_iter: int, batch_size: int, validation_forwards: int) -> int:
    """Iterations between validations: about twenty in all, and never more than some 5 % of the time.

    A validation input costs about a third of a training input: forward only.
    """
    affordable = validation_forwards / 3 / (0.05 * batch_size)
    return max(1, -(-max_iter // 20), round(affordable))
