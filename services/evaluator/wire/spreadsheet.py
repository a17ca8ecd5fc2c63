"""Cells of CSV files that spreadsheets open: what a name or a note holds is never a formula there."""

from collections.abc import Iterable

_BEGIN_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def inert(cells: Iterable[object]) -> list[object]:
    """The cells; a text that a spreadsheet would work out gets the apostrophe in front that marks it as text.

    Source: OWASP, CSV Injection. Numbers stay numbers.
    """
    return [
        f"'{cell}" if isinstance(cell, str) and cell.startswith(_BEGIN_A_FORMULA) else cell for cell in cells
    ]
