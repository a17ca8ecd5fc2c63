"""The tokens of this installation's own processes: one each, in files, two of them accepted at a time (A1).

A folder holds `<process>.token` for each process that calls others, and `accepted`, the digests of all of
them, for the servers. A machine needs only those files that its processes read. Replaced files are in force
at the next call: `deploy.embedded.service_tokens` makes and rotates them.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from loupe.errors import FailedPrecondition, PermissionDenied
from loupe.settings import setting

from services.kit.auth import Principal, Role, current_principal
from services.kit.watched_file import WatchedFile

SCHEDULER, EVALUATOR = "scheduler", "evaluator"
TRAINER, EVALUATOR_WORKER = "trainer", "evaluator-worker"

ROLES: Mapping[str, Role] = {
    SCHEDULER: Role.SERVICE,
    EVALUATOR: Role.SERVICE,
    TRAINER: Role.WORKER,
    EVALUATOR_WORKER: Role.WORKER,
}
"""The processes that call others with a token of their own. The registry calls nobody; the gateway shows the
token of its caller."""

ACCEPTED = "accepted"
MAX_ACCEPTED = 2
"""Of one process: its token, and the one before, until all have taken up the new one."""

_TOKEN = re.compile(r"[!-~]{32,}")
_LINE = re.compile(r"(?P<name>\S+)\s+(?P<digest>[0-9a-f]{64})")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ServiceTokenSettings:
    """Where a process finds its token, and whose it accepts. A group of settings."""

    folder: Path = setting(  # noqa: RUF009 -- a field
        "LOUPE_SERVICE_TOKENS_DIR",
        doc="Folder with this process's own token (`PROCESS.token`) and, for servers, the digests of those "
        "that they accept (`accepted`); replaced files count from the next call on. `loupe service-tokens "
        "create` makes it. It takes the place of LOUPE_SERVICE_TOKEN",
    )

    def own(self, process: str) -> Callable[[], str]:
        """The token that `process` shows, as its file says at each call; FailedPrecondition without one."""
        return _watched(token_file(self.folder, process), parse_token)

    def accepted(self) -> Callable[[], Mapping[str, Principal]]:
        """The processes by the digests of their tokens; FailedPrecondition without the file."""
        return _watched(self.folder / ACCEPTED, principals_in)


def token_file(folder: Path, process: str) -> Path:
    """Where the token of a process is."""
    return folder / f"{process}.token"


def digest_of(token: str) -> str:
    """What a server knows of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse_token(text: str) -> str:
    """The token in a file; ValueError."""
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError("it must hold one token of at least 32 characters, without blanks")
    return token


def digests_in(text: str) -> dict[str, list[str]]:
    """Of each process its digests, as the file orders them; ValueError names the line that is wrong."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or match["name"] not in ROLES:
            raise ValueError(
                f"line {number} is not the name of a process ({', '.join(ROLES)}) and the SHA-256 of a token"
            )
        of_one = found.setdefault(match["name"], [])
        of_one.append(match["digest"])
        if len(of_one) > MAX_ACCEPTED:
            raise ValueError(
                f"line {number}: {match['name']} has more than {MAX_ACCEPTED} tokens; remove one"
            )
    return found


def principals_in(text: str) -> dict[str, Principal]:
    """The processes by the digests of their tokens; ValueError, also if two share a token."""
    found: dict[str, Principal] = {}
    for name, digests in digests_in(text).items():
        for digest in digests:
            known = found.setdefault(digest, Principal(f"services/{name}", ROLES[name]))
            if known.name != f"services/{name}":
                raise ValueError(f"{name} has a token of {known.name}; each process needs one of its own")
    return found


def require_process(name: str) -> None:
    """Raise PermissionDenied unless the caller of the RPC that is being served is this process of ours."""
    caller = current_principal().name
    if caller != f"services/{name}":
        raise PermissionDenied(
            f"{caller} may not do this; only services/{name} does", reason="OTHER_PROCESS", principal=caller
        )


def _watched(path: Path, parse: Callable[[str], T]) -> Callable[[], T]:
    try:
        return WatchedFile(path, parse)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FailedPrecondition(
            f"{path} cannot be used: {reason}; `loupe service-tokens create` makes the files of "
            "LOUPE_SERVICE_TOKENS_DIR",
            reason="NO_SERVICE_TOKEN",
        ) from error
