"""Keyset pages: what comes after a key, and the key to go on from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = tuple[str | int, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `size` items that come after `after` in the list's order."""

    size: int
    after: Key | None = None

    @property
    def limit(self) -> int:
        """How many to read: one more than is shown tells whether there is a next page."""
        return self.size + 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items in order; `next_key` is where the next page starts, None on the last."""

    items: tuple[T, ...]
    next_key: Key | None

    @classmethod
    def cut(cls, read: Sequence[T], request: PageRequest, key: Callable[[T], Key]) -> "Page[T]":
        """The page of what was read by `request.limit`."""
        items = tuple(read[: request.size])
        return cls(items, key(items[-1]) if len(read) > request.size else None)
