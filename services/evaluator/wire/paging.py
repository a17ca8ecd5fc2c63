"""Page tokens of the evaluator's lists."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from services.evaluator.domain.comparison import Change, ComparedKey
from services.evaluator.domain.listing import ReportKey, SampleKey
from services.evaluator.domain.relabelling import MarkKey
from services.evaluator.domain.report import Verdict
from services.evaluator.domain.suspicion import SuspectKey, Suspicion
from services.kit.paging import PageTokens

Newest = TypeVar("Newest", ReportKey, MarkKey)


def _newest_first(key_class: type[Newest]) -> PageTokens[Newest]:
    return PageTokens(
        lambda key: [key.create_time.isoformat(), str(key.id)],
        (str, str),
        lambda create_time, item_id: key_class(
            datetime.fromisoformat(create_time).astimezone(UTC), UUID(item_id)
        ),
    )


REPORTS = _newest_first(ReportKey)
MARKS = _newest_first(MarkKey)
SAMPLES = PageTokens[SampleKey](
    lambda key: [int(key.verdict), key.rank, key.true_code, key.file, key.ordinal],
    (int, float, str, str, int),
    lambda verdict, *others: SampleKey(Verdict(verdict), *others),
)
SUSPECTS = PageTokens[SuspectKey](
    lambda key: [key.score, key.ordinal, int(key.suspicion)],
    (float, int, int),
    lambda score, ordinal, suspicion: SuspectKey(score, ordinal, Suspicion(suspicion)),
)
COMPARED = PageTokens[ComparedKey](
    lambda key: [int(key.change), key.rank, key.file, key.ordinal],
    (int, float, str, int),
    lambda change, *others: ComparedKey(Change(change), *others),
)
