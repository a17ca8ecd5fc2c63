"""Pages of lists (keyset pagination): page requests, pages and page tokens, for every service.

A page begins after a key, the values of the list's sort columns in one row. A page token is such a key, bound
to its list and filter: another list, or the same one with another filter, refuses it as BAD_PAGE_TOKEN.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from google.protobuf.message import Message
from loupe.errors import InvalidArgument, Violation
from loupe.translation import sentence

DEFAULT_SIZE = 50
MAX_SIZE = 1000

PAGE_TOKEN = "page_token"  # noqa: S105 -- the name of a field
BAD_PAGE_TOKEN = Violation(
    PAGE_TOKEN,
    "BAD_PAGE_TOKEN",
    sentence("the page token is not one of this list with this filter; start again without a token"),
)

Item = TypeVar("Item")
Key = TypeVar("Key")
Part = str | int | float
"""The value of one sort column."""
RowKey = tuple[Any, ...]
"""A key that is a tuple of its parts."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item, Key]):
    """Some items of a list, in its order."""

    items: Sequence[Item]
    last_key: Key | None
    """The key of the last item, after which the next page begins; None if there is no next page."""

    @classmethod
    def cut(cls, found: Sequence[tuple[Key, Item]], size: int) -> Self:
        """The first `size` of what was read; one item more than that says that there is a next page."""
        kept = found[:size]
        return cls(tuple(item for _, item in kept), kept[-1][0] if len(found) > size else None)


@dataclass(frozen=True, slots=True)
class PageRequest(Generic[Key]):
    """At most `size` items that come after `after` in the list's order."""

    size: int
    after: Key | None = None

    @property
    def limit(self) -> int:
        """How many rows to read: one more than the page holds says that there is a next page."""
        return self.size + 1

    def cut(self, found: Sequence[Item], key: Callable[[Item], Key]) -> Page[Item, Key]:
        """The page of the rows that were read with `limit`."""
        return Page.cut([(key(item), item) for item in found], self.size)


RowPage = Page[Item, RowKey]
RowPageRequest = PageRequest[RowKey]


@dataclass(frozen=True)
class PageTokens(Generic[Key]):
    """The page tokens of one kind of list: how its keys become tokens, and tokens keys."""

    write: Callable[[Key], Sequence[Part]]
    kinds: Sequence[type[Part]]
    """The types of the parts that `write` returns."""
    read: Callable[..., Key]
    """Makes the key from the parts; ValueError or OverflowError if it cannot."""
    int_bits: int = 31
    """Bounds the whole numbers among the parts."""

    def page(self, request: Any) -> PageRequest[Key]:  # noqa: ANN401 -- any List request
        """The page that a List request asks for; InvalidArgument for a bad size or token."""
        return PageRequest(_size(request), self._key(request))

    def token(self, request: Message, key: Key | None) -> str:
        """The token of the page after `key`; empty if there is none."""
        if key is None:
            return ""
        text = json.dumps([_list_id(request), *self.write(key)], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _key(self, request: Any) -> Key | None:  # noqa: ANN401 -- any List request
        """The key after which the requested page begins; None for the first page."""
        token: str = request.page_token
        if not token:
            return None
        try:
            padded = token.encode("ascii") + b"=" * (-len(token) % 4)
            list_id, *parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if list_id == _list_id(request):
                kinds = zip(self.kinds, parts, strict=True)
                return self.read(*(_part(kind, part, self.int_bits) for kind, part in kinds))
        # RecursionError: nested brackets. OverflowError: a number or a time too large for its type.
        except (ValueError, TypeError, OverflowError, RecursionError):
            pass
        raise InvalidArgument.of(BAD_PAGE_TOKEN)


def row_tokens(*kinds: type[Part], int_bits: int = 31) -> PageTokens[RowKey]:
    """Tokens of a list whose keys are tuples of parts of these types."""
    return PageTokens(lambda key: key, kinds, lambda *parts: parts, int_bits)


def _size(request: Any) -> int:  # noqa: ANN401 -- any List request
    """How many items a List request asks for, limited to MAX_SIZE."""
    if request.page_size < 0:
        raise InvalidArgument.of(
            Violation(
                "page_size",
                "OUT_OF_RANGE",
                sentence(
                    "page_size is {page_size}; give 1 to {max_size}, or 0 for {default_size}",
                    page_size=request.page_size,
                    max_size=MAX_SIZE,
                    default_size=DEFAULT_SIZE,
                ),
            )
        )
    return min(request.page_size or DEFAULT_SIZE, MAX_SIZE)


def _part(kind: type[Part], part: object, int_bits: int) -> Part:
    """The part, if a database can compare it with its rows; ValueError if it cannot.

    Every text that can be stored is allowed: a file name may hold unprintable characters.
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


def _list_id(request: Message) -> str:
    """Identifies the list: the type of the request and all its filters, without the page."""
    bare: Any = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("page_size")
    bare.ClearField(PAGE_TOKEN)
    identity = bare.DESCRIPTOR.full_name.encode() + b"\0" + bare.SerializeToString(deterministic=True)
    return hashlib.sha256(identity).hexdigest()[:16]
