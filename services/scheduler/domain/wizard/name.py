"""Step 1: the name of the model, and the parent version of a retraining (rules W1, W13)."""

import re

from loupe.errors import Violation
from loupe.translation import sentence

from services.scheduler.domain.spec import TrainingRequest
from services.scheduler.domain.wizard.findings import no_version
from services.scheduler.domain.wizard.model_params import ModelParams
from services.scheduler.domain.wizard.registry_data import ModelVersionFacts, RegistryData

MAX_NAME_CHARACTERS = 60

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")


def check_name(
    request: TrainingRequest, facts: RegistryData, parent: ModelVersionFacts | None
) -> list[Violation]:
    """W1: a legal name that is not taken. A retraining has its model's name."""
    name = request.model_name
    if parent is not None:
        if name in ("", parent.model_name):
            return []
        return [
            Violation(
                "model_name",
                "MODEL_NAME_DIFFERS",
                sentence(
                    "a retraining of {version} makes a version of {model_name}; leave the name empty",
                    version=parent.name,
                    model_name=parent.model_name,
                ),
            )
        ]
    if request.parent_version:
        return []
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARACTERS:
        return [
            Violation(
                "model_name",
                "BAD_MODEL_NAME",
                sentence(
                    '"{name}" is not a model name: 1 to 60 of A-Z, a-z, 0-9, - and _, beginning '
                    "with a letter and ending with a letter or digit",
                    name=name[:80],
                ),
            )
        ]
    if facts.name_taken:
        return [
            Violation(
                "model_name",
                "MODEL_NAME_TAKEN",
                sentence(
                    "another model or training task has the name {name}; choose another, or "
                    "retrain that model",
                    name=name,
                ),
            )
        ]
    return []


def check_parent(
    request: TrainingRequest, parent: ModelVersionFacts | None, params: ModelParams | None
) -> list[Violation]:
    """W13: the parent exists, the codes keep its order (W3), and its weights fit."""
    if not request.parent_version:
        if not request.warm_start:
            return []
        return [
            Violation(
                "warm_start",
                "WARM_START_WITHOUT_PARENT",
                sentence("only a retraining can start from its parent's weights"),
            )
        ]
    if parent is None:
        return [no_version(request.parent_version, "parent_version")]
    if params is None:
        return []
    found = []
    kept = [code for code in params.code_list if code in parent.code_list]
    if kept != [code for code in parent.code_list if code in kept]:
        found.append(
            Violation(
                "model_params.code_list",
                "CODE_ORDER_DIFFERS",
                sentence(
                    "the codes of {version} are in another order; who reads codes by number will be misled",
                    version=parent.name,
                ),
                "warning",
            )
        )
    if request.warm_start and params.classes != parent.code_list[: parent.num_of_classes]:
        found.append(
            Violation(
                "warm_start",
                "WARM_START_CLASSES_DIFFER",
                sentence(
                    "the classes differ from {version}'s; its last layer is not taken over",
                    version=parent.name,
                ),
                "warning",
            )
        )
    return found
