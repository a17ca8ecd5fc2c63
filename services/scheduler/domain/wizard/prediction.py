"""The three steps of a prediction: version or training, data, parameters (rules P1, P7, P8)."""

from collections.abc import Mapping, Sequence

from loupe.errors import Violation
from loupe.translation import sentence

from services.scheduler.domain.spec import PredictionRequest, PredictionSpec, TrainingOverlap
from services.scheduler.domain.task import Task, TaskKind
from services.scheduler.domain.wizard.data import UnlistedCodes, check_paths
from services.scheduler.domain.wizard.findings import (
    ALL_STEPS,
    Examination,
    has_error,
    no_version,
    not_found,
    of_step,
)
from services.scheduler.domain.wizard.registry_data import CodeCount, Judged, RegistryData
from services.scheduler.domain.wizard.training import check_priority, check_resource

MAX_BATCH_SIZE = 4096

_DEFAULT_BATCH_SIZE = 32


def examine_prediction(
    request: PredictionRequest, facts: RegistryData, step: int = ALL_STEPS
) -> Examination[PredictionSpec]:
    """Check a run over a question bank (P1): 1 version or training, 2 data, 3 parameters and resource."""
    found: dict[int, list[Violation]] = {1: [], 2: [], 3: [], 4: []}
    version = facts.version
    found[1] += check_judged(request, facts)
    found[2] += _check_data(request, facts)
    found[2] += check_training_overlap(request, facts.training_overlap)
    found[3] += check_resource(request.compute_resource, facts)
    found[3] += check_priority(request.priority)
    found[3] += _check_parameters(request)
    findings = of_step(found, step)
    if version is None or has_error(findings):
        return Examination(findings, None)
    spec = PredictionSpec(
        model_version=version.name,
        data_paths=tuple(one.data_path for one in facts.bank.pinned) if facts.bank else request.data_paths,
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
        question_bank=facts.bank.revision if facts.bank else "",
        exclude_training_overlap=request.exclude_training_overlap,
        pinned=facts.bank.pinned if facts.bank else (),
        training_task="" if version.name else version.task,
        training_model=facts.training.spec.model_name if facts.training and not version.name else "",
    )
    return Examination(findings, spec)


def judged_by(request: PredictionRequest, training: Task | None) -> Judged:
    """What a request judges; `training` is the task that it names. Empty: nothing that can be judged."""
    if not request.training_task:
        return request.model_version
    if training is None or not training.has_model:
        return ""
    return training.model_version or training


def check_judged(request: PredictionRequest, facts: RegistryData) -> list[Violation]:
    """Step 1: one version, or one training with a model; that a version is archived is told (R4)."""
    version = facts.version
    faults = _check_training(request, facts.training) if request.training_task else []
    if faults:
        return faults
    if version is None:
        return [no_version(request.model_version)]
    if not version.archived:
        return []
    archived = sentence("{version} is archived; its report counts as that of any other", version=version.name)
    return [Violation("model_version", "VERSION_ARCHIVED", archived, "warning")]


def _check_training(request: PredictionRequest, training: Task | None) -> list[Violation]:
    if request.model_version:
        reason = "TRAINING_BESIDE_VERSION"
        told = sentence("a prediction judges one model; name a version or a training task")
    elif training is None:
        return [not_found("training_task", request.training_task, sentence("training task"))]
    elif training.kind is not TaskKind.TRAINING:
        reason = "NOT_A_TRAINING"
        told = sentence("{task} is no training; name a training task or a version", task=training.name)
    elif not training.has_model:
        reason = "TRAINING_NOT_COMPLETED"
        told = sentence(
            "{task} is {state}; a training can be judged once it is COMPLETED",
            task=training.name,
            state=training.state.value,
        )
    else:
        return []
    return [Violation("training_task", reason, told)]


