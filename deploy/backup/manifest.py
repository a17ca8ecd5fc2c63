"""What a backup says of itself: versions, parts with their digests, and the objects that belong to it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from loupe.translation import sentence

from deploy.backup.errors import BackupError

FORMAT = 1
"""A backup of a higher one is refused; one of a lower one is read."""
MANIFEST, DATABASE, EVENTS, OBJECTS = "manifest.json", "database.dump", "events.jsonl", "objects.txt"
FILES = (
    *("signing/private.pem", "signing/public.pem"),
    *("network.json", "https/certificate.pem", "https/key.pem"),
    "workers.json",
)
"""Of the data folder, those that are there."""
_DIGEST = "sha256"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of a backup besides the objects."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StreamPart:
    """A stream of events as far as the rows of the backup go."""

    settings: Mapping[str, Any]
    """As JetStream has them."""
    messages: int
    handled: Mapping[str, int]
    """The sequence up to which each durable consumer has handled everything."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that must be known before anything of a backup is used."""

    format: int = FORMAT
    loupe: str
    """Version of the software that made it."""
    created: str
    """PostgreSQL's time of the rows, ISO 8601."""
    postgres: int
    """Major release of the server that was dumped."""
    schemas: Mapping[str, str]
    """The revision of each service's tables."""
    objects: int
    objects_bytes: int
    lost: tuple[str, ...] = ()
    """Objects that rows name and the store did not have whole: they were lost before the backup."""
    parts: Mapping[str, Part] = field(default_factory=dict)
    streams: Mapping[str, StreamPart] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """As it is stored: with a digest of itself, since nothing else has one of it."""
        stored = asdict(self)
        return (json.dumps(stored | {_DIGEST: _digest(stored)}, indent=2) + "\n").encode()

    @classmethod
    def of_json(cls, data: bytes) -> "Manifest":
        """The stored manifest; BackupError if it is none, altered, or of a later format."""
        try:
            stored = json.loads(data)
            if stored["format"] > FORMAT:
                raise BackupError(
                    sentence(
                        "the backup is of format {format}, made by Loupe {version}; this version reads "
                        "formats up to {newest}: use that version, or a later one",
                        format=stored["format"],
                        version=stored["loupe"],
                        newest=FORMAT,
                    )
                )
            # Earlier builds wrote none.
            if _DIGEST in stored and stored.pop(_DIGEST) != _digest(stored):
                raise BackupError(f"{MANIFEST} is altered; take another copy of the backup")
            stored["parts"] = {name: Part(**part) for name, part in stored["parts"].items()}
            stored["streams"] = {name: StreamPart(**part) for name, part in stored["streams"].items()}
            return cls(**{**stored, "lost": tuple(stored["lost"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BackupError(
                sentence("{file} cannot be read ({error}); take another copy", file=MANIFEST, error=error)
            ) from error


def _digest(stored: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()


def object_lines(objects: Mapping[str, int]) -> Iterator[bytes]:
    """The list of objects, as it is stored: size in bytes and key, by key."""
    for key in sorted(objects):
        yield f"{objects[key]} {key}\n".encode()


def read_object_lines(file: IO[bytes]) -> dict[str, int]:
    """The sizes of the objects by key."""
    found = {}
    for line in file:
        size, _, key = line.decode().rstrip("\n").partition(" ")
        found[key] = int(size)
    return found
