"""The session's cookie among those of other applications on the same host (A1)."""

from datetime import UTC, datetime

import pytest

from gateway.sessions import TwoSessions, ended_cookie, session_cookie, session_of


@pytest.mark.parametrize(
    "others",
    ["", "theme=dark; ", 'prefs={"a": "b", "c": [1]}; ', "a b=c; ", "flag; =; ", "big=" + "x" * 8000 + "; "],
)
def test_a1_no_other_cookie_locks_anybody_out(others: str) -> None:
    """Cookies know no ports: whatever else runs on the host of the console sends its own along."""
    given = {"cookie": f"{others}loupe_session=loupe_1_abc; z=1"}
    assert session_of(given, secure=False) == "loupe_1_abc"
    assert session_of({"cookie": f"{others}__Host-loupe_session=loupe_1_abc"}, secure=True) == "loupe_1_abc"


@pytest.mark.parametrize("given", ["", "loupe_session=", "not_loupe_session=a", "x=loupe_session=a"])
def test_a1_what_is_no_session_is_none(given: str) -> None:
    """Its name is the whole name, and an ended session's value is empty."""
    assert session_of({"cookie": given}, secure=False) is None


@pytest.mark.parametrize("secure", [False, True])
def test_a1_two_sessions_are_refused(secure: bool) -> None:  # noqa: FBT001 -- a case
    """Another port of the host may set one for a longer path, which browsers send first."""
    name = "__Host-loupe_session" if secure else "loupe_session"
    for others in (f"{name}=b", f"x=1; {name}=a"):
        with pytest.raises(TwoSessions, match="delete the cookies"):
            session_of({"cookie": f"{name}=a; {others}"}, secure=secure)
    assert session_of({"cookie": f"{name}=; {name}=a"}, secure=secure) == "a", "one of them has ended"


def test_a1_under_https_no_other_host_and_no_plain_page_sets_the_session() -> None:
    """Browsers keep a `__Host-` cookie only so; one of the plain name counts for nothing there."""
    ends = datetime(2026, 1, 1, tzinfo=UTC)
    for given in (session_cookie("a", ends, secure=True), ended_cookie(secure=True)):
        name, *attributes = given.split("; ")
        assert name.startswith("__Host-loupe_session=")
        assert {"Secure", "Path=/", "HttpOnly", "SameSite=Strict"} <= set(attributes)
        assert not any(one.lower().startswith("domain") for one in attributes)
    planted = {"cookie": "loupe_session=planted; __Host-loupe_session=own"}
    assert session_of(planted, secure=True) == "own"
    assert session_of({"cookie": "loupe_session=planted"}, secure=True) is None
