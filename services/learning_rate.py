"""The learning rate over the iterations (W8): for the wizard that checks it and the trainer that applies it.

The console computes it too, for the preview of the wizard; both are tested with the cases of
`learning_rates.json`.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

LrPolicy = Literal["fixed", "exp", "inv", "poly"]
LR_POLICIES: tuple[str, ...] = get_args(LrPolicy)


@dataclass(frozen=True)
class Schedule:
    """The learning rate at every iteration, from 0."""

    policy: LrPolicy
    base_lr: float
    max_iter: int
    gamma: float = 0.0
    power: float = 0.0

    def __call__(self, iteration: int) -> float:
        """The rate at an iteration; 0 from `max_iter` on for poly, infinite where exp overflows."""
        if self.policy == "fixed":
            return self.base_lr
        if self.policy == "exp":
            try:
                return self.base_lr * self.gamma**iteration
            except OverflowError:
                return math.inf  # the next loss is NaN, and the training ends with NAN_LOSS
        if self.policy == "inv":
            return float(self.base_lr * (1 + self.gamma * iteration) ** -self.power)
        return float(self.base_lr * max(0.0, 1 - iteration / self.max_iter) ** self.power)
