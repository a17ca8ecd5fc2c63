"""Reads groups.csv (D3): which pictures show the same part, as people and spreadsheets write it.

Faults are errors: a table that is silently ignored, or read in part, lets photos of one part fall on both
sides of a split.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from loupe.text_encodings import decode
from loupe.unusable import Unusable

GROUPS_FILE = "groups.csv"
# In order of preference: the first that a table has is taken.
_FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "image_path", "name", "sample")
_GROUP_COLUMNS = (
    "group", "group_id", "tile_group", "panel", "panel_id", "tile", "tile_id", "part", "part_id",
    "glass", "glass_id", "lot", "lot_id",
)  # fmt: skip
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(?P<separator>[^"\n])"?[\s,;]*', re.IGNORECASE)
"""The first line that Excel reads, and writes for other programs."""


class BadTable(ValueError):
    """The table cannot be used; the message says what to change, and is preceded by the file's name."""


@dataclass(frozen=True, slots=True)
class Row:
    """One picture's group."""

    line: int
    file: str
    """As written."""
    group: str
    """In one Unicode composition: macOS and Windows write the same text in two."""


@dataclass(frozen=True, slots=True)
class GroupTable:
    """What a groups.csv says."""

    column: str
    """The header of the column that holds the group."""
    rows: tuple[Row, ...]


def is_table(name: str) -> bool:
    """Whether a file is a table of groups by its name; file systems and programs change its case."""
    return PurePosixPath(name).name.lower() == GROUPS_FILE


def group_key(written: str) -> str:
    """The group of a name: one part must not become two by its composition, or by spaces around it."""
    return unicodedata.normalize("NFC", written).strip()


def choose(names: Collection[str]) -> str | None:
    """The table that counts among those below a folder; None if there is none. BadTable if that is unclear.

    The one of the folder itself comes first. Of several elsewhere none is taken: the same group in two of
    them may be one part, or two.
    """
    tables = sorted(name for name in names if is_table(name))
    at_top = [name for name in tables if "/" not in name]
    candidates = at_top or tables
    if len(candidates) > 1:
        raise BadTable(
            f"is there {len(candidates)} times ({', '.join(candidates[:3])}), and the same group in two "
            f"of them may be one part or two; make one {GROUPS_FILE} of them, in the folder that is imported"
        )
    return candidates[0] if candidates else None


def parse(data: bytes) -> GroupTable:
    """The table that a file's bytes are; BadTable."""
    text = _text(data).replace("\r\n", "\n").replace("\r", "\n")
    first_line, _, rest = text.partition("\n")
    if told := _SEPARATOR_LINE.fullmatch(first_line):
        delimiter, skipped, text = told["separator"], 1, rest
        first_line = rest.partition("\n")[0]
    else:
        delimiter, skipped = max(",;\t", key=first_line.count), 0
    try:
        return _table(_rows(text, delimiter, skipped), first_line.strip())
    except csv.Error as error:
        raise BadTable(f"is no table: {error}; close every quote, and save it as CSV") from error


def _text(data: bytes) -> str:
    """Excel in China writes GBK, and its "Unicode text" is UTF-16."""
    try:
        return decode(data, "").text
    except Unusable as unusable:
        raise BadTable(unusable.message.strip()) from unusable


def _rows(text: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Line and fields; a field of several lines is most likely a quote that was not closed."""
    before = skipped
    # Strict: otherwise a quote that is never closed makes one field of all rows behind it.
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    for fields in reader:
        line, before = before + 1, reader.line_num + skipped
        if any("\n" in field for field in fields):
            raise BadTable(
                f"line {line}: a quoted field goes on in the next line, so that rows may be lost in it; "
                "close the quote, or write the field in one line"
            )
        yield line, [field.strip() for field in fields]


def _table(rows: Iterator[tuple[int, list[str]]], first_line: str) -> GroupTable:
    _, header = next(rows, (0, []))
    read = list(rows)
    filled = {at for _, fields in read for at, field in enumerate(fields) if field}
    file_at = _column(header, _FILE_COLUMNS, "file", first_line, filled)
    group_at = _column(header, _GROUP_COLUMNS, "group", first_line, filled)
    if read and group_at not in filled:
        raise BadTable(f"has nothing in its column {header[group_at]!r}; fill it in, or remove the table")
    found: list[Row] = []
    for line, fields in read:
        if len(fields) > len(header) and any(fields[len(header) :]):
            raise BadTable(
                f"line {line} has {len(fields)} fields, and its header {len(header)}; put a name that holds "
                "the separator into quotes"
            )
        file, group = (fields[at] if at < len(fields) else "" for at in (file_at, group_at))
        if file:
            found.append(Row(line, file, group_key(group)))
    return GroupTable(header[group_at], tuple(found))


def _column(
    header: Sequence[str], wanted: Sequence[str], what: str, first_line: str, filled: Collection[int]
) -> int:
    """The first of the wanted columns that is not empty: some programs leave the one and fill the other."""
    small = [name.lower() for name in header]
    present = [name for name in wanted if name in small]
    if not present:
        raise BadTable(
            f"has no column for the {what}: its header is {first_line!r}; name one of {', '.join(wanted)}"
        )
    for name in present:
        if small.count(name) > 1:
            twins = ", ".join(repr(one) for one in header if one.lower() == name)
            raise BadTable(f"has {small.count(name)} columns for the {what} ({twins}); remove all but one")
        if small.index(name) in filled:
            return small.index(name)
    return small.index(present[0])
