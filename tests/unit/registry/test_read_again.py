"""What was read by earlier rules of decoding is read again at its next import (D5, D6)."""

from dataclasses import replace

import pytest

from services.registry.application.datasets import _is_stored, _wanted
from services.registry.domain.objects import (
    RULES,
    ImageObject,
    MaskFacts,
    RejectedObject,
    Rejection,
    RejectReason,
)

SHA256 = "a" * 64
NOW = ImageObject(SHA256, 100, 10, 8, 1, 8, "PNG", "c" * 64)
BEFORE = replace(NOW, rules=RULES - 1)


@pytest.mark.parametrize("mask", [None, MaskFacts()])
@pytest.mark.parametrize("is_mask", [True, False])
def test_an_object_of_earlier_rules_is_read_again(mask: MaskFacts | None, is_mask: bool) -> None:  # noqa: FBT001 -- a column
    """Its orientation is not known, and a mask of noise was taken; what it was as a mask is not forgotten."""
    wanted = _wanted(SHA256, replace(BEFORE, mask=mask), (), is_mask=is_mask)
    assert wanted is not None
    assert wanted.again
    assert wanted.is_mask == (is_mask or mask is not None)


def test_an_object_of_these_rules_is_not_read_again() -> None:
    """Repeating an import must cost nothing."""
    assert _wanted(SHA256, NOW, (), is_mask=False) is None
    assert _wanted(SHA256, replace(NOW, mask=MaskFacts()), (), is_mask=True) is None
    new_mask = _wanted(SHA256, NOW, (), is_mask=True)
    assert new_mask is not None
    assert (new_mask.again, new_mask.is_mask) == (True, True)


def test_what_these_rules_refuse_stays_an_image_in_its_row() -> None:
    """Samples of earlier imports name it: a page of them must still be listed."""
    refused = RejectedObject(SHA256, 100, Rejection(RejectReason.SEVERAL_PICTURES, "2 pages"))
    assert not _is_stored(refused, {SHA256: BEFORE})
    assert _is_stored(refused, {})
    assert _is_stored(NOW, {SHA256: BEFORE})
