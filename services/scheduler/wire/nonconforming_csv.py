"""Nonconforming samples as CSV (RFC 4180, UTF-8): a header, then one row a sample (M1a)."""

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import asdict

from loupe.spreadsheet import escape_formulas

from services.scheduler.domain.work import NonconformingSample

COLUMNS = ("data_path", "file", "width", "height", "reason", "message", "message_zh", "sha256")
CONTENT_TYPE = "text/csv; charset=utf-8"


def head() -> bytes:
    """The header; without the byte order mark spreadsheets do not show Chinese."""
    return codecs.BOM_UTF8 + (",".join(COLUMNS) + "\r\n").encode()


def rows(samples: Sequence[NonconformingSample]) -> bytes:
    """One row a sample."""
    text = io.StringIO()
    fields = (asdict(sample) for sample in samples)
    csv.writer(text).writerows(escape_formulas(one[column] for column in COLUMNS) for one in fields)
    return text.getvalue().encode()
