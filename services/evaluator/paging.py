"""Page tokens: opaque to callers, and good only for the listing that made them."""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
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


def page_size(wanted: int) -> int:
    """What is given for what is asked: 0 is the default, more than the most is the most."""
    if wanted < 0:
        raise PageTokenInvalid.of(Violation("page_size", "NEGATIVE", "must not be negative"))
    return min(wanted, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE


def report_token(key: ReportKey | None, listing: Sequence[object]) -> str:
    """The token of the page after `key`; empty at the end."""
    return "" if key is None else _encode(listing, [key.create_time.isoformat(), str(key.id)])


def report_key(token: str, listing: Sequence[object]) -> ReportKey | None:
    """Where the page begins."""
    place = _newest(token, listing)
    return None if place is None else ReportKey(*place)


def mark_token(key: MarkKey | None, listing: Sequence[object]) -> str:
    """The token of the page after `key`; empty at the end."""
    return "" if key is None else _encode(listing, [key.create_time.isoformat(), str(key.id)])


def mark_key(token: str, listing: Sequence[object]) -> MarkKey | None:
    """Where the page begins."""
    place = _newest(token, listing)
    return None if place is None else MarkKey(*place)


def _newest(token: str, listing: Sequence[object]) -> tuple[datetime, UUID] | None:
    """The place in a listing that is newest first."""
    if not token:
        return None
    try:
        create_time, item_id = _decode(token, listing)
        return datetime.fromisoformat(create_time).astimezone(UTC), UUID(item_id)
    except (ValueError, TypeError) as error:
        raise _invalid() from error


def sample_token(key: SampleKey | None, listing: Sequence[object]) -> str:
    """The token of the page after `key`; empty at the end."""
    return (
        ""
        if key is None
        else _encode(listing, [int(key.verdict), key.rank, key.true_code, key.file, key.ordinal])
    )


def sample_key(token: str, listing: Sequence[object]) -> SampleKey | None:
    """Where the page begins."""
    if not token:
        return None
    try:
        verdict, rank, true_code, file, ordinal = _decode(token, listing)
        return SampleKey(Verdict(verdict), float(rank), str(true_code), str(file), int(ordinal))
    except (ValueError, TypeError) as error:
        raise _invalid() from error


def suspect_token(key: SuspectKey | None, listing: Sequence[object]) -> str:
    """The token of the page after `key`; empty at the end."""
    return "" if key is None else _encode(listing, [key.score, key.ordinal, int(key.suspicion)])


def suspect_key(token: str, listing: Sequence[object]) -> SuspectKey | None:
    """Where the page begins."""
    if not token:
        return None
    try:
        score, ordinal, suspicion = _decode(token, listing)
        return SuspectKey(float(score), int(ordinal), Suspicion(suspicion))
    except (ValueError, TypeError) as error:
        raise _invalid() from error


def compared_token(key: ComparedKey | None, listing: Sequence[object]) -> str:
    """The token of the page after `key`; empty at the end."""
    return "" if key is None else _encode(listing, [int(key.change), key.rank, key.file, key.ordinal])


def compared_key(token: str, listing: Sequence[object]) -> ComparedKey | None:
    """Where the page begins."""
    if not token:
        return None
    try:
        change, rank, file, ordinal = _decode(token, listing)
        return ComparedKey(Change(change), float(rank), str(file), int(ordinal))
    except (ValueError, TypeError) as error:
        raise _invalid() from error


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


def _invalid() -> PageTokenInvalid:
    return PageTokenInvalid.of(
        Violation("page_token", "INVALID", "is not a token of this listing; start from its first page")
    )
