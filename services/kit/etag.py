"""Etags: a change that builds on a past state of its resource is refused (optimistic concurrency).

Imports `loupe.errors` only, so that a domain may use it.
"""

from loupe.errors import Aborted


class EtagMismatch(Aborted):
    """The resource changed since the caller read it."""

    reason = "ETAG_MISMATCH"


def require_etag(
    name: str, expected: str, current: str, *, state: str = "", reason: str | None = None, **facts: object
) -> None:
    """EtagMismatch unless the caller saw the current state of the resource `name`.

    An empty `expected` accepts every state. `state` is the current one in a word, for the message and the
    facts; `reason` and the other `facts` are those of the error.
    """
    if expected and expected != current:
        now = f": it is {state} now" if state else ""
        if state:
            facts["state"] = state
        raise EtagMismatch(f"{name} changed since it was read{now}; read it again", reason=reason, **facts)
