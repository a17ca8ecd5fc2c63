"""The session of a browser (A1): a token in a cookie that no script can read, and what keeps others out.

A cookie goes with every request to us, whoever made it; so a request that changes something under a cookie
must carry a header that only a page of ours can set, and must not come from another origin.
`SameSite=Strict` alone would do in present browsers; the header does in all.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from loupe.errors import PermissionDenied

COOKIE = "loupe_session"
CLIENT_HEADER = "x-loupe-client"


class ForgedRequest(PermissionDenied):
    """A request that another site may have made in the name of whoever is logged in."""

    reason = "CROSS_SITE_REQUEST"


def session_of(headers: Mapping[str, str]) -> str | None:
    """The token in the request's cookie.

    Taken apart by hand: other applications of the same host set cookies that are not by the book, and a
    parser that gives up at one of them would lock everybody out. The size of all is that of the head.
    """
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.partition("=")
        if name.strip() == COOKIE and value.strip():
            return value.strip()
    return None


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
        f"{COOKIE}={value}",
        "Path=/",
        "HttpOnly",
        "SameSite=Strict",
        f"Expires={format_datetime(expire_time, usegmt=True)}",
    ]
    return "; ".join([*parts, "Secure"] if secure else parts)
