"""The session of a browser (A1): a token in a cookie that scripts cannot read, and the defence against CSRF.

Browsers keep cookies by host, not by port: whatever else a host serves may set one for us, of another path or
for a whole domain. Under https the cookie's name begins with `__Host-`: browsers take such a one only from
this host, over https, for all paths. Under plain http, as on 127.0.0.1, not every browser and program keeps
a cookie that is `Secure`, so it has the plain name there. Two of the name are refused under either.

Browsers send the cookie with every request to us, also from pages of other sites. So a request that changes
something under a cookie must have a header that only our own pages can set, and must not have another origin.
`SameSite=Strict` is enough in present browsers; the header is enough in all.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from loupe.errors import PermissionDenied, Unauthenticated

COOKIE = "loupe_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
CLIENT_HEADER = "x-loupe-client"


class ForgedRequest(PermissionDenied):
    """A request that another site may have made in the name of the user who is logged in (CSRF)."""

    reason = "CROSS_SITE_REQUEST"


class TwoSessions(Unauthenticated):
    """A request with two sessions, of which somebody else may have set one."""

    reason = "TWO_SESSIONS"


def session_of(headers: Mapping[str, str], *, secure: bool) -> str | None:
    """The token in the request's cookie, of the name that it has under https if `secure`; TwoSessions.

    Parsed by hand: other applications on the same host may set malformed cookies, and a parser that fails on
    one would lock all users out. The limit of the head limits their size.
    """
    parts = (part.partition("=") for part in headers.get("cookie", "").split(";"))
    found = [value.strip() for name, _, value in parts if name.strip() == cookie_name(secure=secure)]
    sessions = [value for value in found if value]
    if len(sessions) > 1:
        raise TwoSessions(
            "the browser sent two sessions, of which somebody else may have set one; delete the cookies of "
            "this address in the browser, then log in again"
        )
    return sessions[0] if sessions else None


def cookie_name(*, secure: bool) -> str:
    """The name of the session's cookie, under https if `secure`."""
    return SECURE_COOKIE if secure else COOKIE


def session_cookie(secret: str, expire_time: datetime, *, secure: bool) -> str:
    """The value of Set-Cookie that begins a session."""
    return _cookie(secret, expire_time, secure=secure)


def ended_cookie(*, secure: bool) -> str:
    """The value of Set-Cookie that makes a browser forget its session."""
    return _cookie("", datetime(1970, 1, 1, tzinfo=UTC), secure=secure)


def refuse_forged(headers: Mapping[str, str]) -> None:
    """Raise ForgedRequest unless a page of ours, or a program, made the request."""
    if not headers.get(CLIENT_HEADER):
        raise ForgedRequest(
            "a request that changes something carries a token in 'Authorization: Bearer <token>', or the "
            "header 'X-Loupe-Client: console' beside the session's cookie"
        )
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise ForgedRequest(
            f"{origin[:200]} may not change anything here; open the console at its own address"
        )


def _cookie(value: str, expire_time: datetime, *, secure: bool) -> str:
    parts = [
        f"{cookie_name(secure=secure)}={value}",
        "Path=/",
        "HttpOnly",
        "SameSite=Strict",
        f"Expires={format_datetime(expire_time, usegmt=True)}",
    ]
    return "; ".join([*parts, "Secure"] if secure else parts)
