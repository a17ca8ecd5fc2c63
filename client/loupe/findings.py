"""What the wizard finds in a submission, as a table: where, what is wrong, which option mends it (W)."""

from collections.abc import Sequence

from loupe.language import pick, translated
from loupe.rendering import table
from loupe.scheduler.v1 import task_service_pb2
from loupe.translation import sentence
from rich.table import Table
from rich.text import Text

Finding = task_service_pb2.ValidateTaskResponse.Finding

# By reason, where it says more than the field does.
_BY_REASON: dict[str, tuple[str, str]] = {
    "MODEL_NAME_TAKEN": sentence("another --name, or --retrain MODEL@VERSION"),
    "MODEL_NAME_DIFFERS": sentence("leave --name out"),
    "FIXED_BY_IMAGE": sentence("leave the option out"),
    "CODES_OF_THE_DATA": sentence("--model-params FILE, if that is not meant"),
    "INVALID_DATA_PATH": sentence(
        "loupe data import FOLDER --dataset NAME --path PATH, or leave the path out"
    ),
    "CODE_WITHOUT_SAMPLES": sentence("a --path that has it, or --model-params FILE without it"),
    "CLASS_TOO_SMALL": sentence("a --path with more of it, or --model-params FILE without it"),
    "CODE_IN_ONE_GROUP": sentence("a --path with another group of it, or --model-params FILE without it"),
    "CODES_TIED_BY_GROUPS": sentence(
        "a --path with another group of one of them, or --model-params FILE without one"
    ),
    "SAMPLES_OF_UNLISTED_CODES": sentence("--model-params FILE with these codes, if they are to be learnt"),
    "NO_KNOWN_CODE": sentence("another --bank, or a --path with codes that the model knows"),
    "SAMPLES_OF_UNKNOWN_CODES": sentence("another --bank or --path, if these codes are not to be judged"),
    "CODES_DIFFER_BY_CASE": sentence("--model-params FILE with one way of writing, or data with it"),
    "BATCH_LARGER_THAN_TRAINING_SIDE": sentence("--set batch_size=N with a smaller N, or more data"),
    "FEW_EPOCHS": sentence("--set max_iter=N with a larger N"),
    "MANY_EPOCHS": sentence("--set max_iter=N with a smaller N, or more data"),
    "UNACKNOWLEDGED_MISSING_TRAINING_PATHS": sentence(
        "--image-paths adds them, --acknowledge-missing-paths goes on without"
    ),
    "MISSING_TRAINING_PATHS": sentence("--image-paths adds them"),
    "UNACKNOWLEDGED_TRAINING_OVERLAP": sentence(
        "a --path with other data, --exclude-training-overlap, or --acknowledge-training-overlap"
    ),
    "BANK_TRAINED_WITH": sentence("--exclude-training-overlap, or another --bank"),
    "NOTHING_LEFT": sentence("a --path with other data, or another --bank"),
    "BANK_IN_TRAINING": sentence("leave the --path out (loupe banks list)"),
    "TRAINING_OVERLAP": sentence("a --path with other data, for an official report"),
    "PARENT_PATH_REMOVED": sentence("add it with --path"),
    "NOT_A_SEGMENTATION_IMAGE": sentence("another --image, or --no-train-segmentation"),
}

# By the beginning of the field; the longest that fits.
_BY_FIELD: dict[str, tuple[str, str]] = {
    "model_name": sentence("--name NAME"),
    "algorithm_image_version": sentence("--image IMAGE@VERSION (loupe images)"),
    "production_environment": sentence("--environment NAME"),
    "model_params": sentence("--model-params FILE"),
    "parent_version": sentence("--retrain MODEL@VERSION (loupe models)"),
    "warm_start": sentence("leave --warm-start out"),
    "data_paths": sentence("--dataset NAME, --path DATASET/PATH"),
    "question_bank": sentence("--bank BANK (loupe banks list)"),
    "model_version": sentence("MODEL@VERSION (loupe models)"),
    "training_task": sentence("TASK (loupe tasks)"),
    "batch_size": ("--batch-size", "--batch-size"),
    "confidence_threshold": ("--confidence-threshold", "--confidence-threshold"),
    "compute_resource": sentence("--resource NAME"),
    "training_params": sentence("--set KEY=VALUE or --train-params FILE"),
    "priority": ("--priority", "--priority"),
    "seed": ("--seed", "--seed"),
    "preprocessing.train_fraction": ("--train-fraction", "--train-fraction"),
    "preprocessing.augmentations": sentence("--augment LIST"),
    "train_segmentation": ("--no-train-segmentation", "--no-train-segmentation"),
}  # fmt: skip


def refuses(finding: Finding) -> bool:
    """Whether the submission is refused for it: a fault, or a warning that is not acknowledged yet (W4)."""
    return not finding.warning or bool(finding.acknowledge_with)


def findings_table(findings: Sequence[Finding]) -> Table:
    """Faults first, then warnings."""
    ordered = sorted(findings, key=lambda finding: not refuses(finding))
    return table(
        "",
        translated("FIELD"),
        translated("WHAT IS WRONG"),
        translated("REMEDY"),
        rows=[
            (
                _mark(finding),
                finding.field,
                f"{pick(finding.message, finding.message_zh)} [{finding.reason}]",
                _remedy(finding),
            )
            for finding in ordered
        ],
    )


def _mark(finding: Finding) -> Text:
    if not finding.warning:
        return Text(translated("error"), style="red")
    if finding.acknowledge_with:
        return Text(translated("to acknowledge"), style="red")
    return Text(translated("warning"), style="yellow")


def _remedy(finding: Finding) -> str:
    if finding.reason in _BY_REASON:
        return pick(*_BY_REASON[finding.reason])
    fitting = [field for field in _BY_FIELD if finding.field.startswith(field)]
    return pick(*_BY_FIELD[max(fitting, key=len)]) if fitting else ""
