"""The files of SQL statements."""

from importlib import resources
from importlib.resources.abc import Traversable

import pytest

from services.scheduler.storage import sql

_FILES = [file for file in resources.files(sql).iterdir() if file.name.endswith(".sql")]


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
def test_every_statement_says_what_it_answers_and_needs(file: Traversable) -> None:
    """A statement of more than a screen is not understood from its text alone."""
    lines = file.read_text(encoding="utf-8").splitlines()
    header = "\n".join(line for line in lines if line.startswith("--"))
    for part in ("Question:", "Indexes:", "Locks:", "Example:"):
        assert part in header


def test_comments_are_not_sent_and_fragments_are_filled_in() -> None:
    loaded = sql.load("urgency", most_urgent=9)
    assert loaded.startswith("CASE WHEN j.fencing_token > 0 THEN 9 + 1")
    assert "--" not in loaded
