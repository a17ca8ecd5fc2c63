"""Places in the evaluator's lists, as their page tokens hold them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from services.evaluator.domain.comparison import Change, ComparedKey
from services.evaluator.domain.listing import ReportKey, SampleKey
from services.evaluator.domain.relabelling import MarkKey
from services.evaluator.domain.report import Verdict
from services.evaluator.domain.suspicion import SuspectKey, Suspicion
from services.kit.paging import Part, key_of, token_of

Key = TypeVar("Key")
Newest = TypeVar("Newest", ReportKey, MarkKey)


@dataclass(frozen=True)
class Places(Generic[Key]):
    """How the places in one kind of list are written into tokens, and read from them."""

    written: Callable[[Key], Sequence[Part]]
    kinds: Sequence[type[Part]]
    """The types of what is written."""
    read: Callable[..., Key]

    def token(self, request: Any, key: Key | None) -> str:  # noqa: ANN401 -- any List request
        """The token of the page after `key`; empty at the end."""
        return token_of(request, None if key is None else self.written(key))

    def key(self, request: Any) -> Key | None:  # noqa: ANN401 -- any List request
        """Where the page that a request asks for begins."""
        return key_of(request, self.kinds, self.read)


def _newest_first(key: type[Newest]) -> Places[Newest]:
    return Places(
        lambda place: [place.create_time.isoformat(), str(place.id)],
        (str, str),
        lambda create_time, item_id: key(datetime.fromisoformat(create_time).astimezone(UTC), UUID(item_id)),
    )


REPORTS = _newest_first(ReportKey)
MARKS = _newest_first(MarkKey)
SAMPLES = Places[SampleKey](
    lambda place: [int(place.verdict), place.rank, place.true_code, place.file, place.ordinal],
    (int, float, str, str, int),
    lambda verdict, *others: SampleKey(Verdict(verdict), *others),
)
SUSPECTS = Places[SuspectKey](
    lambda place: [place.score, place.ordinal, int(place.suspicion)],
    (float, int, int),
    lambda score, ordinal, suspicion: SuspectKey(score, ordinal, Suspicion(suspicion)),
)
COMPARED = Places[ComparedKey](
    lambda place: [int(place.change), place.rank, place.file, place.ordinal],
    (int, float, str, int),
    lambda change, *others: ComparedKey(Change(change), *others),
)
