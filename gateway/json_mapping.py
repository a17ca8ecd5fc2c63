"""The proto3 JSON mapping, with every fault of a document told at once and where it is.

Reading and writing are protobuf's own; when it refuses a document, a second look finds all the faults and not
only the first. Field paths are told in the contract's names, as the services tell theirs:
`task.training.model_name`.
"""

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from services.kit.errors import InvalidArgument, Violation

# What protobuf's JSON reader raises beside its own error, for documents that are odd rather than wrong.
_REFUSALS = (json_format.Error, ValueError, TypeError, OverflowError, AttributeError, RecursionError)

# Protobuf reads at most 100 messages within each other, and a level of a Struct is three of them.
_MAX_DEPTH = 30

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: ("a whole number of 32 bits", "32 位整数"),
    FieldDescriptor.CPPTYPE_INT64: ("a whole number of 64 bits", "64 位整数"),
    FieldDescriptor.CPPTYPE_UINT32: ("a whole number of 32 bits, not negative", "32 位非负整数"),
    FieldDescriptor.CPPTYPE_UINT64: ("a whole number of 64 bits, not negative", "64 位非负整数"),
    FieldDescriptor.CPPTYPE_DOUBLE: ("a number", "数字"),
    FieldDescriptor.CPPTYPE_FLOAT: ("a number", "数字"),
    FieldDescriptor.CPPTYPE_BOOL: ("true or false", "true 或 false"),
    FieldDescriptor.CPPTYPE_STRING: ("a string", "字符串"),
}
_WELL_KNOWN = {
    "google.protobuf.Timestamp": ("a time such as 2026-01-31T08:00:00Z", "时间，例如 2026-01-31T08:00:00Z"),
    "google.protobuf.Duration": ("a duration such as 3.5s", "时长，例如 3.5s"),
    "google.protobuf.FieldMask": ("names of fields, comma separated", "以逗号分隔的字段名"),
    "google.protobuf.Struct": ("a JSON object", "JSON 对象"),
    "google.protobuf.ListValue": ("a JSON array", "JSON 数组"),
    "google.protobuf.Value": ("a JSON value", "JSON 值"),
}


