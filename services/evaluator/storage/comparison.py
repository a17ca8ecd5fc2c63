"""The samples of two reports, joined by data path, file and content."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluator.domain.comparison import Change, ComparedKey, ComparedSample, Pair
from services.evaluator.domain.report import StoredSample, Verdict
from services.evaluator.storage.samples import stored_sample
from services.evaluator.storage.tables import sample_table
from services.kit.paging import PageRequest

_base = sample_table.alias("base")
_candidate = sample_table.alias("candidate")
_SAME_SAMPLE = sa.and_(
    _base.c.data_path == _candidate.c.data_path,
    _base.c.file == _candidate.c.file,
    _base.c.sha256 == _candidate.c.sha256,
)
_CHANGE = sa.case(
    *(
        (sa.and_(_base.c.verdict == int(base), _candidate.c.verdict == int(candidate)), int(change))
        for change in Change
        for base, candidate in [change.verdicts]
    )
)
_ORDER = (_CHANGE, -_candidate.c.confidence, _candidate.c.file, _candidate.c.ordinal)


class ComparedRows:
    """Reads the samples of two reports in one transaction."""

    def __init__(self, session: AsyncSession, base: UUID, candidate: UUID) -> None:
        self._session = session
        self._ids = base, candidate

    async def count(self) -> Iterable[tuple[Pair, int]]:
        """Count the samples by their true codes and verdicts in both reports."""
        base, candidate = (
            sa.select(side).where(side.c.report_id == report_id).cte(side.name + "_samples")
            for side, report_id in zip((_base, _candidate), self._ids, strict=True)
        )
        judgements = (base.c.true_code, base.c.verdict, candidate.c.true_code, candidate.c.verdict)
        query = (
            sa.select(
                *(column.label(f"c{number}") for number, column in enumerate(judgements)), sa.func.count()
            )
            .select_from(
                base.join(
                    candidate,
                    sa.and_(
                        base.c.data_path == candidate.c.data_path,
                        base.c.file == candidate.c.file,
                        base.c.sha256 == candidate.c.sha256,
                    ),
                    full=True,
                )
            )
            .group_by(*judgements)
        )
        return [
            (Pair(_judged(row[0], row[1]), _judged(row[2], row[3])), row[4])
            for row in await self._session.execute(query)
        ]

    async def list(
        self, true_code: str, change: Change | None, page: PageRequest[ComparedKey]
    ) -> Sequence[tuple[ComparedKey, ComparedSample]]:
        """The rows of a page of samples that both reports judged, in the order of ComparedKey."""
        judged = (int(Verdict.CORRECT), int(Verdict.MISJUDGED))
        query = (
            sa.select(
                _base.c.ordinal.label("base_ordinal"),
                *(column.label(f"k{number}") for number, column in enumerate(_ORDER)),
            )
            .join(_candidate, _SAME_SAMPLE)
            .where(
                _base.c.report_id == self._ids[0],
                _candidate.c.report_id == self._ids[1],
                _base.c.true_code == _candidate.c.true_code,
                _base.c.verdict.in_(judged),
                _candidate.c.verdict.in_(judged),
            )
            .order_by(*_ORDER)
            .limit(page.limit)
        )
        if true_code:
            query = query.where(_base.c.true_code == true_code, _candidate.c.true_code == true_code)
        if change is not None:
            base_verdict, candidate_verdict = change.verdicts
            query = query.where(
                _base.c.verdict == int(base_verdict), _candidate.c.verdict == int(candidate_verdict)
            )
        if page.after is not None:
            key = (int(page.after.change), page.after.rank, page.after.file, page.after.ordinal)
            query = query.where(sa.tuple_(*_ORDER) > sa.tuple_(*(sa.literal(value) for value in key)))
        rows = (await self._session.execute(query)).all()
        base = await self._samples(self._ids[0], [row.base_ordinal for row in rows])
        candidate = await self._samples(self._ids[1], [row.k3 for row in rows])
        return [
            (
                ComparedKey(Change(row.k0), row.k1, row.k2, row.k3),
                ComparedSample(Change(row.k0), base[row.base_ordinal], candidate[row.k3]),
            )
            for row in rows
        ]

    async def _samples(self, report_id: UUID, ordinals: Sequence[int]) -> dict[int, StoredSample]:
        query = sa.select(sample_table).where(
            sample_table.c.report_id == report_id, sample_table.c.ordinal.in_(ordinals)
        )
        return {row.ordinal: stored_sample(row) for row in await self._session.execute(query)}


def _judged(code: str | None, verdict: int | None) -> tuple[str, Verdict] | None:
    return None if code is None or verdict is None else (code, Verdict(verdict))
