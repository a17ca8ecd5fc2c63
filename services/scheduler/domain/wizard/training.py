"""Step 3: compute resource, training parameters, priority and seed (rules W7, W8, W9, T8)."""

from collections.abc import Mapping
from typing import Any

from loupe.errors import Violation
from loupe.translation import sentence

from services.scheduler.domain.spec import TrainingRequest
from services.scheduler.domain.wizard.findings import not_found
from services.scheduler.domain.wizard.json_object import parse_object
from services.scheduler.domain.wizard.registry_data import ModelVersionFacts, RegistryData
from services.scheduler.domain.wizard.training_params import NetworkParams, parse_training_params

MAX_PRIORITY = 9


def check_resource(resource: str, facts: RegistryData) -> list[Violation]:
    """W7: the compute resource exists."""
    if not resource:
        return [
            Violation(
                "compute_resource",
                "MISSING_COMPUTE_RESOURCE",
                sentence("choose a compute resource of the master data"),
            )
        ]
    if facts.resource_exists:
        return []
    return [not_found("compute_resource", resource, sentence("compute resource"))]


def resolve_training_params(
    request: TrainingRequest, facts: RegistryData, parent: ModelVersionFacts | None
) -> tuple[dict[str, NetworkParams] | None, list[Violation]]:
    """W8, W9, W13: the user's parameters, else the parent's; the image's defaults fill missing keys."""
    if facts.image is None:
        return None, []
    given: Mapping[str, Any] = parent.training_params if parent is not None else {}
    if request.training_params_json.strip():
        parsed, found = parse_object(request.training_params_json, "training_params")
        if parsed is None:
            return None, found
        given = parsed
    return parse_training_params(
        given, facts.image.default_training_params, train_segmentation=request.train_segmentation
    )


def check_priority(priority: int) -> list[Violation]:
    """T8: a priority from 0 to 9."""
    if 0 <= priority <= MAX_PRIORITY:
        return []
    return [
        Violation(
            "priority",
            "OUT_OF_RANGE",
            sentence(
                "priority must be from 0 to {limit}, not {priority}",
                limit=MAX_PRIORITY,
                priority=priority,
            ),
        )
    ]


def check_seed(seed: int) -> list[Violation]:
    """The seed is not negative."""
    if seed >= 0:
        return []
    return [
        Violation(
            "seed",
            "OUT_OF_RANGE",
            sentence("seed must be a whole number from 0 (0: chosen by the server), not {seed}", seed=seed),
        )
    ]
