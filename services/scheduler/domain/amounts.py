"""Amounts of compute resources, of a worker or of a task (rules W7, T4, T8)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amounts:
    """Numbers of GPUs and CPUs, and bytes of memory."""

    gpus: int = 0
    cpus: int = 0
    memory_bytes: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        """The sum."""
        return Amounts(self.gpus + other.gpus, self.cpus + other.cpus, self.memory_bytes + other.memory_bytes)

    def times(self, count: int) -> "Amounts":
        """Those of so many hosts."""
        return Amounts(self.gpus * count, self.cpus * count, self.memory_bytes * count)

    def without(self, other: "Amounts") -> "Amounts":
        """The difference, each amount at least 0."""
        return Amounts(
            max(0, self.gpus - other.gpus),
            max(0, self.cpus - other.cpus),
            max(0, self.memory_bytes - other.memory_bytes),
        )

    def within(self, other: "Amounts") -> bool:
        """Whether every amount is at most that of `other`."""
        return self.gpus <= other.gpus and self.cpus <= other.cpus and self.memory_bytes <= other.memory_bytes


NOTHING = Amounts()


@dataclass(frozen=True, slots=True)
class ComputeResource:
    """What a task takes of a compute resource: of each of its hosts, of which only trainings take several."""

    takes: Amounts
    nodes: int = 1
