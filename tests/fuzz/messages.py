"""Requests of every RPC, made from the contracts: likely and unlikely values, and forged page tokens."""

import base64
import json
import math
from random import Random
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.contracts import all_services
from services.kit.paging import PAGE_TOKEN, _list_id
from tests.fuzz.mutation import INTEGERS, value

_MOST_DEPTH = 4
_MOST_ITEMS = 3
_UUID = "00000000-0000-4000-8000-000000000000"
_NAMES = (
    "datasets/d", "datasets/d/paths/p", "datasets/-", "datasets/d/paths/p/samples/TPFIP/a.png", "models/m",
    "models/m/versions/v1.01", f"tasks/{_UUID}", f"reports/{_UUID}", "users/u", "users/admin",
    "users/u/tokens/t", "algorithmImages/surface-classification/versions/v1.0", "computeResources/cpu",
    "productionEnvironments/e", f"reports/{_UUID}/sampleResults/1", f"relabelMarks/{_UUID}",
    "servers/registry", "jobs/j", "workers/w", "TPFIP/a.png", "TPFIP", _UUID, "0" * 64, "v1.01",
    "v99999999999.1", "a" * 64, "2026-01-01T00:00:00Z",
)  # fmt: skip
METHODS = [method for service in all_services() for method in service.methods if not method.client_streaming]
"""Every RPC with one request."""


def request(random: Random, method: Any) -> Message:  # noqa: ANN401 -- a descriptor, which the stubs take for optional
    """A request of an RPC."""
    made = message_factory.GetMessageClass(method.input_type)()
    _fill(random, made, 0)
    if PAGE_TOKEN in made.DESCRIPTOR.fields_by_name and random.randrange(2):
        made.page_token = _page_token(random, made)  # type: ignore[attr-defined]
    return made


def _page_token(random: Random, message: Message) -> str:
    """A token of this list with parts that it does not write."""
    parts = [value(random) for _ in range(random.randrange(1, 6))]
    text = json.dumps([_list_id(message), *parts])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _fill(random: Random, message: Any, depth: int) -> None:  # noqa: ANN401 -- any message
    descriptor: Descriptor = message.DESCRIPTOR
    for field in descriptor.fields:
        # What a handler looks at first is mostly there; deeper, less is.
        if random.randrange(4 + depth) >= 3 or (field.message_type is not None and depth >= _MOST_DEPTH):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        many = field.is_repeated
        for _ in range(random.randrange(1, _MOST_ITEMS + 1) if many else 1):
            if field.message_type is not None:
                part = getattr(message, field.name)
                part = part.add() if many else part
                part.SetInParent()
                _fill(random, part, depth + 1)
            elif many:
                getattr(message, field.name).append(_scalar(random, field))
            else:
                setattr(message, field.name, _scalar(random, field))


def _scalar(random: Random, field: Any) -> Any:  # noqa: ANN401 -- a descriptor, as above
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return _bytes(random) if field.type == FieldDescriptor.TYPE_BYTES else _text(random)
        case FieldDescriptor.CPPTYPE_BOOL:
            return random.randrange(2) == 1
        case FieldDescriptor.CPPTYPE_ENUM:
            return random.choice((*field.enum_type.values_by_number, 99, -1))
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return random.choice(_FLOATS)
    return _integer(random, field)


_FLOATS = (0.0, -0.0, 0.5, 1.0, -1.0, 1e-300, 1e30, math.nan, math.inf, -math.inf)


def _text(random: Random) -> str:
    if random.randrange(4):
        return random.choice(_NAMES)
    return str(value(random)).encode("utf-8", "replace").decode()[:2000]


def _bytes(random: Random) -> bytes:
    return random.randbytes(random.choice((0, 1, 16, 32)))


def _integer(random: Random, field: FieldDescriptor) -> int:
    bits = 32 if field.cpp_type in {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32} else 64
    unsigned = field.cpp_type in {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64}
    number: int = random.choice((*INTEGERS, 2**63 - 1, 2**63, 2**64 - 1)) % 2**bits
    return number if unsigned or number < 2 ** (bits - 1) else number - 2**bits
