"""The proto3 JSON mapping, which reports every fault of a document with its place.

Protobuf reads and writes the documents. When it refuses one, a second pass finds all faults and not only the
first. Field paths use the names of the contract, as those of the services do: `task.training.model_name`.
"""

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from loupe.errors import InvalidArgument, Violation
from loupe.text import encodable, unstorable
from loupe.translation import Sentence, sentence

# Protobuf's JSON reader raises not only its own error for documents that it refuses.
_REFUSALS = (json_format.Error, ValueError, TypeError, OverflowError, AttributeError, RecursionError)

# Protobuf reads at most 100 nested messages, and one level of a Struct is three of them.
_MAX_DEPTH = 30

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: sentence("a whole number of 32 bits"),
    FieldDescriptor.CPPTYPE_INT64: sentence("a whole number of 64 bits"),
    FieldDescriptor.CPPTYPE_UINT32: sentence("a whole number of 32 bits, not negative"),
    FieldDescriptor.CPPTYPE_UINT64: sentence("a whole number of 64 bits, not negative"),
    FieldDescriptor.CPPTYPE_DOUBLE: sentence("a number"),
    FieldDescriptor.CPPTYPE_FLOAT: sentence("a number"),
    FieldDescriptor.CPPTYPE_BOOL: sentence("true or false"),
    FieldDescriptor.CPPTYPE_STRING: sentence("a string"),
}
_WELL_KNOWN = {
    "google.protobuf.Timestamp": sentence("a time such as 2026-01-31T08:00:00Z"),
    "google.protobuf.Duration": sentence("a duration such as 3.5s"),
    "google.protobuf.FieldMask": sentence("names of fields, comma separated"),
    "google.protobuf.Struct": sentence("a JSON object"),
    "google.protobuf.ListValue": sentence("a JSON array"),
    "google.protobuf.Value": sentence("a JSON value"),
}


def parse_json(body: bytes) -> object:
    """The document, or InvalidArgument with line and column of what is wrong with it."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _malformed(sentence("the body is not UTF-8"), body[: error.start].decode()) from None
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        fault = Sentence(error.msg, sentence("malformed JSON").chinese)
        raise _malformed(fault, text[: error.pos]) from None
    except _NotJsonError as error:
        raise _refused(error.violation) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        # Python refuses to read whole numbers of thousands of digits.
        raise InvalidArgument.of(Violation("", "MALFORMED_JSON", sentence("a number is too long"))) from None
    if _deeper_than(_MAX_DEPTH, document):
        raise _too_deep()
    if odd := unstorable(document, ""):
        place, shown = odd
        told = sentence('"{text}" has U+0000 or half a surrogate pair; take them out', text=shown[:64])
        raise _refused(Violation(place, "NOT_UNICODE", told))
    return document


def fill(message: Message, document: object, at: str = "") -> None:
    """Merge a JSON document into a message, or raise InvalidArgument with every fault; `at` is its place."""
    if not isinstance(document, dict):
        # Protobuf's reader takes an empty array for an empty message.
        raise _refused(_wrong(at, document, sentence("a JSON object")))
    try:
        json_format.ParseDict(document, message)
    except _REFUSALS as error:
        descriptor: Any = message.DESCRIPTOR
        found = tuple(faults(descriptor, document, at))
        refusal = Sentence(str(error), sentence("the document does not match the message").chinese)
        raise InvalidArgument.of(*found or (Violation(at, "MALFORMED_VALUE", refusal),)) from None


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
            sentence("there is no field {name!r}; did you mean {nearest!r}?", name=name, nearest=nearest[0]),
        )
    listing = ", ".join(names) or "none"
    return Violation(
        path,
        "UNKNOWN_FIELD",
        sentence("there is no field {name!r}; the fields here: {fields}", name=name, fields=listing),
    )


def faults(descriptor: Descriptor, document: object, at: str) -> Iterator[Violation]:
    """Every fault of a document that is meant to be such a message."""
    if not isinstance(document, dict):
        yield _wrong(at, document, sentence("a JSON object"))
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
                    sentence(
                        "only one of {other!r} and {name!r} can be set",
                        other=other,
                        name=field.json_name,
                    ),
                )
        yield from _field_faults(field, value, path)


def _field_faults(field: FieldDescriptor, value: object, path: str) -> Iterator[Violation]:
    if is_map(field) or not field.is_repeated:
        yield from _value_faults(field, value, path, value)
    elif not isinstance(value, list):
        yield _wrong(path, value, sentence("a JSON array"))
    else:
        for index, item in enumerate(value):
            yield from _value_faults(field, item, f"{path}[{index}]", [item])


def _value_faults(field: Any, value: object, path: str, whole: object) -> Iterator[Violation]:  # noqa: ANN401 -- the stubs take every descriptor for optional
    nested = field.message_type
    if nested is not None and nested.full_name not in _WELL_KNOWN and not is_map(field):
        yield from faults(nested, value, path)
        return
    # Protobuf's reader checks the single value too, so that the two passes cannot disagree.
    probe = message_factory.GetMessageClass(field.containing_type)()
    try:
        json_format.ParseDict({field.json_name: whole}, probe)
    except _REFUSALS:
        yield _wrong(path, value, expectation(field))


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def expectation(field: FieldDescriptor) -> Sentence:
    """What a value of the field looks like, in English and Chinese."""
    if field.message_type is not None:
        return _WELL_KNOWN.get(field.message_type.full_name, sentence("a JSON object"))
    if field.enum_type is not None:
        names = ", ".join(value.name for value in field.enum_type.values if value.number != 0)
        return sentence("one of {values}", values=names)
    return _INTEGERS[field.cpp_type]


def _wrong(path: str, value: object, expected: Sentence) -> Violation:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    if len(shown) > 60:
        shown = shown[:60] + "…"
    # A lone surrogate came in as an escape; it must go out as one, since UTF-8 has no such character.
    shown = encodable(shown)
    return Violation(
        path,
        "WRONG_TYPE",
        sentence("must be {expected}, not {value}", expected=expected, value=shown),
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
            sentence("the document is nested more than {max_depth} levels deep", max_depth=_MAX_DEPTH),
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
                Violation(
                    encodable(name),
                    "DUPLICATE_FIELD",
                    sentence("{name!r} is given twice", name=encodable(name)),
                )
            )
        found[name] = value
    return found


def _constant(name: str) -> None:
    raise _NotJsonError(
        Violation("", "MALFORMED_JSON", sentence("{name} is not JSON; send it as a string", name=name))
    )


def _refused(violation: Violation) -> InvalidArgument:
    # The distinct reason says that the fields of the document were not checked.
    return InvalidArgument(violation.message, violations=(violation,), reason=violation.reason)


def _malformed(fault: Sentence, before: str) -> InvalidArgument:
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return InvalidArgument(
        f"malformed JSON at line {line}, column {column}: {fault.english}",
        violations=(
            Violation(
                "",
                "MALFORMED_JSON",
                sentence(
                    "line {line}, column {column}: {fault}",
                    line=line,
                    column=column,
                    fault=fault,
                    detail=fault.english,
                ),
            ),
        ),
        reason="MALFORMED_JSON",
        line=line,
        column=column,
    )
