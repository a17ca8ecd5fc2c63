"""The session of a browser (A1): a token in a cookie that scripts cannot read, and the defence against CSRF.

Browsers send the cookie with every request to us, also from pages of other sites. So a request that changes
something under a cookie must have a header that only our own pages can set, and must not have another origin.
`SameSite=Strict` is enough in present browsers; the header is enough in all.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from loupe.errors import PermissionDenied

COOKIE = "loupe_session"
CLIENT_HEADER = "x-loupe-client"


class ForgedRequest(PermissionDenied):
    """A request that another site may have made in the name of the user who is logged in (CSRF)."""

    reason = "CROSS_SITE_REQUEST"


def session_of(headers: Mapping[str, str]) -> str | None:
    """The token in the request's cookie.

    Parsed by hand: other applications on the same host may set malformed cookies, and a parser that fails on
    one would lock all users out. The limit of the head limits their size.
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
