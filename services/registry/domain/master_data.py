"""Production environments and compute resources, which administrators maintain."""

from dataclasses import dataclass

from loupe.errors import FailedPrecondition, Violation
from loupe.translation import sentence

from services.registry.domain.identifiers import id_faults, text_faults

_MAX_COUNT = 100_000
_MAX_NODES = 1000
CONDITIONS = ("site", "product", "process_step", "equipment")
"""Business images are searched by these (W2)."""


@dataclass(frozen=True, slots=True)
class ProductionEnvironment:
    """A place where models are used."""

    id: str
    site: str = ""
    product: str = ""
    process_step: str = ""
    equipment: str = ""
    description: str = ""

    def faults(self) -> list[Violation]:
        """What is wrong with it."""
        at = "production_environment"
        return [
            *id_faults(self.id, "production_environment_id"),
            *text_faults(self.site, f"{at}.site", 200),
            *text_faults(self.product, f"{at}.product", 200),
            *text_faults(self.process_step, f"{at}.process_step", 200),
            *text_faults(self.equipment, f"{at}.equipment", 200),
            *text_faults(self.description, f"{at}.description"),
        ]


@dataclass(frozen=True, slots=True)
class ComputeResource:
    """A named kind of hardware with the amounts that one task takes (W7), of each of its nodes."""

    id: str
    description: str = ""
    gpus: int = 0
    cpus: int = 0
    memory_bytes: int = 0
    nodes: int = 1

    def faults(self) -> list[Violation]:
        """What is wrong with it."""
        faults = [
            *id_faults(self.id, "compute_resource_id"),
            *text_faults(self.description, "compute_resource.description"),
        ]
        if self.cpus < 1:
            faults.append(
                Violation(
                    "compute_resource.cpus",
                    "TOO_SMALL",
                    sentence("cpus is {cpus}; a task needs at least 1", cpus=self.cpus),
                )
            )
        limits = (
            ("gpus", self.gpus, _MAX_COUNT),
            ("cpus", self.cpus, _MAX_COUNT),
            ("memory_bytes", self.memory_bytes, 2**60),
            ("nodes", self.nodes, _MAX_NODES),
        )
        faults.extend(
            Violation(
                f"compute_resource.{name}",
                "TOO_LARGE",
                sentence("{name} is {value}; the limit is {limit}", name=name, value=value, limit=limit),
            )
            for name, value, limit in limits
            if value > limit
        )
        return faults


class EnvironmentInUse(FailedPrecondition):
    """An algorithm image, a model or a question bank is bound to the environment."""

    reason = "ENVIRONMENT_IN_USE"
