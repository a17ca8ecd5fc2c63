"""Sizes of list pages and their tokens. A token continues the list that made it; another one refuses it."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message
from loupe.errors import InvalidArgument, Violation

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


def key_of(
    request: Any,  # noqa: ANN401 -- any List request
    kinds: Sequence[type[Part]],
    read: Callable[..., Key],
    *,
    int_bits: int = 31,
) -> Key | None:
    """Where the page begins; None at the first.

    `kinds` are the types of the key's parts, `int_bits` bounds the whole numbers among them. `read` makes the
    key of the parts; ValueError or OverflowError if it cannot. Whatever else a token holds is BAD_PAGE_TOKEN.
    """
    token: str = request.page_token
    if not token:
        return None
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        told, *parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if told == _list_of(request):
            return read(*(_part(kind, part, int_bits) for kind, part in zip(kinds, parts, strict=True)))
    # RecursionError: brackets within brackets. OverflowError: a number or a time too large for its type.
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    raise InvalidArgument.of(
        Violation(
            "page_token",
            "BAD_PAGE_TOKEN",
            "the page token is not one of this list with this filter; start again without a token",
            "分页令牌不属于此列表及筛选条件；请不带令牌重新开始",
        )
    )


def as_tuple(*parts: Part) -> tuple[Any, ...]:
    """Reads a key that is its parts."""
    return parts


def _part(kind: type[Part], part: object, int_bits: int) -> Part:
    """A part that a database can compare with its rows; ValueError if it is none.

    Any text that can be stored is one: a file's name may hold characters that cannot be shown.
    """
    match part:
        case bool():
            pass
        case str() if kind is str and "\0" not in part:
            part.encode()  # refuses surrogates
            return part
        case int() if kind is int and abs(part) < 2**int_bits:
            return part
        case int() | float() if kind is float:
            return float(part)
    raise ValueError("not a key of this list")


def _list_of(request: Message) -> str:
    """Names the list: the kind of request and all its filters, whatever the page."""
    bare: Any = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("page_size")
    bare.ClearField("page_token")
    told = bare.DESCRIPTOR.full_name.encode() + b"\0" + bare.SerializeToString(deterministic=True)
    return hashlib.sha256(told).hexdigest()[:16]
