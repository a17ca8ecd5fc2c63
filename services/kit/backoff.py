"""How long to wait before trying again."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that grow by `factor` from `first_s` to `ceiling_s`, each jittered down by up to a half.

    The jitter keeps replicas that failed together from coming back together.
    """

    first_s: float = 0.1
    factor: float = 2.0
    ceiling_s: float = 5.0

    def delay_s(self, failures: int) -> float:
        """The delay after so many failures in a row, counted from 1."""
        # The exponent is capped: 2.0 ** 2000 overflows.
        full_s = min(self.ceiling_s, self.first_s * self.factor ** min(max(failures - 1, 0), 64))
        return full_s * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret
