"""Cells of CSV files that are opened in spreadsheets."""

from collections.abc import Iterable

_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n")


def escape_formulas(cells: Iterable[object]) -> list[object]:
    """The cells, with an apostrophe before each text that a spreadsheet would evaluate as a formula.

    Numbers stay numbers. Source: OWASP, CSV Injection.
    """
    return [
        f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_PREFIXES) else cell for cell in cells
    ]