def parse_json(body: bytes) -> object:
    """The document, or InvalidArgument with line and column of what is wrong with it."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _malformed(
            "the body is not UTF-8", "请求体不是 UTF-8 编码", body[: error.start].decode()
        ) from None
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise _malformed(error.msg, "JSON 格式错误", text[: error.pos]) from None
    except _NotJsonError as error:
        raise _refused(error.violation) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        # Python refuses to read whole numbers of thousands of digits.
        raise InvalidArgument.of(
            Violation("", "MALFORMED_JSON", "a number is too long", "数字过长")
        ) from None
    if _deeper_than(_MAX_DEPTH, document):
        raise _too_deep()
    return document


def fill(message: Message, document: object, at: str = "") -> None:
    """Merge a JSON document into a message, or raise InvalidArgument with every fault; `at` is its place."""
    if not isinstance(document, dict):
        # Protobuf's reader takes an empty array for an empty message.
        raise _refused(_wrong(at, document, "a JSON object", "JSON 对象"))
    try:
        json_format.ParseDict(document, message)
    except _REFUSALS as error:
        descriptor: Any = message.DESCRIPTOR
        found = tuple(faults(descriptor, document, at))
        raise InvalidArgument.of(
            *found or (Violation(at, "MALFORMED_VALUE", str(error), "内容不符合格式"),)
        ) from None


def render(message: Message) -> bytes:
    """The message as JSON: camelCase, enums by name, fields without presence always there."""
    arrays = {field.name: field for field, value in message.ListFields() if _is_long_array(field, value)}
    small: Message = message
    if arrays:
        small = type(message)()
        small.CopyFrom(message)
        for name in arrays:
            small.ClearField(name)
    document = json_format.MessageToDict(small, always_print_fields_with_no_presence=True)
    for name, field in arrays.items():
        document[field.json_name] = _array(field, getattr(message, name))
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


# Protobuf's own writer takes three times as long for a curve of 100,000 points.
_LONG_ARRAY = 200
_FAST_ARRAYS = frozenset({FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_INT64})


def _is_long_array(field: FieldDescriptor, value: Any) -> bool:  # noqa: ANN401 -- of any field
    return field.is_repeated and field.cpp_type in _FAST_ARRAYS and len(value) > _LONG_ARRAY


def _array(field: FieldDescriptor, values: Any) -> list[Any]:  # noqa: ANN401 -- repeated numbers
    if field.cpp_type == FieldDescriptor.CPPTYPE_INT64:
        return list(map(str, values))
    floats = np.array(values, dtype=np.float32)
    # The shortest text that is this float32, and not the seventeen digits of the double that holds it.
    shortest: list[Any] = list(map(float, floats.astype(str).tolist()))
    for index in np.flatnonzero(~np.isfinite(floats)).tolist():
        value = shortest[index]
        shortest[index] = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 -- NaN's own test
    return shortest


def known_fields(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    """The fields of a message under both names that JSON may call them."""
    return {name: field for field in descriptor.fields for name in (field.name, field.json_name)}


def unknown_field(path: str, name: str, fields: Iterable[FieldDescriptor]) -> Violation:
    """The fault of a name that no field has, with the nearest that one has."""
    names = sorted({field.json_name for field in fields})
    nearest = difflib.get_close_matches(_camel(name), names, n=1, cutoff=0.5)
    if nearest:
        return Violation(
            path,
            "UNKNOWN_FIELD",
            f"there is no field {name!r}; did you mean {nearest[0]!r}?",
            f"没有字段 {name!r}；是否指 {nearest[0]!r}？",
        )
    listing = ", ".join(names) or "none"
    return Violation(
        path,
        "UNKNOWN_FIELD",
        f"there is no field {name!r}; the fields here: {listing}",
        f"没有字段 {name!r}；可用字段：{listing}",
    )


def faults(descriptor: Descriptor, document: object, at: str) -> Iterator[Violation]:
    """Every fault of a document that is meant to be such a message."""
    if not isinstance(document, dict):
        yield _wrong(at, document, "a JSON object", "JSON 对象")
        return
    fields = known_fields(descriptor)
    chosen: dict[str, str] = {}
    for name, value in document.items():
        field = fields.get(name)
        path = f"{at}.{field.name if field else name}".removeprefix(".")
        if field is None:
            yield unknown_field(path, str(name), descriptor.fields)
            continue
        if value is None:
            continue
        if field.containing_oneof is not None:
            other = chosen.setdefault(field.containing_oneof.name, field.json_name)
            if other != field.json_name:
                yield Violation(
                    path,
                    "CONFLICT",
                    f"only one of {other!r} and {field.json_name!r} can be set",
                    f"{other!r} 与 {field.json_name!r} 只能设置其一",
                )
        yield from _field_faults(field, value, path)


def _field_faults(field: FieldDescriptor, value: object, path: str) -> Iterator[Violation]:
    if is_map(field) or not field.is_repeated:
        yield from _value_faults(field, value, path, value)
    elif not isinstance(value, list):
        yield _wrong(path, value, "a JSON array", "JSON 数组")
    else:
        for index, item in enumerate(value):
            yield from _value_faults(field, item, f"{path}[{index}]", [item])


def _value_faults(field: Any, value: object, path: str, whole: object) -> Iterator[Violation]:  # noqa: ANN401 -- the stubs take every descriptor for optional
    nested = field.message_type
    if nested is not None and nested.full_name not in _WELL_KNOWN and not is_map(field):
        yield from faults(nested, value, path)
        return
    # Protobuf's own reader is the judge of a single value too: the two looks cannot disagree.
    probe = message_factory.GetMessageClass(field.containing_type)()
    try:
        json_format.ParseDict({field.json_name: whole}, probe)
    except _REFUSALS:
        yield _wrong(path, value, *expectation(field))


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def expectation(field: FieldDescriptor) -> tuple[str, str]:
    """What a value of the field looks like, in English and Chinese."""
    if field.message_type is not None:
        return _WELL_KNOWN.get(field.message_type.full_name, ("a JSON object", "JSON 对象"))
    if field.enum_type is not None:
        names = ", ".join(value.name for value in field.enum_type.values if value.number != 0)
        return f"one of {names}", f"以下之一：{names}"
    return _INTEGERS[field.cpp_type]


def _wrong(path: str, value: object, expected: str, expected_zh: str) -> Violation:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    if len(shown) > 60:
        shown = shown[:60] + "…"
    # A lone surrogate came in as an escape; it must go out as one, since UTF-8 has no such character.
    shown = shown.encode("utf-8", "backslashreplace").decode()
    return Violation(
        path, "WRONG_TYPE", f"must be {expected}, not {shown}", f"应为{expected_zh}，而不是 {shown}"
    )


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _deeper_than(levels: int, document: object) -> bool:
    level = [document]
    for _ in range(levels):
        level = [
            part
            for value in level
            if isinstance(value, dict | list)
            for part in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)


def _too_deep() -> InvalidArgument:
    return _refused(
        Violation(
            "",
            "MALFORMED_JSON",
            f"the document is nested more than {_MAX_DEPTH} levels deep",
            f"JSON 嵌套超过 {_MAX_DEPTH} 层",
        )
    )


class _NotJsonError(Exception):
    """Python reads it, but JSON does not allow it."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.message)
        self.violation = violation


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _NotJsonError(
                Violation(name, "DUPLICATE_FIELD", f"{name!r} is given twice", f"{name!r} 重复")
            )
        found[name] = value
    return found


def _constant(name: str) -> None:
    raise _NotJsonError(
        Violation("", "MALFORMED_JSON", f"{name} is not JSON; send it as a string", f"{name} 不是合法的 JSON")
    )


def _refused(violation: Violation) -> InvalidArgument:
    # The reason of its own says that no field of the document was looked at.
    return InvalidArgument(violation.message, violations=(violation,), reason=violation.reason)


def _malformed(what: str, what_zh: str, before: str) -> InvalidArgument:
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return InvalidArgument(
        f"malformed JSON at line {line}, column {column}: {what}",
        violations=(
            Violation(
                "",
                "MALFORMED_JSON",
                f"line {line}, column {column}: {what}",
                f"第 {line} 行第 {column} 列：{what_zh}（{what}）",
            ),
        ),
        reason="MALFORMED_JSON",
        line=line,
        column=column,
    )
