"""Training parameters as JSON: their keys, the accepted values, and doubtful schedules (rules W8, W9)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from services.kit.errors import Violation
from services.learning_rate import LR_POLICIES, LrPolicy, Schedule
from services.scheduler.domain.wizard.findings import finding
from services.scheduler.domain.wizard.json_object import (
    is_number,
    missing_object,
    quoted,
    unknown_keys,
    whole_from,
)

# W8: a rate below this share of base_lr in the first tenth of max_iter is a schedule that dies.
_DEAD_SHARE = 1e-8
_EARLY_PART = 10


@dataclass(frozen=True, slots=True)
class NetworkParams:
    """Training parameters of one network (W8)."""

    base_lr: float
    batch_size: int
    max_iter: int
    weight_decay: float
    momentum: float
    lr_policy: LrPolicy
    power: float
    gamma: float

    @property
    def schedule(self) -> Schedule:
        """The learning rate at every iteration."""
        return Schedule(self.lr_policy, self.base_lr, self.max_iter, self.gamma, self.power)

    def dies_at(self) -> int | None:
        """The first iteration of the first tenth whose rate is below 1e-8 · base_lr; None if none is."""
        if self.lr_policy == "exp" and self.gamma > 1:
            return None
        last = -(-self.max_iter // _EARLY_PART) - 1
        floor = _DEAD_SHARE * self.base_lr
        if self.schedule(last) >= floor:
            return None
        # Rates never rise, so bisection finds the first one below the floor.
        low, high = 0, last
        while low < high:
            middle = (low + high) // 2
            if self.schedule(middle) < floor:
                high = middle
            else:
                low = middle + 1
        return low

    def as_json(self) -> dict[str, Any]:
        """The JSON object of W8."""
        return asdict(self)


_RULES: Mapping[str, tuple[Callable[[Any], bool], str, str]] = {
    "base_lr": (lambda v: is_number(v) and v > 0, "a number above 0", "大于 0 的数"),
    "batch_size": (whole_from(1), "a whole number from 1", "不小于 1 的整数"),
    "max_iter": (
        whole_from(1),
        "a whole number from 1 (it counts batches)",
        "不小于 1 的整数（按 batch 计）",
    ),
    "weight_decay": (lambda v: is_number(v) and v >= 0, "a number from 0", "不小于 0 的数"),
    "momentum": (lambda v: is_number(v) and 0 <= v < 1, "a number in [0, 1)", "[0, 1) 内的数"),
    "lr_policy": (
        lambda v: isinstance(v, str) and v in LR_POLICIES,
        "one of " + ", ".join(LR_POLICIES),
        "以下之一：" + "、".join(LR_POLICIES),
    ),
    # Negative values could make inv and poly divide by zero or return complex numbers.
    "power": (lambda v: is_number(v) and 0 <= v <= 1000, "a number in [0, 1000]", "[0, 1000] 内的数"),
    "gamma": (lambda v: is_number(v) and 0 <= v <= 1000, "a number in [0, 1000]", "[0, 1000] 内的数"),
}


def parse_training_params(
    given: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *,
    train_segmentation: bool,
    field: str = "training_params",
) -> tuple[dict[str, NetworkParams] | None, list[Violation]]:
    """W8, from a parsed object; the image's defaults fill missing keys. W9: an unused level is ignored."""
    found = unknown_keys(given, ("classification", "segmentation"), field)
    levels = ("classification", "segmentation") if train_segmentation else ("classification",)
    parsed: dict[str, NetworkParams] = {}
    for level in levels:
        at = f"{field}.{level}"
        values = given.get(level, {})
        if not isinstance(values, dict):
            found.append(missing_object(at, values))
            continue
        default = defaults.get(level)
        params, faults = _network_params(values, default if isinstance(default, dict) else {}, at)
        found += faults
        if params is not None:
            parsed[level] = params
    complete = len(parsed) == len(levels)
    return (parsed if complete else None), found


def _network_params(
    given: Mapping[str, Any], default: Mapping[str, Any], at: str
) -> tuple[NetworkParams | None, list[Violation]]:
    found = unknown_keys(given, tuple(_RULES), at)
    # Only some policies use `power` and `gamma`; these values are those of the source document's example.
    values = {"power": 0.9, "gamma": 0.1, **default, **given}
    faults = [fault for key in _RULES if (fault := _check_value(key, values, at)) is not None]
    found += faults
    if faults:
        return None, found
    params = NetworkParams(
        base_lr=float(values["base_lr"]),
        batch_size=int(values["batch_size"]),
        max_iter=int(values["max_iter"]),
        weight_decay=float(values["weight_decay"]),
        momentum=float(values["momentum"]),
        lr_policy=values["lr_policy"],
        power=float(values["power"]),
        gamma=float(values["gamma"]),
    )
    return params, found + _warnings(params, at)


def _check_value(key: str, values: Mapping[str, Any], at: str) -> Violation | None:
    accepts, expected, expected_zh = _RULES[key]
    if key not in values:
        return finding(
            f"{at}.{key}", "MISSING_KEY", f"{key} is missing: {expected}", f"缺少 {key}：{expected_zh}"
        )
    value = values[key]
    if accepts(value):
        return None
    return finding(
        f"{at}.{key}",
        "OUT_OF_RANGE",
        f"{key} must be {expected}, not {quoted(value)}",
        f"{key} 必须为{expected_zh}，而不是 {quoted(value)}",
    )


def _warnings(params: NetworkParams, at: str) -> list[Violation]:
    """Accepted values with which a training probably fails."""
    found = []
    if params.lr_policy == "exp" and params.gamma > 1:
        found.append(
            finding(
                f"{at}.gamma",
                "GROWING_SCHEDULE",
                f"exp with gamma {params.gamma:g} raises the rate with every iteration until the loss is no "
                "number; a gamma below 1 lowers it",
                f"exp 策略下 gamma {params.gamma:g} 会使学习率逐次增大，直至损失溢出；gamma 应小于 1",
                "warning",
            )
        )
    if params.batch_size == 1:
        found.append(
            finding(
                f"{at}.batch_size",
                "BATCH_OF_ONE",
                "batch normalisation takes its statistics from the batch: those of one image say little of "
                "others, and there are none where the last layer sees one pixel; take 8 or more",
                "批归一化的统计量取自每个 batch：只有一张图片时没有代表性，"
                "最后一层只有一个像素时则无法计算；建议不小于 8",
                "warning",
            )
        )
    dead = params.dies_at()
    if dead is not None:
        found.append(
            finding(
                f"{at}.lr_policy",
                "DYING_SCHEDULE",
                f"{params.lr_policy} with gamma {params.gamma:g} and power {params.power:g} falls below "
                f"1e-8 · base_lr at iteration {dead} of {params.max_iter}; nothing is learnt after that",
                f"{params.lr_policy} 策略（gamma {params.gamma:g}，power {params.power:g}）在第 {dead} 次迭代"
                f"（共 {params.max_iter} 次）学习率已低于 base_lr 的 1e-8，此后模型不再学习",
                "warning",
            )
        )
    return found
