"""Sizes of list pages and their tokens. A token continues the list that made it; another one refuses it."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from services.kit.errors import InvalidArgument, Violation

DEFAULT_SIZE = 50
MAX_SIZE = 1000

Key = TypeVar("Key")
Part = str | int | float
"""What a list is in the order of."""


def size_of(request: Any) -> int:  # noqa: ANN401 -- any List request
    """How many items a List request asks for; more than MAX_SIZE are MAX_SIZE."""
    if request.page_size < 0:
        raise InvalidArgument.of(
            Violation(
                "page_size",
                "OUT_OF_RANGE",
                f"page_size is {request.page_size}; give 1 to {MAX_SIZE}, or 0 for {DEFAULT_SIZE}",
                f"page_size 为 {request.page_size}；请填写 1 到 {MAX_SIZE}，或 0（即 {DEFAULT_SIZE}）",
            )
        )
    return min(request.page_size or DEFAULT_SIZE, MAX_SIZE)


def token_of(request: Message, key: Sequence[Part] | None) -> str:
    """The token of the page after `key`; empty if there is none."""
    if key is None:
        return ""
    text = json.dumps([_list_of(request), *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def key_of(request: Any, read: Callable[..., Key]) -> Key | None:  # noqa: ANN401 -- any List request
    """Where the page begins; None at the first. `read` makes a key of its parts, ValueError if it cannot."""
    token: str = request.page_token
    if not token:
        return None
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        told, *parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if told == _list_of(request):
            return read(*parts)
    except (ValueError, TypeError):
        pass
    raise InvalidArgument.of(
        Violation(
            "page_token",
            "BAD_PAGE_TOKEN",
            "the page token is not one of this list with this filter; start again without a token",
            "分页令牌不属于此列表及筛选条件；请不带令牌重新开始",
        )
    )


def texts(count: int) -> Callable[..., tuple[str, ...]]:
    """Reads a key of so many texts."""

    def read(*parts: object) -> tuple[str, ...]:
        found = tuple(part for part in parts if isinstance(part, str) and part.isprintable())
        if not len(found) == len(parts) == count:
            raise ValueError("not a key of this list")
        return found

    return read


def _list_of(request: Message) -> str:
    """Names the list: the kind of request and all its filters, whatever the page."""
    bare: Any = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("page_size")
    bare.ClearField("page_token")
    told = bare.DESCRIPTOR.full_name.encode() + b"\0" + bare.SerializeToString(deterministic=True)
    return hashlib.sha256(told).hexdigest()[:16]
