"""What the networks of a task have in common while they are trained."""

from typing import Protocol

from torch import Tensor, nn

from services.trainer.training.augment import value_factor
from services.trainer.training.batches import Batch, Batches
from services.trainer.training.recipe import NetworkParameters, TrainingRecipe


class Learner(Protocol):
    """One network in training: what it is fed, what it is to lower, and how it is judged."""

    name: str
    """As loss points and logs call it."""
    parameters: NetworkParameters
    relative_cost: float
    """What an iteration takes, in the same arbitrary unit for all learners."""

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        ...

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


def shown_whole(batch: Batch, recipe: TrainingRecipe) -> tuple[Tensor, Tensor] | None:
    """Deviation and mean of the images, augmented as they are, of which the batch holds windows."""
    if not batch.of_whole or "colour" not in recipe.augmentations:
        return batch.of_whole
    # Exposure is forgotten; more or less contrast than the image has is an augmentation.
    return batch.of_whole[0], batch.of_whole[1] * value_factor(batch.draws_N, recipe.seed)
