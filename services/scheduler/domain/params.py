"""Parameters as JSON text: what is accepted, and what is said about the rest (rules W3, W8, W9).

Every function returns what it could read and all that it found; nothing raises.
"""

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loupe.errors import Severity, Violation

MAX_JSON_CHARACTERS = 65_536
MAX_CODES = 1_000
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.){0,40}"?|[A-Za-z0-9_.+-]{1,40}|.', re.DOTALL)

LR_POLICIES = ("fixed", "exp", "inv", "poly")
# W8: a rate below this share of base_lr, in the first tenth of max_iter, is a schedule that dies.
_DEAD_SHARE = 1e-8
_EARLY_PART = 10


@dataclass(frozen=True, slots=True)
class ModelParams:
    """W3. The first `num_of_classes` of `code_list` are the classifier's; the rest are special defects."""

    network: str
    num_of_classes: int
    code_list: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classifier's codes."""
        return self.code_list[: self.num_of_classes]


@dataclass(frozen=True, slots=True)
class NetworkParams:
    """W8, of one network."""

    base_lr: float
    batch_size: int
    max_iter: int
    weight_decay: float
    momentum: float
    lr_policy: str
    power: float
    gamma: float

    def rate(self, iteration: int) -> float:
        """The learning rate at an iteration, counted from 0."""
        match self.lr_policy:
            case "exp":
                try:
                    return self.base_lr * self.gamma**iteration
                except OverflowError:
                    return math.inf
            case "inv":
                return float(self.base_lr * (1 + self.gamma * iteration) ** -self.power)
            case "poly":
                return float(self.base_lr * (1 - iteration / self.max_iter) ** self.power)
            case _:
                return self.base_lr

    def dies_at(self) -> int | None:
        """The first iteration of the first tenth whose rate is below 1e-8 · base_lr; None if none is."""
        if self.lr_policy == "exp" and self.gamma > 1:
            return None
        last = -(-self.max_iter // _EARLY_PART) - 1
        floor = _DEAD_SHARE * self.base_lr
        if self.rate(last) >= floor:
            return None
        # Rates only fall, so the first one below the floor can be bisected.
        low, high = 0, last
        while low < high:
            middle = (low + high) // 2
            if self.rate(middle) < floor:
                high = middle
            else:
                low = middle + 1
        return low

    def as_json(self) -> dict[str, Any]:
        """As W8 writes it."""
        return asdict(self)


def finding(
    field: str, reason: str, message: str, message_zh: str, severity: Severity = "error"
) -> Violation:
    """One fault or warning."""
    return Violation(field=field, reason=reason, message=message, message_zh=message_zh, severity=severity)


class _Refused(Exception):
    """Well-formed JSON that is refused all the same; never leaves this module."""

    def __init__(self, reason: str, message: str, message_zh: str) -> None:
        super().__init__(message)
        self.reason, self.message, self.message_zh = reason, message, message_zh


def parse_object(text: str, field: str) -> tuple[dict[str, Any] | None, list[Violation]]:
    """A JSON object from text; malformed text is told by line, column and what was expected."""

    def fault(reason: str, message: str, message_zh: str) -> tuple[None, list[Violation]]:
        return None, [finding(field, reason, message, message_zh)]

    if len(text) > MAX_JSON_CHARACTERS:
        return fault(
            "JSON_TOO_LONG",
            f"the text has {len(text)} characters; at most {MAX_JSON_CHARACTERS} are accepted",
            f"文本有 {len(text)} 个字符，最多允许 {MAX_JSON_CHARACTERS} 个",
        )
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return None, [_malformed(text, field, error)]
    except _Refused as error:
        return fault(error.reason, error.message, error.message_zh)
    except (RecursionError, ValueError):
        return fault(
            "JSON_TOO_DEEP",
            "the text is nested too deeply, or a number has too many digits",
            "JSON 嵌套过深或数字过长",
        )
    if not isinstance(value, dict):
        return None, [_missing_object(field, value)]
    return value, []


def parse_model_params(
    given: Mapping[str, Any], networks: Sequence[str], field: str = "model_params"
) -> tuple[ModelParams | None, list[Violation]]:
    """W3, from a parsed object."""
    found = _unknown_keys(given, ("classification", "code_list"), field)
    codes, faults = _code_list(given.get("code_list"), f"{field}.code_list")
    found += faults
    level = given.get("classification")
    at = f"{field}.classification"
    if not isinstance(level, dict):
        found.append(_missing_object(at, level))
        return None, found
    found += _unknown_keys(level, ("name", "num_of_classes"), at)
    network = level.get("name")
    if not isinstance(network, str) or network not in networks:
        known = ", ".join(networks)
        found.append(
            finding(
                f"{at}.name",
                "UNKNOWN_NETWORK",
                f"{_shown(network)} is not a network of this image; it has {known}",
                f"{_shown(network)} 不是该镜像支持的网络，可选：{known}",
            )
        )
        network = None
    classes, faults = _num_of_classes(level.get("num_of_classes"), codes, f"{at}.num_of_classes")
    found += faults
    if network is None or classes is None or codes is None:
        return None, found
    return ModelParams(network, classes, codes), found


def code_list_of(given: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The codes alone, if they are sound: they can be held against the data whatever else is wrong (W5)."""
    return _code_list(given.get("code_list"), "code_list")[0]


def model_params_of_data(default: Mapping[str, Any], codes: Iterable[str], network: str) -> dict[str, Any]:
    """W3's default for the codes of the data: those that it knows in its order, special ones special.

    Codes that the default does not have are classes after its own.
    """
    present = set(codes)
    level = default.get("classification")
    level = dict(level) if isinstance(level, dict) else {}
    listed = default.get("code_list")
    known = [code for code in listed if isinstance(code, str)] if isinstance(listed, list) else []
    classes = level.get("num_of_classes")
    learnt = int(classes) if isinstance(classes, int | float) and _whole_from(0)(classes) else len(known)
    kept = [code for code in known[:learnt] if code in present] + sorted(present - set(known))
    special = [code for code in known[learnt:] if code in present]
    level = {"name": network, **level, "num_of_classes": len(kept)}
    return {**default, "classification": level, "code_list": kept + special}


def parse_training_params(
    given: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *,
    train_segmentation: bool,
    field: str = "training_params",
) -> tuple[dict[str, NetworkParams] | None, list[Violation]]:
    """W8, from a parsed object; what is not given is the image's default. W9: an unused level is ignored."""
    found = _unknown_keys(given, ("classification", "segmentation"), field)
    levels = ("classification", "segmentation") if train_segmentation else ("classification",)
    parsed: dict[str, NetworkParams] = {}
    for level in levels:
        at = f"{field}.{level}"
        values = given.get(level, {})
        if not isinstance(values, dict):
            found.append(_missing_object(at, values))
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
    found = _unknown_keys(given, tuple(_RULES), at)
    # `power` and `gamma` matter to some policies only; the source's own example has these values.
    values = {"power": 0.9, "gamma": 0.1, **default, **given}
    checked: dict[str, Any] = {}
    for key, (accepts, wanted, wanted_zh) in _RULES.items():
        if key not in values:
            found.append(
                finding(
                    f"{at}.{key}", "MISSING_KEY", f"{key} is missing: {wanted}", f"缺少 {key}：{wanted_zh}"
                )
            )
            continue
        value = values[key]
        if not accepts(value):
            found.append(
                finding(
                    f"{at}.{key}",
                    "OUT_OF_RANGE",
                    f"{key} must be {wanted}, not {_shown(value)}",
                    f"{key} 必须为{wanted_zh}，而不是 {_shown(value)}",
                )
            )
            continue
        checked[key] = value
    if len(checked) != len(_RULES):
        return None, found
    params = NetworkParams(
        base_lr=float(checked["base_lr"]),
        batch_size=int(checked["batch_size"]),
        max_iter=int(checked["max_iter"]),
        weight_decay=float(checked["weight_decay"]),
        momentum=float(checked["momentum"]),
        lr_policy=checked["lr_policy"],
        power=float(checked["power"]),
        gamma=float(checked["gamma"]),
    )
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
    return params, found


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1e300 < value < 1e300


def _whole_from(least: int) -> Any:  # noqa: ANN401 -- a predicate
    # Values come from google.protobuf.Struct too, which has no integers: 256.0 is 256.
    return lambda value: _is_number(value) and value == int(value) and least <= value < 2**53


_RULES: Mapping[str, tuple[Any, str, str]] = {
    "base_lr": (lambda v: _is_number(v) and v > 0, "a number above 0", "大于 0 的数"),
    "batch_size": (_whole_from(1), "a whole number from 1", "不小于 1 的整数"),
    "max_iter": (
        _whole_from(1),
        "a whole number from 1 (it counts batches)",
        "不小于 1 的整数（按 batch 计）",
    ),
    "weight_decay": (lambda v: _is_number(v) and v >= 0, "a number from 0", "不小于 0 的数"),
    "momentum": (lambda v: _is_number(v) and 0 <= v < 1, "a number in [0, 1)", "[0, 1) 内的数"),
    "lr_policy": (
        lambda v: isinstance(v, str) and v in LR_POLICIES,
        "one of " + ", ".join(LR_POLICIES),
        "以下之一：" + "、".join(LR_POLICIES),
    ),
    # Negative ones would make inv and poly divide by zero or turn complex.
    "power": (lambda v: _is_number(v) and 0 <= v <= 1000, "a number in [0, 1000]", "[0, 1000] 内的数"),
    "gamma": (lambda v: _is_number(v) and 0 <= v <= 1000, "a number in [0, 1000]", "[0, 1000] 内的数"),
}


def _code_list(value: object, at: str) -> tuple[tuple[str, ...] | None, list[Violation]]:
    if not isinstance(value, list) or not value:
        return None, [
            finding(
                at,
                "MISSING_KEY" if value is None else "NOT_A_LIST",
                'a list of defect codes is expected, as in ["TPFIP", "TTFBS"]',
                '应为缺陷 code 列表，例如 ["TPFIP", "TTFBS"]',
            )
        ]
    if len(value) > MAX_CODES:
        return None, [
            finding(
                at,
                "TOO_MANY_CODES",
                f"{len(value)} codes; at most {MAX_CODES} are accepted",
                f"共 {len(value)} 个 code，最多允许 {MAX_CODES} 个",
            )
        ]
    found: list[Violation] = []
    first_seen: dict[str, int] = {}
    for index, code in enumerate(value):
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            found.append(
                finding(
                    f"{at}[{index}]",
                    "BAD_CODE",
                    f"{_shown(code)} is not a defect code: 1 to 32 of A-Z, a-z, 0-9, _ and -",
                    f"{_shown(code)} 不是合法的缺陷 code：1 至 32 个字符，可用 A-Z、a-z、0-9、_ 和 -",
                )
            )
        elif code in first_seen:
            found.append(
                finding(
                    f"{at}[{index}]",
                    "DUPLICATE_CODE",
                    f"{code} is listed already, at [{first_seen[code]}]",
                    f"{code} 已在 [{first_seen[code]}] 处列出",
                )
            )
        else:
            first_seen[code] = index
    return (None if found else tuple(value)), found


def _num_of_classes(
    value: object, codes: tuple[str, ...] | None, at: str
) -> tuple[int | None, list[Violation]]:
    if not _whole_from(2)(value):
        return None, [
            finding(
                at,
                "MISSING_KEY" if value is None else "OUT_OF_RANGE",
                f"num_of_classes must be a whole number from 2, not {_shown(value)}",
                f"num_of_classes 必须为不小于 2 的整数，而不是 {_shown(value)}",
            )
        ]
    classes = int(value)  # type: ignore[call-overload]  # the predicate says that it is a number
    if codes is not None and classes > len(codes):
        return None, [
            finding(
                at,
                "MORE_CLASSES_THAN_CODES",
                f"num_of_classes is {classes}, but code_list has {len(codes)}",
                f"num_of_classes 为 {classes}，但 code_list 只有 {len(codes)} 个",
            )
        ]
    return classes, []


def _unknown_keys(given: Mapping[str, Any], known: Sequence[str], at: str) -> list[Violation]:
    found = []
    for key in given:
        if key in known:
            continue
        # W8 wants the nearest named, however far it is.
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
        found.append(
            finding(
                f"{at}.{key[:64]}",
                "UNKNOWN_KEY",
                f'unknown key "{key[:64]}"; the nearest known one is "{nearest}" (known: {", ".join(known)})',
                f"未知的键 “{key[:64]}”；最接近的已知键为 “{nearest}”（可用：{'、'.join(known)}）",
            )
        )
    return found


def _missing_object(at: str, value: object) -> Violation:
    return finding(
        at,
        "MISSING_KEY" if value is None else "NOT_AN_OBJECT",
        f"a JSON object is expected, as in {{…}}, not {_kind(value)}",
        f"应为 JSON 对象 {{…}}，而不是{_kind_zh(value)}",
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise _Refused(
                "DUPLICATE_KEY",
                f'the key "{key[:64]}" occurs twice in one object',
                f"键 “{key[:64]}” 在同一对象中出现两次",
            )
        value[key] = item
    return value


def _refuse_constant(name: str) -> None:
    raise _Refused("NOT_A_NUMBER", f"{name} is not a JSON number", f"{name} 不是合法的 JSON 数字")


# What json.JSONDecodeError says, and what was expected where it said so.
_EXPECTED: tuple[tuple[str, str, str], ...] = (
    ("Expecting ',' delimiter", "','", "','"),
    ("Expecting ':' delimiter", "':'", "':'"),
    ("Expecting property name", "a name in double quotes", "带双引号的键名"),
    ("Illegal trailing comma", "no ','", "不能有多余的 ','"),
    ("Expecting value", "a value", "一个值"),
    ("Unterminated string", "a closing double quote", "字符串结尾的双引号"),
    ("Invalid control character", "no line break or tab inside a string", "字符串内不能有换行或制表符"),
    ("Invalid \\", "a valid escape such as \\n", "合法的转义，例如 \\n"),
    ("Extra data", "the end of the text", "文本结束"),
)


def _malformed(text: str, field: str, error: json.JSONDecodeError) -> Violation:
    expected, expected_zh = next(
        ((en, zh) for said, en, zh in _EXPECTED if error.msg.startswith(said)), (error.msg, error.msg)
    )
    token = _TOKEN.match(text, error.pos)
    if token is None:
        before, before_zh = "at the end of the text", "，但文本已结束"
    else:
        before, before_zh = f"before {token[0]}", f"，位于 {token[0]} 之前"
    return finding(
        field,
        "MALFORMED_JSON",
        f"line {error.lineno}, column {error.colno}: expected {expected} {before}",
        f"第 {error.lineno} 行第 {error.colno} 列：应有{expected_zh}{before_zh}",
    )


_KINDS: tuple[tuple[type, str, str], ...] = (
    (bool, "true or false", "布尔值"),
    (int, "a number", "数字"),
    (float, "a number", "数字"),
    (str, "a string", "字符串"),
    (list, "a list", "列表"),
    (dict, "an object", "对象"),
)


def _kind(value: object) -> str:
    return next((en for kind, en, _ in _KINDS if isinstance(value, kind)), "nothing")


def _kind_zh(value: object) -> str:
    return next((zh for kind, _, zh in _KINDS if isinstance(value, kind)), "空")


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 48 else text[:47] + "…"
