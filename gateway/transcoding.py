"""An HTTP request to the message of its RPC, as `google.api.http` maps it.

Path variables bind fields; the body is the whole message ("*"), one field, or nothing; query parameters are
the rest: `pageSize` or `page_size`, `task.training.modelName` for a nested field, repeated for a repeated,
enums by name. `Idempotency-Key` is `request_id`, `If-Match` is `etag`, `Last-Event-ID` is `cursor`, where the
message has them.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from loupe.errors import InvalidArgument, Violation
from loupe.translation import sentence

from gateway.contracts import CURSOR, ETAG, REQUEST_ID, ApiOperation
from gateway.json_mapping import expectation, fill, is_map, known_fields, parse_json, unknown_field
from services.kit.paging import BAD_PAGE_TOKEN, PAGE_TOKEN

IDEMPOTENCY_KEY = "idempotency-key"
IF_MATCH = "if-match"
LAST_EVENT_ID = "last-event-id"

_PAGE_TOKEN_NAMES = frozenset({PAGE_TOKEN, "pageToken"})
_TRUE = {"true": True, "false": False, "1": True, "0": False}
_STRUCTURED = ("google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue")
_ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What transcoding looks at; header names are in lower case."""

    bindings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def transcode(operation: ApiOperation, request: HttpRequest) -> Message:
    """The RPC's request, or InvalidArgument with every fault of body and query."""
    message = operation.request_class()
    found: list[Violation] = []
    _collect(found, _read_body, operation, request.body, message)
    _collect(found, _read_query, operation, request.query, message)
    found.extend(_bind_path(message, request.bindings))
    found.extend(_read_headers(message, request.headers))
    if found:
        raise InvalidArgument.of(*found)
    return message


def _collect(
    found: list[Violation],
    read: Any,  # noqa: ANN401 -- _read_body or _read_query
    operation: ApiOperation,
    source: Any,  # noqa: ANN401 -- the body or the query
    message: Message,
) -> None:
    try:
        read(operation, source, message)
    except InvalidArgument as error:
        if error.reason != InvalidArgument.reason or not error.violations:
            # For a document that is not JSON only that error is reported, with line and column.
            raise
        found.extend(error.violations)


def _read_body(operation: ApiOperation, body: bytes, message: Message) -> None:
    if not operation.body or not body.strip():
        return
    document = parse_json(body)
    if operation.body == "*":
        fill(message, document)
    else:
        part = getattr(message, operation.body)
        part.SetInParent()
        fill(part, document, operation.body)


def _read_query(operation: ApiOperation, query: Sequence[tuple[str, str]], message: Message) -> None:
    document: dict[str, Any] = {}
    found: list[Violation] = []
    for name, text in query:
        if not _is_unicode(name) or not _is_unicode(text):
            found.append(_not_unicode(name))
            continue
        if operation.body == "*":
            found.append(
                Violation(
                    name,
                    "UNKNOWN_PARAMETER",
                    sentence(
                        "{name!r}: this operation takes its fields in the body, none in the query", name=name
                    ),
                )
            )
            continue
        found.extend(_put(document, operation, name, text))
    if found:
        raise InvalidArgument.of(*found)
    if document:
        fill(message, document)


