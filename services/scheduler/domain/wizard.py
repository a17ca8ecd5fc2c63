"""The wizard: is this submission sound, what is to be said of it, what does it resolve to (rule W, P1).

`facts` are what the registry and the library know; the functions are pure. All that is found is told
together.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from loupe.errors import Violation

from services.scheduler.domain.params import (
    ModelParams,
    NetworkParams,
    code_list_of,
    finding,
    model_params_of_data,
    parse_model_params,
    parse_object,
    parse_training_params,
)
from services.scheduler.domain.spec import (
    Augmentation,
    InputSpec,
    PredictionRequest,
    PredictionSpec,
    Preprocessing,
    TrainingOverlap,
    TrainingRequest,
    TrainingSpec,
)

MAX_NAME_CHARACTERS = 60
MAX_PRIORITY = 9
MAX_BATCH_SIZE = 4096
MAX_DATA_PATHS = 500
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_DEFAULT_TRAIN_FRACTION = 0.8
_DEFAULT_BATCH_SIZE = 32
_ALL_STEPS = 0
_DATA_STEP = 2

# W4, P7: what is a warning that refuses the submission until the user acknowledges it, and with which field.
ACKNOWLEDGED_WITH: Mapping[str, str] = {
    "UNACKNOWLEDGED_MISSING_TRAINING_PATHS": "acknowledge_missing_training_paths",
    "UNACKNOWLEDGED_TRAINING_OVERLAP": "acknowledge_training_overlap",
}

Spec = TypeVar("Spec")


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How many samples a code has, and how many of them a mask."""

    samples: int
    masks: int = 0


