"""Amounts of compute resources: what a worker has, and what a task takes of it (rules W7, T4, T8)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amounts:
    """So many GPUs, processor cores and bytes of memory."""

    gpus: int = 0
    cpus: int = 0
    memory_bytes: int = 0


NOTHING = Amounts()
