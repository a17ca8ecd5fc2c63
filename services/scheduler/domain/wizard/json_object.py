"""JSON objects that users write: parsing, with messages about where the text is wrong (rules W3, W8)."""

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.kit.errors import Violation
from services.scheduler.domain.wizard.findings import finding

MAX_JSON_CHARACTERS = 65_536

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.){0,40}"?|[A-Za-z0-9_.+-]{1,40}|.', re.DOTALL)


class _Refused(Exception):
    """Well-formed JSON that is refused; caught in this module."""

    def __init__(self, reason: str, message: str, message_zh: str) -> None:
        super().__init__(message)
        self.reason, self.message, self.message_zh = reason, message, message_zh


def parse_object(text: str, field: str) -> tuple[dict[str, Any] | None, list[Violation]]:
    """A JSON object from text. The finding of malformed text gives line, column and what was expected."""

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
        return None, [missing_object(field, value)]
    return value, []


def unknown_keys(given: Mapping[str, Any], known: Sequence[str], at: str) -> list[Violation]:
    """An error for every key that is not known."""
    found = []
    for key in given:
        if key in known:
            continue
        # W8: the nearest known key is named, however different it is.
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


def missing_object(at: str, value: object) -> Violation:
    """The error for a value that is not a JSON object."""
    return finding(
        at,
        "MISSING_KEY" if value is None else "NOT_AN_OBJECT",
        f"a JSON object is expected, as in {{…}}, not {_kind(value)}",
        f"应为 JSON 对象 {{…}}，而不是{_kind_zh(value)}",
    )


def quoted(value: object) -> str:
    """A value as JSON for a message, shortened."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 48 else text[:47] + "…"


def is_number(value: object) -> bool:
    """Whether a JSON value is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1e300 < value < 1e300


def whole_from(least: int) -> Callable[[Any], bool]:
    """A predicate: a whole number from `least` on."""
    # Values come from google.protobuf.Struct too, which has no integers: 256.0 is 256.
    return lambda value: is_number(value) and value == int(value) and least <= value < 2**53


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


# Beginnings of json.JSONDecodeError's messages, and what was expected.
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
        ((en, zh) for start, en, zh in _EXPECTED if error.msg.startswith(start)), (error.msg, error.msg)
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