@dataclass(frozen=True, slots=True)
class PathFacts:
    """A data path as the registry knows it."""

    valid: bool
    codes: Mapping[str, CodeCount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """An image version as the registry knows it."""

    major: int
    input: InputSpec
    classification_networks: tuple[str, ...]
    default_model_params: Mapping[str, Any] = field(default_factory=dict)
    default_training_params: Mapping[str, Any] = field(default_factory=dict)
    training_paths: tuple[str, ...] = ()
    # W2: bound to one production environment, parameters fixed.
    business: bool = False
    production_environment: str = ""
    segmentation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """A released version as the registry knows it. `name` is exact even if an alias was asked for."""

    name: str
    code_list: tuple[str, ...]
    num_of_classes: int
    weights_sha256: str
    # `tasks/{task}` that made it.
    task: str = ""
    algorithm_image_version: str = ""
    production_environment: str = ""
    # Of the parent: bound by any version of its model (W6), its own first.
    data_paths: tuple[str, ...] = ()
    model_params: Mapping[str, Any] = field(default_factory=dict)
    training_params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model_name(self) -> str:
        """The model it is a version of."""
        return self.name.split("/")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about the things a submission names; None or False: there is no such thing."""

    image: ImageFacts | None = None
    environment_exists: bool = False
    resource_exists: bool = False
    paths: Mapping[str, PathFacts | None] = field(default_factory=dict)
    # By code, over all paths together: how many parts the split can divide (D3). Unsaid: each sample is one.
    parts: Mapping[str, int] = field(default_factory=dict)
    # Of the parent (W6) or of the version that a prediction tries (P1).
    version: VersionFacts | None = None
    # Which samples the parent was trained with and which it was judged by (D3).
    prior_split_sha256: str = ""
    # Of a prediction's data with what its version was trained with (P7).
    training_overlap: TrainingOverlap | None = None
    name_taken: bool = False


@dataclass(frozen=True, slots=True)
class Examination(Generic[Spec]):
    """All that was found, and what the submission resolves to if nothing of it is an error."""

    findings: tuple[Violation, ...]
    spec: Spec | None

    @property
    def errors(self) -> tuple[Violation, ...]:
        """Findings that refuse the submission."""
        return tuple(found for found in self.findings if found.severity == "error")


def examine_training(
    request: TrainingRequest, facts: Facts, seed: int, step: int = _ALL_STEPS
) -> Examination[TrainingSpec]:
    """Check one step, or all. `seed` is the one to take if the request leaves it to the server."""
    parent = facts.version if request.parent_version else None
    found: dict[int, list[Violation]] = {1: [], 2: [], 3: [], 4: []}
    found[1] += _check_name(request, facts, parent)
    found[1] += _check_image(request, facts)
    found[1] += _check_environment(request, facts, parent)
    given, faults = _given_model_params(request, facts, parent)
    found[1] += faults
    model_params, codes = None, None
    if given is not None and facts.image is not None:
        codes = code_list_of(given)
        model_params, faults = parse_model_params(given, facts.image.classification_networks)
        found[1] += faults
    found[1] += _check_parent(request, parent, model_params)
    found[2] += _check_paths(request.data_paths, facts)
    if codes is not None:
        found[2] += _check_codes(request, facts, codes, model_params.num_of_classes if model_params else 0)
    found[2] += _check_training_paths(request, facts)
    found[2] += _check_bound_paths(request, parent)
    found[3] += check_resource(request.compute_resource, facts)
    training_params, faults = _training_params(request, facts, parent)
    found[3] += faults
    found[3] += _check_priority(request.priority)
    found[3] += _check_seed(request.seed)
    preprocessing, faults = _preprocessing(request)
    found[4] += faults
    found[4] += _check_segmentation(request, facts)
    told = tuple(violation for number in found if step in (_ALL_STEPS, number) for violation in found[number])
    if any(v.severity == "error" for v in told) or facts.image is None:
        return Examination(told, None)
    if model_params is None or training_params is None or preprocessing is None:
        return Examination(told, None)
    spec = TrainingSpec(
        model_name=parent.model_name if parent else request.model_name,
        algorithm_image_version=request.algorithm_image_version,
        production_environment=_environment(request, facts, parent),
        data_paths=request.data_paths,
        compute_resource=request.compute_resource,
        model_params_json=request.model_params_json,
        training_params_json=request.training_params_json,
        preprocessing=preprocessing,
        train_segmentation=request.train_segmentation,
        seed=request.seed or seed,
        parent_version=parent.name if parent else "",
        warm_start=request.warm_start,
        acknowledge_missing_training_paths=request.acknowledge_missing_training_paths,
        segmentation_image=facts.image.segmentation,
        target_major=facts.image.major,
        input=facts.image.input,
        classification_network=model_params.network,
        code_list=model_params.code_list,
        num_of_classes=model_params.num_of_classes,
        training_params={level: params.as_json() for level, params in training_params.items()},
        warm_start_weights_sha256=parent.weights_sha256 if parent and request.warm_start else "",
        prior_split_sha256=facts.prior_split_sha256 if parent else "",
    )
    return Examination(told, spec)


def codes_to_judge(request: TrainingRequest, facts: Facts, step: int = _ALL_STEPS) -> tuple[str, ...]:
    """The codes whose `parts` an examination of that step needs to know (D9)."""
    if step not in (_ALL_STEPS, _DATA_STEP):
        return ()
    given, _ = _given_model_params(request, facts, facts.version if request.parent_version else None)
    counts = _code_counts(request.data_paths, facts)
    return tuple(code for code in (given and code_list_of(given)) or () if code in counts)


def retraining_of(parent: VersionFacts, answers: TrainingSpec, image: ImageFacts | None) -> TrainingRequest:
    """The wizard filled in with the answers that a version was made with (W13)."""
    business = image is not None and image.business
    return TrainingRequest(
        model_name=parent.model_name,
        algorithm_image_version=answers.algorithm_image_version,
        # A business image brings both itself (W2).
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


def examine_prediction(
    request: PredictionRequest, facts: Facts, step: int = _ALL_STEPS
) -> Examination[PredictionSpec]:
    """Check a question-bank run (P1): 1 version, 2 data paths, 3 parameters and resource."""
    found: dict[int, list[Violation]] = {1: [], 2: [], 3: [], 4: []}
    version = facts.version
    if version is None:
        found[1].append(_not_found("model_version", request.model_version, "model version", "模型版本"))
    found[2] += _check_paths(request.data_paths, facts)
    if version is not None:
        found[2] += _unlisted_codes(request.data_paths, facts, version.code_list)
    found[2] += check_training_overlap(request, facts.training_overlap)
    found[3] += check_resource(request.compute_resource, facts)
    found[3] += _check_priority(request.priority)
    if request.batch_size > MAX_BATCH_SIZE:
        found[3].append(
            finding(
                "batch_size",
                "OUT_OF_RANGE",
                f"batch_size must be a whole number from 1 to {MAX_BATCH_SIZE}, not {request.batch_size}",
                f"batch_size 必须为 1 至 {MAX_BATCH_SIZE} 的整数，而不是 {request.batch_size}",
            )
        )
    if not 0 <= request.confidence_threshold < 1:
        found[3].append(
            finding(
                "confidence_threshold",
                "OUT_OF_RANGE",
                f"confidence_threshold must be in [0, 1), not {request.confidence_threshold:g}",
                f"confidence_threshold 必须在 [0, 1) 内，而不是 {request.confidence_threshold:g}",
            )
        )
    told = tuple(violation for number in found if step in (_ALL_STEPS, number) for violation in found[number])
    if version is None or any(v.severity == "error" for v in told):
        return Examination(told, None)
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
    return Examination(told, spec)


def check_training_overlap(request: PredictionRequest, overlap: TrainingOverlap | None) -> list[Violation]:
    """P7: a version may be tried on what it was trained with, knowingly; its official report never is."""
    if overlap is None or not overlap.affected_sample_count:
        return []
    trained = f"{overlap.trained_sample_count} of {overlap.sample_count} samples"
    trained_zh = f"{overlap.sample_count} 个样本中有 {overlap.trained_sample_count} 个"
    if overlap.trained_group_count:
        groups, affected = overlap.trained_group_count, overlap.affected_sample_count
        trained += f" and {groups} groups ({affected} samples in all)"
        trained_zh += f"、{groups} 个分组（共涉及 {affected} 个样本）"
    message = (
        f"{trained} were trained or validated with; the report flatters the version and will not be its "
        "official one"
    )
    message_zh = f"{trained_zh}曾用于该版本的训练或验证；结果会偏高，报告不会成为正式的模型评估报告"
    if request.acknowledge_training_overlap:
        return [finding("data_paths", "TRAINING_OVERLAP", message, message_zh, "warning")]
    return [
        finding(
            "acknowledge_training_overlap",
            "UNACKNOWLEDGED_TRAINING_OVERLAP",
            f"{message}; choose other data, or acknowledge it",
            f"{message_zh}；请选择其他数据，或确认后继续",
        )
    ]


# Step 1.


def _check_name(request: TrainingRequest, facts: Facts, parent: VersionFacts | None) -> list[Violation]:
    """W1; of a retraining, the name is the model's."""
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


def _check_image(request: TrainingRequest, facts: Facts) -> list[Violation]:
    """W2."""
    if facts.image is not None:
        return []
    return [
        _not_found("algorithm_image_version", request.algorithm_image_version, "image version", "镜像版本")
    ]


def _environment(request: TrainingRequest, facts: Facts, parent: VersionFacts | None) -> str:
    if facts.image is not None and facts.image.business:
        return facts.image.production_environment
    return request.production_environment or (parent.production_environment if parent else "")


def _check_environment(
    request: TrainingRequest, facts: Facts, parent: VersionFacts | None
) -> list[Violation]:
    """W2: chosen for a general image, brought by a business image; a model keeps its own."""
    found = []
    if facts.image is not None and facts.image.business:
        if request.production_environment:
            found.append(
                finding(
                    "production_environment",
                    "FIXED_BY_IMAGE",
                    f"a business image brings {facts.image.production_environment}; leave this empty",
                    f"业务类镜像自带生产环境 {facts.image.production_environment}，此项请留空",
                )
            )
    elif not request.production_environment and parent is None:
        found.append(
            finding(
                "production_environment",
                "MISSING_PRODUCTION_ENVIRONMENT",
                "a general image has no environment of its own; choose the one that the model is for",
                "通用类型镜像不绑定生产环境，请选择模型适用的生产环境",
            )
        )
    elif request.production_environment and not facts.environment_exists:
        found.append(
            _not_found(
                "production_environment", request.production_environment, "production environment", "生产环境"
            )
        )
    environment = _environment(request, facts, parent)
    if parent is not None and parent.production_environment and environment != parent.production_environment:
        found.append(
            finding(
                "production_environment",
                "ENVIRONMENT_DIFFERS_FROM_MODEL",
                f"{parent.model_name} is for {parent.production_environment}; "
                f"a new version cannot be for {environment}",
                f"模型 {parent.model_name} 属于 {parent.production_environment}，"
                f"新版本不能改为 {environment}",
            )
        )
    return found


def _given_model_params(
    request: TrainingRequest, facts: Facts, parent: VersionFacts | None
) -> tuple[Mapping[str, Any] | None, list[Violation]]:
    """W2, W3: the user's, or the parent's, or the image's own, or its default with the codes of the data."""
    image = facts.image
    if image is None:
        return None, []
    if request.model_params_json.strip():
        if not image.business:
            return parse_object(request.model_params_json, "model_params")
        return None, [
            finding(
                "model_params",
                "FIXED_BY_IMAGE",
                "a business image brings its model parameters; leave them empty",
                "业务类镜像自带模型参数，此项请留空",
            )
        ]
    if image.business:
        return image.default_model_params, []
    if parent is not None and parent.model_params:
        # W13. Their order is kept for ever (W3), so codes of new data do not push into them.
        return parent.model_params, []
    return _model_params_of_data(image, _code_counts(request.data_paths, facts))


def _model_params_of_data(
    image: ImageFacts, counts: Mapping[str, CodeCount]
) -> tuple[Mapping[str, Any] | None, list[Violation]]:
    """Nobody wrote these codes, so what became of them is said, unless it is the default itself."""
    if not counts:
        # Nothing to take the codes from; step 2 says that there is no data.
        return None, []
    network = next(iter(image.classification_networks), "")
    taken = model_params_of_data(image.default_model_params, counts, network)
    codes = taken["code_list"]
    if codes == image.default_model_params.get("code_list"):
        return taken, []
    learnt = taken["classification"]["num_of_classes"]
    classes, special = _named(codes[:learnt]), _named(codes[learnt:])
    return taken, [
        finding(
            "model_params",
            "CODES_OF_THE_DATA",
            f"model_params is empty, so the codes are the data's: {learnt} classes ({classes}), "
            f"{len(codes) - learnt} special ({special}); write code_list if that is not meant",
            f"未填写模型参数，code 取自数据：{learnt} 个分类类别（{classes}），"
            f"{len(codes) - learnt} 个特殊缺陷（{special}）；如不符合预期请填写 code_list",
            "warning",
        )
    ]


def _named(codes: Sequence[str]) -> str:
    return ", ".join(codes[:10]) + (", …" if len(codes) > 10 else "") or "–"


def _check_parent(
    request: TrainingRequest, parent: VersionFacts | None, params: ModelParams | None
) -> list[Violation]:
    """W13: the parent exists, its codes keep their order (W3), its weights fit."""
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
        return [_not_found("parent_version", request.parent_version, "model version", "模型版本")]
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


# Step 2.


def _check_paths(paths: Sequence[str], facts: Facts) -> list[Violation]:
    """W4, W5: every path exists once and is valid."""
    if not paths:
        return [
            finding("data_paths", "NO_DATA_PATHS", "at least one data path is needed", "至少需要一个数据路径")
        ]
    if len(paths) > MAX_DATA_PATHS:
        return [
            finding(
                "data_paths",
                "TOO_MANY_DATA_PATHS",
                f"{len(paths)} data paths; at most {MAX_DATA_PATHS} are accepted",
                f"共 {len(paths)} 个数据路径，最多允许 {MAX_DATA_PATHS} 个",
            )
        ]
    found = []
    first_seen: dict[str, int] = {}
    for index, path in enumerate(paths):
        at = f"data_paths[{index}]"
        known = facts.paths.get(path)
        if path in first_seen:
            found.append(
                finding(
                    at,
                    "DUPLICATE_DATA_PATH",
                    f"{path} is listed already, at [{first_seen[path]}]",
                    f"{path} 已在 [{first_seen[path]}] 处列出",
                )
            )
        elif known is None:
            found.append(_not_found(at, path, "data path", "数据路径"))
        elif not known.valid:
            found.append(
                finding(
                    at,
                    "INVALID_DATA_PATH",
                    f"{path} has no image; import some or remove the path",
                    f"{path} 下没有图片，请先导入图片或删除该路径",
                )
            )
        first_seen.setdefault(path, index)
    return found


def _check_codes(
    request: TrainingRequest, facts: Facts, codes: Sequence[str], num_of_classes: int
) -> list[Violation]:
    """W5, D9: codes against samples."""
    if not any(facts.paths.get(path) for path in request.data_paths):
        return []
    counts = _code_counts(request.data_paths, facts)
    found = []
    for index, code in enumerate(codes):
        samples = counts[code].samples if code in counts else 0
        at = f"model_params.code_list[{index}]"
        if samples == 0:
            found.append(
                finding(
                    at,
                    "CODE_WITHOUT_SAMPLES",
                    f"no sample has the code {code}; add a path that has, or take the code out",
                    f"没有任何样本属于 {code}，请添加包含它的数据路径或删除该 code",
                )
            )
        elif index < num_of_classes and samples < 2:
            found.append(
                finding(
                    at,
                    "CLASS_TOO_SMALL",
                    f"the class {code} has 1 sample; training and validation need one each",
                    f"类别 {code} 只有 1 个样本，训练和验证至少各需 1 个",
                )
            )
        elif facts.parts.get(code, samples) < 2:
            found.append(
                finding(
                    at,
                    "CODE_IN_ONE_GROUP",
                    f"the samples of {code} ({samples}) are 1 group (the same group key or content), which "
                    "cannot be divided: training and validation need one each; "
                    "bring pictures of another group, or leave the code out",
                    f"{code} 的 {samples} 个样本同属 1 组（组号或内容相同），不可拆分；"
                    "训练和验证至少各需 1 组，请补充其他组的图片，或删除该 code",
                )
            )
    return [*found, *_unlisted_codes(request.data_paths, facts, codes)]


def _unlisted_codes(paths: Sequence[str], facts: Facts, code_list: Iterable[str]) -> list[Violation]:
    """W5's second: samples whose code is not in the list are left out, and that is said with a count."""
    listed = set(code_list)
    unlisted = {code: c.samples for code, c in _code_counts(paths, facts).items() if code not in listed}
    if not unlisted:
        return []
    names = ", ".join(f"{code} ({samples})" for code, samples in sorted(unlisted.items())[:10])
    more = f", … ({len(unlisted)} codes)" if len(unlisted) > 10 else ""
    total = sum(unlisted.values())
    return [
        finding(
            "data_paths",
            "SAMPLES_OF_UNLISTED_CODES",
            f"{total} samples have codes that are not in code_list and are left out: {names}{more}",
            f"{total} 个样本的 code 不在 code_list 中，将被排除：{names}{more}",
            "warning",
        )
    ]


def _check_training_paths(request: TrainingRequest, facts: Facts) -> list[Violation]:
    """W4: the image's own training paths may be left out, knowingly."""
    if facts.image is None:
        return []
    missing = [path for path in facts.image.training_paths if path not in request.data_paths]
    if not missing:
        return []
    names = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    if request.acknowledge_missing_training_paths:
        return [
            finding(
                "data_paths",
                "MISSING_TRAINING_PATHS",
                f"{len(missing)} training paths of the image are left out: {names}",
                f"未包含镜像的 {len(missing)} 个训练路径：{names}",
                "warning",
            )
        ]
    return [
        finding(
            "acknowledge_missing_training_paths",
            "UNACKNOWLEDGED_MISSING_TRAINING_PATHS",
            f"{len(missing)} training paths of the image are left out: {names}; add them, or acknowledge it",
            f"未包含镜像的 {len(missing)} 个训练路径：{names}；请添加，或确认忽略",
        )
    ]


def _check_bound_paths(request: TrainingRequest, parent: VersionFacts | None) -> list[Violation]:
    """W6."""
    if parent is None:
        return []
    return [
        finding(
            "data_paths",
            "PARENT_PATH_REMOVED",
            f"{path} is bound by a version of {parent.model_name} and cannot be left out of a retraining",
            f"{path} 是模型 {parent.model_name} 已绑定的数据路径，重新训练时不可删除",
        )
        for path in parent.data_paths
        if path not in request.data_paths
    ]


# Step 3.


def check_resource(resource: str, facts: Facts) -> list[Violation]:
    """W7."""
    if not resource:
        return [
            finding(
                "compute_resource",
                "MISSING_COMPUTE_RESOURCE",
                "choose a compute resource of the master data",
                "请选择主数据中的计算资源",
            )
        ]
    if facts.resource_exists:
        return []
    return [_not_found("compute_resource", resource, "compute resource", "计算资源")]


def _training_params(
    request: TrainingRequest, facts: Facts, parent: VersionFacts | None
) -> tuple[dict[str, NetworkParams] | None, list[Violation]]:
    """W8, W9, W13: the user's, or of a retraining its parent's; completed by the image's defaults."""
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


def _check_priority(priority: int) -> list[Violation]:
    """T8."""
    if 0 <= priority <= MAX_PRIORITY:
        return []
    return [
        finding(
            "priority",
            "OUT_OF_RANGE",
            f"priority must be from 0 to {MAX_PRIORITY}, not {priority}",
            f"priority 必须为 0 至 {MAX_PRIORITY}，而不是 {priority}",
        )
    ]


def _check_seed(seed: int) -> list[Violation]:
    if seed >= 0:
        return []
    return [
        finding(
            "seed",
            "OUT_OF_RANGE",
            f"seed must be a whole number from 0 (0: chosen by the server), not {seed}",
            f"seed 必须为不小于 0 的整数（0 表示由服务器选择），而不是 {seed}",
        )
    ]


# Step 4.


def _preprocessing(request: TrainingRequest) -> tuple[Preprocessing | None, list[Violation]]:
    """W10."""
    found = []
    fraction = _DEFAULT_TRAIN_FRACTION if request.train_fraction is None else request.train_fraction
    if not 0 < fraction < 1:
        found.append(
            finding(
                "preprocessing.train_fraction",
                "OUT_OF_RANGE",
                f"train_fraction must be in (0, 1), not {fraction:g}; 0.8 trains on 80 %, validates on 20 %",
                f"切分比例必须在 (0, 1) 内，而不是 {fraction:g}；0.8 表示 80 % 训练、20 % 验证",
            )
        )
    known = {augmentation.value for augmentation in Augmentation}
    for index, name in enumerate(request.augmentations):
        if name not in known:
            found.append(
                finding(
                    f"preprocessing.augmentations[{index}]",
                    "UNKNOWN_AUGMENTATION",
                    f"{name} is not an augmentation; there are {', '.join(sorted(known))}",
                    f"{name} 不是数据增强方式，可选：{'、'.join(sorted(known))}",
                )
            )
    if found:
        return None, found
    chosen = tuple(a for a in Augmentation if a.value in request.augmentations)
    return Preprocessing(fraction, request.filter_resolution, chosen), []


def _check_segmentation(request: TrainingRequest, facts: Facts) -> list[Violation]:
    """W11."""
    if not request.train_segmentation or facts.image is None:
        return []
    if not facts.image.segmentation:
        return [
            finding(
                "train_segmentation",
                "NOT_A_SEGMENTATION_IMAGE",
                "the image is for classification only; choose one for segmentation + classification",
                "该镜像的任务类型为分类，只有分割分类镜像才能开启训练分割",
            )
        ]
    counts = _code_counts(request.data_paths, facts)
    if counts and not any(count.masks for count in counts.values()):
        return [
            finding(
                "train_segmentation",
                "NO_MASKS",
                "none of the samples has a mask; segmentation has nothing to learn from",
                "所有样本都没有掩码，无法训练分割模型",
            )
        ]
    return []


def _code_counts(paths: Sequence[str], facts: Facts) -> dict[str, CodeCount]:
    total: dict[str, CodeCount] = {}
    for path in dict.fromkeys(paths):
        known = facts.paths.get(path)
        for code, count in (known.codes if known else {}).items():
            before = total.get(code, CodeCount(0))
            total[code] = replace(
                before, samples=before.samples + count.samples, masks=before.masks + count.masks
            )
    return {code: count for code, count in total.items() if count.samples}


def _not_found(at: str, name: str, what: str, what_zh: str) -> Violation:
    shown = f'"{name[:200]}"' if name else "nothing"
    return finding(
        at,
        "NOT_FOUND",
        f"there is no {what} {shown}" if name else f"no {what} is chosen",
        f"{what_zh} {shown} 不存在" if name else f"未选择{what_zh}",
    )
