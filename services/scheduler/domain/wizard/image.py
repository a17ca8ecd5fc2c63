"""Step 1: image version, production environment and model parameters (rules W2, W3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from loupe.errors import Violation
from loupe.translation import sentence

from services.scheduler.domain.spec import TrainingRequest
from services.scheduler.domain.wizard.findings import not_found
from services.scheduler.domain.wizard.json_object import parse_object
from services.scheduler.domain.wizard.model_params import model_params_of_data
from services.scheduler.domain.wizard.registry_data import (
    AlgorithmImageFacts,
    CodeCount,
    ModelVersionFacts,
    RegistryData,
)


def check_image(request: TrainingRequest, facts: RegistryData) -> list[Violation]:
    """W2: the image version exists."""
    if facts.image is not None:
        return []
    return [not_found("algorithm_image_version", request.algorithm_image_version, sentence("image version"))]


def environment_of(request: TrainingRequest, facts: RegistryData, parent: ModelVersionFacts | None) -> str:
    """The production environment of the new version (W2)."""
    if facts.image is not None and facts.image.business:
        return facts.image.production_environment
    return request.production_environment or (parent.production_environment if parent else "")


def check_environment(
    request: TrainingRequest, facts: RegistryData, parent: ModelVersionFacts | None
) -> list[Violation]:
    """W2: the user chooses it for a general image, a business image determines it, a model keeps it."""
    found = []
    if facts.image is not None and facts.image.business:
        if request.production_environment:
            found.append(
                Violation(
                    "production_environment",
                    "FIXED_BY_IMAGE",
                    sentence(
                        "a business image brings {production_environment}; leave this empty",
                        production_environment=facts.image.production_environment,
                    ),
                )
            )
    elif not request.production_environment and parent is None:
        found.append(
            Violation(
                "production_environment",
                "MISSING_PRODUCTION_ENVIRONMENT",
                sentence(
                    "a general image has no environment of its own; choose the one that the model is for"
                ),
            )
        )
    elif request.production_environment and not facts.environment_exists:
        found.append(
            not_found(
                "production_environment", request.production_environment, sentence("production environment")
            )
        )
    environment = environment_of(request, facts, parent)
    if parent is not None and parent.production_environment and environment != parent.production_environment:
        found.append(
            Violation(
                "production_environment",
                "ENVIRONMENT_DIFFERS_FROM_MODEL",
                sentence(
                    "{model_name} is for {production_environment}; a new version cannot be for {environment}",
                    model_name=parent.model_name,
                    production_environment=parent.production_environment,
                    environment=environment,
                ),
            )
        )
    return found


def resolve_model_params(
    request: TrainingRequest, facts: RegistryData, parent: ModelVersionFacts | None
) -> tuple[Mapping[str, Any] | None, list[Violation]]:
    """W2, W3: the user's parameters, else the parent's, else the image's with the codes of the data.

    Those of a business image cannot be changed.
    """
    image = facts.image
    if image is None:
        return None, []
    if request.model_params_json.strip():
        if not image.business:
            return parse_object(request.model_params_json, "model_params")
        return None, [
            Violation(
                "model_params",
                "FIXED_BY_IMAGE",
                sentence("a business image brings its model parameters; leave them empty"),
            )
        ]
    if image.business:
        return image.default_model_params, []
    if parent is not None and parent.model_params:
        # W13. The order of codes is kept for ever (W3), so codes of new data are not inserted.
        return parent.model_params, []
    return _model_params_of_data(image, facts.code_counts(request.data_paths))


def _model_params_of_data(
    image: AlgorithmImageFacts, counts: Mapping[str, CodeCount]
) -> tuple[Mapping[str, Any] | None, list[Violation]]:
    """The image's default with the codes of the data; a warning lists them if they differ."""
    if not counts:
        # Without data there are no codes; step 2 reports that.
        return None, []
    network = next(iter(image.classification_networks), "")
    taken = model_params_of_data(image.default_model_params, counts, network)
    codes = taken["code_list"]
    if codes == image.default_model_params.get("code_list"):
        return taken, []
    learnt = taken["classification"]["num_of_classes"]
    classes, special = _shortened(codes[:learnt]), _shortened(codes[learnt:])
    return taken, [
        Violation(
            "model_params",
            "CODES_OF_THE_DATA",
            sentence(
                "model_params is empty, so the codes are the data's: {class_count} classes "
                "({classes}), {special_count} special ({special_codes}); write code_list if that is "
                "not meant",
                class_count=learnt,
                classes=classes,
                special_count=len(codes) - learnt,
                special_codes=special,
            ),
            "warning",
        )
    ]


def _shortened(codes: Sequence[str]) -> str:
    return ", ".join(codes[:10]) + (", …" if len(codes) > 10 else "") or "–"
