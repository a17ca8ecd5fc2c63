"""Pixel counts as the columns `pixel_codes` and `pixel_counts` hold them."""

from collections.abc import Iterable, Sequence

from services.evaluator.domain.report import PixelCounts


def pixel_counts(pixels: Iterable[PixelCounts]) -> list[list[int]]:
    """Rows of intersection, truth and predicted."""
    return [[counts.intersection, counts.truth, counts.predicted] for counts in pixels]


def pixels_of(codes: Iterable[str], rows: Iterable[Sequence[int]]) -> tuple[PixelCounts, ...]:
    """The values of such rows."""
    return tuple(PixelCounts(code, *row) for code, row in zip(codes, rows, strict=True))
