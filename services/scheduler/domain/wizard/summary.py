"""The summary of a training: all steps together, and the spec that they resolve to (rules W12, W13)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from loupe.errors import Violation

from services.scheduler.domain.spec import Preprocessing, TrainingRequest, TrainingSpec
from services.scheduler.domain.wizard.data import (
    check_banks,
    check_bound_paths,
    check_case_of_data,
    check_codes,
    check_paths,
    check_training_paths,
)
from services.scheduler.domain.wizard.findings import ALL_STEPS, Examination, has_error, of_step
from services.scheduler.domain.wizard.image import (
    check_environment,
    check_image,
    environment_of,
    resolve_model_params,
)
from services.scheduler.domain.wizard.model_params import (
    ModelParams,
    check_case_of_codes,
    code_list_of,
    parse_model_params,
)
from services.scheduler.domain.wizard.name import check_name, check_parent
from services.scheduler.domain.wizard.preprocessing import check_segmentation, resolve_preprocessing
from services.scheduler.domain.wizard.registry_data import (
    AlgorithmImageFacts,
    ModelVersionFacts,
    RegistryData,
)
from services.scheduler.domain.wizard.run_length import check_patience, check_run_length, network_sides
from services.scheduler.domain.wizard.training import (
    check_priority,
    check_resource,
    check_seed,
    resolve_training_params,
)
from services.scheduler.domain.wizard.training_params import NetworkParams

_DATA_STEP = 2


def examine_training(
    request: TrainingRequest, facts: RegistryData, seed: int, step: int = ALL_STEPS
) -> Examination[TrainingSpec]:
    """Check one step, or all. `seed` is used if the request leaves the choice to the server."""
    parent = facts.version if request.parent_version else None
    found: dict[int, list[Violation]] = {1: [], 2: [], 3: [], 4: []}
    found[1] += check_name(request, facts, parent)
    found[1] += check_image(request, facts)
    found[1] += check_environment(request, facts, parent)
    given, faults = resolve_model_params(request, facts, parent)
    found[1] += faults
    model_params, codes = None, None
    if given is not None and facts.image is not None:
        codes = code_list_of(given)
        model_params, faults = parse_model_params(given, facts.image.classification_networks)
        found[1] += faults
    found[1] += check_parent(request, parent, model_params)
    found[2] += [*check_paths(request.data_paths, facts), *check_banks(request, facts)]
    if codes is not None:
        found[1] += check_case_of_codes(codes)
        found[2] += check_codes(request, facts, codes, model_params.num_of_classes if model_params else 0)
        found[2] += check_case_of_data(request.data_paths, facts, codes)
    found[2] += check_training_paths(request, facts)
    found[2] += check_bound_paths(request, facts, parent)
    found[3] += check_resource(request.compute_resource, facts)
    training_params, faults = resolve_training_params(request, facts, parent)
    found[3] += faults
    found[3] += check_priority(request.priority)
    found[3] += check_seed(request.seed)
    preprocessing, faults = resolve_preprocessing(request)
    found[4] += faults
    found[4] += check_segmentation(request, facts)
    if model_params and training_params and preprocessing and facts.image:
        sides = network_sides(
            model_params.code_list,
            model_params.num_of_classes,
            facts.code_counts(request.data_paths),
            preprocessing.train_fraction,
        )
        found[3] += check_run_length(training_params, sides)
        is_exact = parent is None and not preprocessing.filter_resolution
        found[3] += check_patience(training_params, sides, facts.image.input, is_exact=is_exact)
    findings = of_step(found, step)
    if has_error(findings) or facts.image is None:
        return Examination(findings, None)
    if model_params is None or training_params is None or preprocessing is None:
        return Examination(findings, None)
    answers = replace(request, seed=request.seed or seed)
    return Examination(findings, _resolved(answers, facts, model_params, training_params, preprocessing))


def _resolved(
    request: TrainingRequest,
    facts: RegistryData,
    model_params: ModelParams,
    training_params: Mapping[str, NetworkParams],
    preprocessing: Preprocessing,
) -> TrainingSpec:
    """The spec of answers without an error."""
    parent, image = facts.version if request.parent_version else None, facts.image
    if image is None:  # pragma: no cover -- its absence is an error
        raise ValueError("answers without an image version resolve to nothing")
    return TrainingSpec(
        model_name=parent.model_name if parent else request.model_name,
        algorithm_image_version=request.algorithm_image_version,
        production_environment=environment_of(request, facts, parent),
        data_paths=request.data_paths,
        compute_resource=request.compute_resource,
        model_params_json=request.model_params_json,
        training_params_json=request.training_params_json,
        preprocessing=preprocessing,
        train_segmentation=request.train_segmentation,
        seed=request.seed,
        parent_version=parent.name if parent else "",
        warm_start=request.warm_start,
        acknowledge_missing_training_paths=request.acknowledge_missing_training_paths,
        segmentation_image=image.segmentation,
        target_major=image.major,
        input=image.input,
        classification_network=model_params.network,
        code_list=model_params.code_list,
        num_of_classes=model_params.num_of_classes,
        training_params={level: params.as_json() for level, params in training_params.items()},
        warm_start_weights_sha256=parent.weights_sha256 if parent and request.warm_start else "",
        prior_split_sha256=facts.prior_split_sha256 if parent else "",
    )


def codes_to_judge(request: TrainingRequest, facts: RegistryData, step: int = ALL_STEPS) -> tuple[str, ...]:
    """The codes whose `parts` an examination of that step needs (D9)."""
    if step not in (ALL_STEPS, _DATA_STEP):
        return ()
    given, _ = resolve_model_params(request, facts, facts.version if request.parent_version else None)
    counts = facts.code_counts(request.data_paths)
    return tuple(code for code in (given and code_list_of(given)) or () if code in counts)


def retraining_of(
    parent: ModelVersionFacts, answers: TrainingSpec, image: AlgorithmImageFacts | None
) -> TrainingRequest:
    """The wizard, filled in with the answers that a version was trained with (W13)."""
    business = image is not None and image.business
    return TrainingRequest(
        model_name=parent.model_name,
        algorithm_image_version=answers.algorithm_image_version,
        # A business image determines both (W2).
        production_environment="" if business else answers.production_environment,
        model_params_json="" if business else _text(answers.model_params),
        data_paths=parent.data_paths,
        compute_resource=answers.compute_resource,
        training_params_json=_text(answers.training_params),
        train_fraction=answers.preprocessing.train_fraction,
        filter_resolution=answers.preprocessing.filter_resolution,
        augmentations=tuple(str(one) for one in answers.preprocessing.augmentations),
        train_segmentation=answers.train_segmentation,
        parent_version=parent.name,
        acknowledge_missing_training_paths=answers.acknowledge_missing_training_paths,
    )


def _text(params: Mapping[str, Any]) -> str:
    return json.dumps(params, indent=2, ensure_ascii=False)
