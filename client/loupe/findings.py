"""What the wizard finds in a submission, as a table: where, what is wrong, which option mends it (W)."""

from collections.abc import Sequence

from loupe.language import pick
from loupe.rendering import table
from loupe.scheduler.v1 import task_service_pb2
from rich.table import Table
from rich.text import Text

Finding = task_service_pb2.ValidateTaskResponse.Finding

# By reason, where it says more than the field does.
_BY_REASON: dict[str, tuple[str, str]] = {
    "MODEL_NAME_TAKEN": (
        "another --name, or --retrain MODEL@VERSION",
        "更换 --name，或使用 --retrain 模型@版本",
    ),
    "MODEL_NAME_DIFFERS": ("leave --name out", "去掉 --name"),
    "FIXED_BY_IMAGE": ("leave the option out", "去掉该选项"),
    "CODES_OF_THE_DATA": (
        "--model-params FILE, if that is not meant",
        "如不符合预期，使用 --model-params 文件",
    ),
    "INVALID_DATA_PATH": (
        "loupe data import FOLDER --dataset NAME --path PATH, or leave the path out",
        "loupe data import 文件夹 --dataset 名称 --path 路径，或去掉该路径",
    ),
    "CODE_WITHOUT_SAMPLES": (
        "a --path that has it, or --model-params FILE without it",
        "添加包含它的 --path，或在 --model-params 中删除",
    ),
    "CLASS_TOO_SMALL": (
        "a --path with more of it, or --model-params FILE without it",
        "添加包含更多样本的 --path，或在 --model-params 中删除",
    ),
    "CODE_IN_ONE_GROUP": (
        "a --path with another group of it, or --model-params FILE without it",
        "添加包含该 code 其他组的 --path，或在 --model-params 中删除",
    ),
    "SAMPLES_OF_UNLISTED_CODES": (
        "--model-params FILE with these codes, if they are to be learnt",
        "如需学习这些 code，请写入 --model-params",
    ),
    "UNACKNOWLEDGED_MISSING_TRAINING_PATHS": (
        "--image-paths adds them, --acknowledge-missing-paths goes on without",
        "--image-paths 添加，--acknowledge-missing-paths 确认忽略",
    ),
    "MISSING_TRAINING_PATHS": ("--image-paths adds them", "--image-paths 可添加"),
    "UNACKNOWLEDGED_TRAINING_OVERLAP": (
        "a --path with other data, or --acknowledge-training-overlap",
        "更换 --path，或使用 --acknowledge-training-overlap",
    ),
    "TRAINING_OVERLAP": (
        "a --path with other data, for an official report",
        "更换 --path 可获得正式报告",
    ),
    "PARENT_PATH_REMOVED": ("add it with --path", "用 --path 添加"),
    "NOT_A_SEGMENTATION_IMAGE": (
        "another --image, or --no-train-segmentation",
        "更换 --image，或使用 --no-train-segmentation",
    ),
}

# By the beginning of the field; the longest that fits.
_BY_FIELD: dict[str, tuple[str, str]] = {
    "model_name": ("--name NAME", "--name 名称"),
    "algorithm_image_version": ("--image IMAGE@VERSION (loupe images)", "--image 镜像@版本（loupe images）"),
    "production_environment": ("--environment NAME", "--environment 名称"),
    "model_params": ("--model-params FILE", "--model-params 文件"),
    "parent_version": ("--retrain MODEL@VERSION (loupe models)", "--retrain 模型@版本（loupe models）"),
    "warm_start": ("leave --warm-start out", "去掉 --warm-start"),
    "data_paths": ("--dataset NAME, --path DATASET/PATH", "--dataset 名称，--path 数据集/路径"),
    "model_version": ("MODEL@VERSION (loupe models)", "模型@版本（loupe models）"),
    "batch_size": ("--batch-size", "--batch-size"),
    "confidence_threshold": ("--confidence-threshold", "--confidence-threshold"),
    "compute_resource": ("--resource NAME", "--resource 名称"),
    "training_params": ("--set KEY=VALUE or --train-params FILE", "--set 键=值 或 --train-params 文件"),
    "priority": ("--priority", "--priority"),
    "seed": ("--seed", "--seed"),
    "preprocessing.train_fraction": ("--train-fraction", "--train-fraction"),
    "preprocessing.augmentations": ("--augment LIST", "--augment 列表"),
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
        pick("FIELD", "字段"),
        pick("WHAT IS WRONG", "问题"),
        pick("REMEDY", "处理办法"),
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
        return Text(pick("error", "错误"), style="red")
    if finding.acknowledge_with:
        return Text(pick("to acknowledge", "需确认"), style="red")
    return Text(pick("warning", "警告"), style="yellow")


def _remedy(finding: Finding) -> str:
    if finding.reason in _BY_REASON:
        return pick(*_BY_REASON[finding.reason])
    fitting = [field for field in _BY_FIELD if finding.field.startswith(field)]
    return pick(*_BY_FIELD[max(fitting, key=len)]) if fitting else ""
