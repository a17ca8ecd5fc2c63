"""The three steps of a prediction: version, data, parameters (rules P1, P7)."""

from loupe.errors import Violation
from loupe.translation import sentence

from services.scheduler.domain.spec import PredictionRequest, PredictionSpec, TrainingOverlap
from services.scheduler.domain.wizard.data import check_paths, check_unlisted_codes
from services.scheduler.domain.wizard.findings import (
    ALL_STEPS,
    Examination,
    has_error,
    not_found,
    of_step,
)
from services.scheduler.domain.wizard.registry_data import RegistryData
from services.scheduler.domain.wizard.training import check_priority, check_resource

MAX_BATCH_SIZE = 4096

_DEFAULT_BATCH_SIZE = 32


def examine_prediction(
    request: PredictionRequest, facts: RegistryData, step: int = ALL_STEPS
) -> Examination[PredictionSpec]:
    """Check a run over a question bank (P1): 1 version, 2 data paths, 3 parameters and resource."""
    found: dict[int, list[Violation]] = {1: [], 2: [], 3: [], 4: []}
    version = facts.version
    if version is None:
        found[1].append(not_found("model_version", request.model_version, sentence("model version")))
    found[2] += check_paths(request.data_paths, facts)
    if version is not None:
        found[2] += check_unlisted_codes(request.data_paths, facts, version.code_list)
    found[2] += check_training_overlap(request, facts.training_overlap)
    found[3] += check_resource(request.compute_resource, facts)
    found[3] += check_priority(request.priority)
    if request.batch_size > MAX_BATCH_SIZE:
        found[3].append(
            Violation(
                "batch_size",
                "OUT_OF_RANGE",
                sentence(
                    "batch_size must be a whole number from 1 to {limit}, not {batch_size}",
                    limit=MAX_BATCH_SIZE,
                    batch_size=request.batch_size,
                ),
            )
        )
    if not 0 <= request.confidence_threshold < 1:
        found[3].append(
            Violation(
                "confidence_threshold",
                "OUT_OF_RANGE",
                sentence(
                    "confidence_threshold must be in [0, 1), not {confidence_threshold:g}",
                    confidence_threshold=request.confidence_threshold,
                ),
            )
        )
    findings = of_step(found, step)
    if version is None or has_error(findings):
        return Examination(findings, None)
    spec = PredictionSpec(
        model_version=version.name,
        data_paths=request.data_paths,
        compute_resource=request.compute_resource,
        batch_size=request.batch_size or _DEFAULT_BATCH_SIZE,
        confidence_threshold=request.confidence_threshold,
        filter_resolution=request.filter_resolution,
        production_environment=version.production_environment,
        weights_sha256=version.weights_sha256,
        code_list=version.code_list,
        num_of_classes=version.num_of_classes,
        classification_only=request.classification_only,
        acknowledge_training_overlap=request.acknowledge_training_overlap,
        training_overlap=facts.training_overlap,
    )
    return Examination(findings, spec)


def check_training_overlap(request: PredictionRequest, overlap: TrainingOverlap | None) -> list[Violation]:
    """P7: data that the version was trained with must be acknowledged; such a report is never official."""
    if overlap is None or not overlap.affected_sample_count:
        return []
    trained = sentence(
        "{trained_count} of {count} samples",
        trained_count=overlap.trained_sample_count,
        count=overlap.sample_count,
    )
    if overlap.trained_group_count:
        trained = sentence(
            "{samples} and {group_count} groups ({affected_count} samples in all)",
            samples=trained,
            group_count=overlap.trained_group_count,
            affected_count=overlap.affected_sample_count,
        )
    message = sentence(
        "{trained} were trained or validated with; the report flatters the version and will not be its "
        "official one",
        trained=trained,
    )
    if request.acknowledge_training_overlap:
        return [Violation("data_paths", "TRAINING_OVERLAP", message, "warning")]
    return [
        Violation(
            "acknowledge_training_overlap",
            "UNACKNOWLEDGED_TRAINING_OVERLAP",
            sentence("{message}; choose other data, or acknowledge it", message=message),
        )
    ]
