"""Times and JSON objects."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.struct_pb2 import Value as StructValue
from google.protobuf.timestamp_pb2 import Timestamp
from loupe.errors import InvalidArgument, Violation
from loupe.translation import sentence

from services.kit.etag import require_etag

M = TypeVar("M", bound=Message)


def timestamp(value: datetime | None) -> Timestamp | None:
    """A time for a field; None leaves it unset."""
    if value is None:
        return None
    message = Timestamp()
    message.FromDatetime(value)
    return message


def moment(message: Any, field: str) -> datetime | None:  # noqa: ANN401 -- any message
    """The time in a field, None if it is unset; InvalidArgument if it is out of range."""
    if not message.HasField(field):
        return None
    try:
        value: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument.of(
            Violation(
                field,
                "BAD_TIME",
                sentence("{field} is not a time between the years 1 and 9999", field=field),
            )
        ) from None
    return value


def with_etag(message: M) -> M:
    """The resource, which has none yet, with a tag that changes when anything else of it does."""
    tagged: Any = message
    tagged.etag = hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:16]
    return message


def require_etag_of(message: Any, etag: str) -> None:  # noqa: ANN401 -- any message with a name and an etag
    """EtagMismatch if the caller saw another state of the resource; an empty etag is not compared."""
    require_etag(message.name, etag, message.etag, reason="RESOURCE_CHANGED", resource=message.name)


def json_object(message: Struct) -> dict[str, Any]:
    """A Struct as JSON; whole numbers come back as int, which is how people wrote them."""
    return {name: _json(value) for name, value in message.fields.items()}


def struct(value: Mapping[str, Any]) -> Struct:
    """JSON as a Struct."""
    message = Struct()
    message.update(dict(value))
    return message


def _json(value: StructValue) -> Any:  # noqa: ANN401 -- JSON has no narrower type
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return json_object(value.struct_value)
        case "list_value":
            return [_json(item) for item in value.list_value.values]
        case _:
            return None
