"""Step 1: the name of the model, and the parent version of a retraining (rules W1, W13)."""

import re

from services.kit.errors import Violation
from services.scheduler.domain.spec import TrainingRequest
from services.scheduler.domain.wizard.findings import finding, not_found
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
            finding(
                "model_name",
                "MODEL_NAME_DIFFERS",
                f"a retraining of {parent.name} makes a version of {parent.model_name}; leave the name empty",
                f"对 {parent.name} 的重新训练会生成 {parent.model_name} 的新版本，名称请留空",
            )
        ]
    if request.parent_version:
        return []
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARACTERS:
        return [
            finding(
                "model_name",
                "BAD_MODEL_NAME",
                f'"{name[:80]}" is not a model name: 1 to 60 of A-Z, a-z, 0-9, - and _, beginning with a '
                "letter and ending with a letter or digit",
                f"“{name[:80]}” 不是合法的模型名称：最长 60 个字符，字母开头，"
                "支持 a-z、A-Z、0-9、-、_，以数字或字母结尾",
            )
        ]
    if facts.name_taken:
        return [
            finding(
                "model_name",
                "MODEL_NAME_TAKEN",
                f"another model or training task has the name {name}; choose another, or retrain that model",
                f"名称 {name} 已被其他模型或训练任务使用，请更换名称或对该模型重新训练",
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
            finding(
                "warm_start",
                "WARM_START_WITHOUT_PARENT",
                "only a retraining can start from its parent's weights",
                "只有重新训练才能从父版本的权重开始",
            )
        ]
    if parent is None:
        return [not_found("parent_version", request.parent_version, "model version", "模型版本")]
    if params is None:
        return []
    found = []
    kept = [code for code in params.code_list if code in parent.code_list]
    if kept != [code for code in parent.code_list if code in kept]:
        found.append(
            finding(
                "model_params.code_list",
                "CODE_ORDER_DIFFERS",
                f"the codes of {parent.name} are in another order; who reads codes by number will be misled",
                f"code 顺序与 {parent.name} 不同，按序号读取 code 的系统会出错",
                "warning",
            )
        )
    if request.warm_start and params.classes != parent.code_list[: parent.num_of_classes]:
        found.append(
            finding(
                "warm_start",
                "WARM_START_CLASSES_DIFFER",
                f"the classes differ from {parent.name}'s; its last layer is not taken over",
                f"类别与 {parent.name} 不同，最后一层的权重不会被沿用",
                "warning",
            )
        )
    return found
