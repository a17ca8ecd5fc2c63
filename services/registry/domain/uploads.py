"""Uploads: bytes on their way to a content address (D2)."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_JOINED_OBJECT_BYTES = 64 * 2**10
_JOINED_BYTES = 256 * 2**10
"""A request costs as much as a hundred kilobytes; an importer has several on their way at once."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A place for bytes that are said to have a hash. Whoever has its link may write there for an hour."""

    name: str
    """Of this upload alone: an earlier one that arrives late changes nothing here."""
    sha256: str
    size_bytes: int | None = None
    """As the uploader said; None if it did not: then the link takes any."""
    at_byte: int = 0
    """Where they begin in what is uploaded."""
    whole_bytes: int | None = None
    """The size of what is uploaded; that of the object unless several were joined."""

    @property
    def part(self) -> tuple[int, int] | None:
        """Offset and length, of an object that is one of several; None if it is all."""
        if self.size_bytes is None or self.size_bytes == self.whole_bytes:
            return None
        return self.at_byte, self.size_bytes


def plan(sizes: Mapping[str, int | None], *, joined: bool) -> list[Upload]:
    """Uploads for objects of these hashes and sizes; if `joined`, small ones share one, in their order."""
    alone = [
        _together([item])
        for item in sizes.items()
        if not joined or not 0 < (item[1] or 0) <= _JOINED_OBJECT_BYTES
    ]
    taken = {upload.sha256 for group in alone for upload in group}
    groups: list[list[tuple[str, int | None]]] = [[]]
    room = _JOINED_BYTES
    for sha256, size_bytes in sizes.items():
        if sha256 in taken or size_bytes is None:
            continue
        if size_bytes > room:
            groups.append([])
            room = _JOINED_BYTES
        groups[-1].append((sha256, size_bytes))
        room -= size_bytes
    return [upload for group in [*map(_together, groups), *alone] for upload in group]


def _together(objects: Iterable[tuple[str, int | None]]) -> list[Upload]:
    """The objects in one upload, with a name that nobody guesses, as long as a hash."""
    items = list(objects)
    name = secrets.token_hex(32)
    whole_bytes = None if any(size is None for _, size in items) else sum(size or 0 for _, size in items)
    at_byte = 0
    uploads = []
    for sha256, size_bytes in items:
        uploads.append(Upload(name, sha256, size_bytes, at_byte, whole_bytes))
        at_byte += size_bytes or 0
    return uploads
