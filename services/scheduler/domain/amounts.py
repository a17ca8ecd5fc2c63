"""Amounts of compute resources: what a worker has, and what a task takes of it (rules W7, T4, T8)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amounts:
    """So many GPUs, processor cores and bytes of memory."""

    gpus: int = 0
    cpus: int = 0
    memory_bytes: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        """Both together."""
        return Amounts(self.gpus + other.gpus, self.cpus + other.cpus, self.memory_bytes + other.memory_bytes)

    def without(self, other: "Amounts") -> "Amounts":
        """What is left of this, nothing less than none."""
        return Amounts(
            max(0, self.gpus - other.gpus),
            max(0, self.cpus - other.cpus),
            max(0, self.memory_bytes - other.memory_bytes),
        )

    def within(self, other: "Amounts") -> bool:
        """Whether there is room for this in `other`."""
        return self.gpus <= other.gpus and self.cpus <= other.cpus and self.memory_bytes <= other.memory_bytes


NOTHING = Amounts()