def _is_unicode(text: str) -> bool:
    """Whether the bytes of a parameter were UTF-8; others arrive as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_unicode(name: str) -> Violation:
    if name in _PAGE_TOKEN_NAMES:
        return BAD_PAGE_TOKEN
    shown = name.encode("utf-8", "backslashreplace").decode()
    return Violation(shown, "MALFORMED_QUERY", sentence("{value!r} is not UTF-8", value=shown))


def query_fields(operation: ApiOperation) -> Iterator[tuple[str, FieldDescriptor]]:
    """Every query parameter of an operation: its camelCase name and the field."""
    if operation.body != "*":
        yield from _leaves(operation.method.input_type, "", "", operation, ())


def _leaves(
    message: Any,  # noqa: ANN401 -- a descriptor, which the stubs take for optional
    path: str,
    name: str,
    operation: ApiOperation,
    parents: tuple[Descriptor, ...],
) -> Iterator[tuple[str, FieldDescriptor]]:
    for field in message.fields:
        at = f"{path}.{field.name}".removeprefix(".")
        called = f"{name}.{field.json_name}".removeprefix(".")
        if at in operation.path_fields or at == operation.body:
            continue
        if is_parameter(field):
            yield called, field
        elif not field.is_repeated and field.message_type not in parents and not _structured(field):
            yield from _leaves(field.message_type, at, called, operation, (*parents, message))


def is_parameter(field: FieldDescriptor) -> bool:
    """Whether one query parameter can hold a value of the field."""
    if field.message_type is None:
        return True
    package, _, _ = field.message_type.full_name.rpartition(".")
    return package == "google.protobuf" and not _structured(field)


def _structured(field: Any) -> bool:  # noqa: ANN401 -- a field; the stubs take its type for optional
    return is_map(field) or field.message_type.full_name in _STRUCTURED


def _put(document: dict[str, Any], operation: ApiOperation, name: str, text: str) -> Iterator[Violation]:
    """Put one parameter into the JSON document that all of them make."""
    message = operation.method.input_type
    parts = name.split(".")
    path = ""
    for index, part in enumerate(parts):
        field = known_fields(message).get(part)
        path = f"{path}.{field.name if field else part}".removeprefix(".")
        if field is None or path == operation.body:
            open_fields = [
                f for f in message.fields if f.name not in {operation.body, *operation.path_fields}
            ]
            yield unknown_field(path, part, open_fields)
            return
        if path in operation.path_fields:
            yield Violation(path, "CONFLICT", sentence("{field!r} is given by the path", field=part))
            return
        last = index == len(parts) - 1
        if last and is_parameter(field):
            yield from _set(document, field, path, text)
            return
        if last or field.message_type is None or field.is_repeated or _structured(field):
            yield Violation(
                path,
                "UNKNOWN_PARAMETER",
                sentence("{name!r} cannot be given in the query", name=name),
            )
            return
        document = document.setdefault(field.json_name, {})
        message = field.message_type


def _set(document: dict[str, Any], field: FieldDescriptor, path: str, text: str) -> Iterator[Violation]:
    value: object = text
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text.lower() not in _TRUE:
            yield Violation(
                path,
                "WRONG_TYPE",
                sentence("must be {expected}, not {value!r}", expected=expectation(field), value=text),
            )
            return
        value = _TRUE[text.lower()]
    if field.is_repeated:
        document.setdefault(field.json_name, []).append(value)
    elif field.json_name in document:
        yield Violation(path, "DUPLICATE_FIELD", sentence("{name!r} is given twice", name=field.json_name))
    else:
        document[field.json_name] = value


def _bind_path(message: Message, bindings: Mapping[str, str]) -> Iterator[Violation]:
    for path, value in bindings.items():
        *parents, name = path.split(".")
        part: Any = message
        for parent in parents:
            part = getattr(part, parent)
        given = getattr(part, name)
        if given and given != value:
            yield Violation(
                path,
                "CONFLICT",
                sentence(
                    "the body says {in_body!r}, the path {in_path!r}; leave it out of the body",
                    in_body=given,
                    in_path=value,
                ),
            )
        setattr(part, name, value)


def _read_headers(message: Any, headers: Mapping[str, str]) -> Iterator[Violation]:  # noqa: ANN401 -- any message
    fields = message.DESCRIPTOR.fields_by_name
    key = headers.get(IDEMPOTENCY_KEY)
    if key and REQUEST_ID in fields:
        if message.request_id and message.request_id != key:
            yield Violation(
                REQUEST_ID,
                "CONFLICT",
                sentence("request_id and the header Idempotency-Key differ"),
            )
        message.request_id = key
    wanted = headers.get(IF_MATCH, "").strip()
    if wanted and wanted != "*":
        tag = _ENTITY_TAG.fullmatch(wanted)
        if ETAG not in fields:
            # Ignoring the header would change a state that the caller has not seen.
            yield Violation(
                "If-Match",
                "PRECONDITION_UNSUPPORTED",
                sentence("this operation has no etag to compare If-Match with"),
            )
        elif tag is None:
            yield Violation(
                "If-Match",
                "WRONG_TYPE",
                sentence('must be one entity tag such as "abc", not {value}', value=wanted),
            )
        else:
            message.etag = tag.group(1)
    last_event_id = headers.get(LAST_EVENT_ID, "")
    if last_event_id and CURSOR in fields:
        # The header overrides the query: a reader that reconnects repeats its first URL with a newer cursor.
        message.cursor = last_event_id
