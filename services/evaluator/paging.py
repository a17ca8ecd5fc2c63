"""Page tokens: opaque to callers, and good only for the listing that made them."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from services.evaluator.domain.comparison import Change, ComparedKey
from services.evaluator.domain.errors import PageTokenInvalid
from services.evaluator.domain.listing import ReportKey, SampleKey
from services.evaluator.domain.report import Verdict
from services.evaluator.domain.suspicion import SuspectKey, Suspicion
from services.evaluator.relabelling.domain import MarkKey
from services.kit.errors import Violation

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000

Key = TypeVar("Key")
Newest = TypeVar("Newest", ReportKey, MarkKey)


def page_size(wanted: int) -> int:
    """What is given for what is asked: 0 is the default, more than the most is the most."""
    if wanted < 0:
        raise PageTokenInvalid.of(Violation("page_size", "NEGATIVE", "must not be negative"))
    return min(wanted, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE


@dataclass(frozen=True)
class Places(Generic[Key]):
    """How the places in one kind of listing are written into tokens, and read from them."""

    written: Callable[[Key], list[Any]]
    read: Callable[..., Key]

    def token(self, key: Key | None, listing: Sequence[object]) -> str:
        """The token of the page after `key`; empty at the end."""
        return "" if key is None else _encode(listing, self.written(key))

    def key(self, token: str, listing: Sequence[object]) -> Key | None:
        """Where the page begins."""
        if not token:
            return None
        try:
            return self.read(*_decode(token, listing))
        except (ValueError, TypeError) as error:
            told = "is not a token of this listing; start from its first page"
            raise PageTokenInvalid.of(Violation("page_token", "INVALID", told)) from error


def _newest_first(key: type[Newest]) -> Places[Newest]:
    return Places(
        lambda place: [place.create_time.isoformat(), str(place.id)],
        lambda create_time, item_id: key(datetime.fromisoformat(create_time).astimezone(UTC), UUID(item_id)),
    )


REPORTS = _newest_first(ReportKey)
MARKS = _newest_first(MarkKey)
SAMPLES = Places[SampleKey](
    lambda place: [int(place.verdict), place.rank, place.true_code, place.file, place.ordinal],
    lambda verdict, rank, true_code, file, ordinal: SampleKey(
        Verdict(verdict), float(rank), str(true_code), str(file), int(ordinal)
    ),
)
SUSPECTS = Places[SuspectKey](
    lambda place: [place.score, place.ordinal, int(place.suspicion)],
    lambda score, ordinal, suspicion: SuspectKey(float(score), int(ordinal), Suspicion(suspicion)),
)
COMPARED = Places[ComparedKey](
    lambda place: [int(place.change), place.rank, place.file, place.ordinal],
    lambda change, rank, file, ordinal: ComparedKey(Change(change), float(rank), str(file), int(ordinal)),
)


def _encode(listing: Sequence[object], key: list[Any]) -> str:
    text = json.dumps([_digest(listing), *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(token: str, listing: Sequence[object]) -> list[Any]:
    parts: list[Any] = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    if not isinstance(parts, list) or parts[:1] != [_digest(listing)]:
        raise ValueError("made by another listing")
    return parts[1:]


def _digest(listing: Sequence[object]) -> str:
    return hashlib.sha256(repr(tuple(listing)).encode()).hexdigest()[:12]
