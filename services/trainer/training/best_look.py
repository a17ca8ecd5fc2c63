"""The weights of the best look at the validation split, kept until the training ends (E4)."""

from collections.abc import Mapping

from torch import Tensor, nn

from services.looks import NetworkLooks
from services.vision.weights import load_strictly


class BestLook:
    """Keeps one network's weights as they were at its best look, in main memory."""

    def __init__(
        self,
        network: nn.Module,
        looks: NetworkLooks,
        tensors: Mapping[str, Tensor] | None = None,
        *,
        patience: int = 0,
    ) -> None:
        """`looks` and `tensors` of a checkpoint; `patience` as in NetworkParameters."""
        self._network = network
        self._patience = patience
        self.looks = looks
        self.tensors = tensors or {}
        """Empty before the first look."""

    def add(self, iteration: int, score: float) -> None:
        """One more look; a score that is NaN had nothing to judge on. Of equal looks the first stays best."""
        self.looks = self.looks.after(iteration, None if score != score else score)  # noqa: PLR0124
        if self.looks.is_best:
            self.tensors = {name: tensor.cpu().clone() for name, tensor in self._network.state_dict().items()}

    @property
    def ends_training(self) -> bool:
        """Whether so many looks were no better that the training ends here."""
        return 0 < self._patience <= self.looks.looks_since_best

    def restore(self) -> bool:
        """Gives the network the weights of the best look; False if it has them. Raises BadWeights."""
        if self.looks.is_best:
            return False
        load_strictly(self._network, self.tensors)
        return True
