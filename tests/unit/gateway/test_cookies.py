"""The session's cookie among those of other applications on the same host (A1)."""

import pytest

from gateway.sessions import session_of


@pytest.mark.parametrize(
    "others",
    ["", "theme=dark; ", 'prefs={"a": "b", "c": [1]}; ', "a b=c; ", "flag; =; ", "big=" + "x" * 8000 + "; "],
)
def test_a1_no_other_cookie_locks_anybody_out(others: str) -> None:
    """Cookies know no ports: whatever else runs on the host of the console sends its own along."""
    assert session_of({"cookie": f"{others}loupe_session=loupe_1_abc; z=1"}) == "loupe_1_abc"


@pytest.mark.parametrize("given", ["", "loupe_session=", "not_loupe_session=a", "x=loupe_session=a"])
def test_a1_what_is_no_session_is_none(given: str) -> None:
    """Its name is the whole name, and an ended session's value is empty."""
    assert session_of({"cookie": given}) is None
