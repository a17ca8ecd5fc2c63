"""Values that every message has: times, durations, names, enums."""

import math
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2
from google.protobuf.json_format import MessageToDict

from services.kit.errors import InvalidArgument

E = TypeVar("E", bound=StrEnum)


class ProtoEnum(Protocol):
    """A generated enum."""

    def Name(self, number: Any) -> str:  # noqa: ANN401, N802 -- protobuf's own
        """The name of a number."""
        ...

    def values(self) -> list[Any]:
        """All numbers."""
        ...


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def timestamp(time: datetime | None) -> timestamp_pb2.Timestamp | None:
    """A time, if there is one."""
    if time is None:
        return None
    # FromDatetime does calendar arithmetic, which took a fifth of the time of a page of a list.
    age = time - _EPOCH
    return timestamp_pb2.Timestamp(seconds=age.days * 86_400 + age.seconds, nanos=age.microseconds * 1000)


def time_of(message: timestamp_pb2.Timestamp) -> datetime:
    """A time in UTC."""
    return message.ToDatetime(tzinfo=UTC)


def duration(seconds: float | None) -> duration_pb2.Duration | None:
    """A duration, if there is one."""
    if seconds is None or not math.isfinite(seconds):
        return None
    message = duration_pb2.Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def seconds_of(message: duration_pb2.Duration) -> float:
    """A duration in seconds."""
    return float(message.ToNanoseconds() / 1e9)


def struct(value: dict[str, Any]) -> struct_pb2.Struct:
    """A JSON object."""
    message = struct_pb2.Struct()
    message.update(value)
    return message


def dict_of(message: struct_pb2.Struct) -> dict[str, Any]:
    """A JSON object; all its numbers are floats."""
    return MessageToDict(message)


def id_of(name: str, collection: str, field: str = "name") -> str:
    """The id in `{collection}/{id}`; InvalidArgument for any other name."""
    prefix, _, identifier = name.partition("/")
    if prefix != collection or not _ID.fullmatch(identifier):
        raise InvalidArgument(
            f'{field} must be {collection}/…, not "{name[:80]}"', reason="BAD_NAME", field=field
        )
    return identifier


def sha256(value: str, field: str) -> str:
    """A hexadecimal SHA-256, or InvalidArgument."""
    if not _SHA256.fullmatch(value):
        raise InvalidArgument(f"{field} must be 64 hexadecimal digits", reason="BAD_SHA256", field=field)
    return value


def enum_of(domain: type[E], wrapper: ProtoEnum, prefix: str, number: int, field: str) -> E:
    """The domain's member for a number of a generated enum; InvalidArgument if there is none."""
    name = _enum_name(wrapper, prefix, number)
    try:
        return domain(name)
    except ValueError:
        known = ", ".join(f"{prefix}{member}" for member in domain)
        raise InvalidArgument(f"{field} must be one of {known}", reason="BAD_ENUM", field=field) from None


def enum_or_none(domain: type[E], wrapper: ProtoEnum, prefix: str, number: int) -> E | None:
    """The domain's member, or None for unspecified and unknown ones."""
    name = _enum_name(wrapper, prefix, number)
    return domain(name) if name in set(domain) else None


def _enum_name(wrapper: ProtoEnum, prefix: str, number: int) -> str:
    return wrapper.Name(number).removeprefix(prefix) if number in wrapper.values() else ""


def finite(value: float) -> float:
    """The value, or 0 for NaN and infinity, which a JSON column cannot store."""
    return value if math.isfinite(value) else 0.0


def text(value: str, limit: int) -> str:
    """Text that PostgreSQL can store: without NUL, and only its last `limit` characters."""
    return value.replace("\x00", "\ufffd")[-limit:]
