"""Uploads: bytes on their way to a content address (D2)."""

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upload:
    """A place for bytes that are said to have a hash. Whoever has its link may write there for an hour."""

    name: str
    """Of this upload alone: an earlier one that arrives late changes nothing here."""
    sha256: str
    size_bytes: int | None = None
    """As the uploader said; None if it did not: then the link takes any."""

    @classmethod
    def new(cls, sha256: str, size_bytes: int | None) -> "Upload":
        """With a name that nobody guesses, as long as a hash."""
        return cls(secrets.token_hex(32), sha256, size_bytes)
