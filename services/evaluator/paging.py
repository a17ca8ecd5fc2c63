"""Places in the evaluator's lists, as their page tokens hold them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from services.evaluator.domain.comparison import Change, ComparedKey
from services.evaluator.domain.listing import ReportKey, SampleKey
from services.evaluator.domain.report import Verdict
from services.evaluator.domain.suspicion import SuspectKey, Suspicion
from services.evaluator.relabelling.domain import MarkKey
from services.kit.paging import Part, key_of, token_of

Key = TypeVar("Key")
Newest = TypeVar("Newest", ReportKey, MarkKey)


@dataclass(frozen=True)
class Places(Generic[Key]):
    """How the places in one kind of list are written into tokens, and read from them."""

    written: Callable[[Key], Sequence[Part]]
    read: Callable[..., Key]

    def token(self, request: Any, key: Key | None) -> str:  # noqa: ANN401 -- any List request
        """The token of the page after `key`; empty at the end."""
        return token_of(request, None if key is None else self.written(key))

    def key(self, request: Any) -> Key | None:  # noqa: ANN401 -- any List request
        """Where the page that a request asks for begins."""
        return key_of(request, self.read)


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
