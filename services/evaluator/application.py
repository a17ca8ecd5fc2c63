"""What can be done with reports."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from services.evaluator.domain.errors import LeaseLost, ReportNotFound
from services.evaluator.domain.listing import ReportFilter, ReportKey, SampleFilter, SampleKey
from services.evaluator.domain.report import Counts, Report, ReportHeader, SampleResult, Tally
from services.evaluator.storage import Reports, SampleResults
from services.kit.database import Sessions

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Page[T, K]:
    """Some of a listing, and where it goes on; `next_key` is None at its end."""

    items: Sequence[T]
    next_key: K | None


class ReportLibrary:
    """All reports of the installation."""

    def __init__(self, sessions: Sessions, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now