def _check_data(request: PredictionRequest, facts: RegistryData) -> list[Violation]:
    """The data paths, or the question bank (P7)."""
    version, bank = facts.version, facts.bank
    if not request.question_bank:
        found = check_paths(request.data_paths, facts)
        counts = facts.code_counts(request.data_paths)
        return found + (_check_known_codes("data_paths", counts, version.code_list) if version else [])
    found = []
    if request.data_paths:
        found.append(
            Violation(
                "data_paths",
                "DATA_PATHS_BESIDE_BANK",
                sentence("a question bank brings its own data; name data paths or a question bank"),
            )
        )
    if bank is None:
        return [*found, not_found("question_bank", request.question_bank, sentence("question bank"))]
    if bank.archived:
        found.append(
            Violation(
                "question_bank",
                "BANK_ARCHIVED",
                sentence("{bank} is archived; restore it first, or choose another one", bank=bank.name),
            )
        )
    if version is None:
        return found
    if version.production_environment != bank.production_environment:
        found.append(
            Violation(
                "question_bank",
                "BANK_OF_ANOTHER_ENVIRONMENT",
                sentence(
                    "{bank} is of {bank_environment}, the version of {version_environment}",
                    bank=bank.name,
                    bank_environment=bank.production_environment,
                    version_environment=version.production_environment or sentence("no environment"),
                ),
                "warning",
            )
        )
    return found + _check_known_codes("question_bank", bank.codes, version.code_list)


def _check_known_codes(
    field: str, counts: Mapping[str, CodeCount], code_list: Sequence[str]
) -> list[Violation]:
    """P1: a sample whose code the model does not know counts as wrong; such samples alone judge nothing."""
    unknown = UnlistedCodes.of(counts, code_list)
    if not unknown.samples:
        return []
    if not any(code in code_list for code in counts):
        told = sentence(
            "the model knows none of the codes of the data ({codes}), so that its report would say nothing; "
            "choose data with codes that it knows: {known}",
            codes=unknown.named,
            known=", ".join(code_list[:10]) + (", …" if len(code_list) > 10 else ""),
        )
        return [Violation(field, "NO_KNOWN_CODE", told)]
    told = sentence(
        "samples with codes that the model does not know count as wrong, {count} in all: {codes}",
        count=unknown.samples,
        codes=unknown.named,
    )
    return [Violation(field, "SAMPLES_OF_UNKNOWN_CODES", told, "warning")]


def _check_parameters(request: PredictionRequest) -> list[Violation]:
    found: list[Violation] = []
    if request.batch_size > MAX_BATCH_SIZE:
        found.append(
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
        found.append(
            Violation(
                "confidence_threshold",
                "OUT_OF_RANGE",
                sentence(
                    "confidence_threshold must be in [0, 1), not {confidence_threshold:g}",
                    confidence_threshold=request.confidence_threshold,
                ),
            )
        )
    return found


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
    left = overlap.sample_count - overlap.affected_sample_count
    if request.exclude_training_overlap or (request.question_bank and not left):
        return _check_what_is_left(request, overlap, left)
    if request.question_bank:
        # Only clean reports stand in the leaderboard of a bank.
        return [
            Violation(
                "exclude_training_overlap",
                "BANK_TRAINED_WITH",
                sentence(
                    "{trained} of {bank} were trained or validated with; judge the version by what is left, "
                    "or choose another bank",
                    trained=trained,
                    bank=request.question_bank,
                ),
            )
        ]
    if request.acknowledge_training_overlap:
        return [Violation("data_paths", "TRAINING_OVERLAP", message, "warning")]
    told = (
        sentence("{message}; choose other data, leave these out, or acknowledge it", message=message)
        if left
        else sentence(
            "{message}; choose other data or acknowledge it: nothing would be left without these",
            message=message,
        )
    )
    return [Violation("acknowledge_training_overlap", "UNACKNOWLEDGED_TRAINING_OVERLAP", told)]


def _check_what_is_left(request: PredictionRequest, overlap: TrainingOverlap, left: int) -> list[Violation]:
    if not left and request.question_bank:
        # Also before somebody asks to leave them out: that would only lead to the next refusal.
        return [
            Violation(
                "question_bank",
                "NOTHING_LEFT",
                sentence(
                    "all {count} samples of {bank}, or their groups, were trained or validated with: without "
                    "them nothing is left to judge the version by; choose another bank",
                    count=overlap.sample_count,
                    bank=request.question_bank,
                ),
            )
        ]
    if not left:
        return [
            Violation(
                "exclude_training_overlap",
                "NOTHING_LEFT",
                sentence(
                    "all {count} samples, or their groups, were trained or validated with; choose other data",
                    count=overlap.sample_count,
                ),
            )
        ]
    return [
        Violation(
            "exclude_training_overlap",
            "TRAINING_OVERLAP_EXCLUDED",
            sentence(
                "{affected} of {count} samples, which were trained or validated with or share a group with "
                "those, are left out; {left} are judged",
                affected=overlap.affected_sample_count,
                count=overlap.sample_count,
                left=left,
            ),
            "warning",
        )
    ]
