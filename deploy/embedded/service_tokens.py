"""Makes and rotates the tokens of Loupe's own processes (A1); `services.service_tokens` has their form.

A rotation has two steps, so that no call is refused: after `rotate` the servers accept the new tokens and the
former ones; `retire` ends the former ones when every process has taken up its new one.
"""

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.files import write_atomically
from services.service_tokens import (
    ACCEPTED,
    MAX_ACCEPTED,
    ROLES,
    digest_of,
    digests_in,
    parse_token,
    token_file,
)

PATIENCE_S = 120.0
"""A call that was begun with the former token is repeated no longer than this."""

_HEAD = "# The processes of this installation, and the SHA-256 of the tokens that they may show.\n"


def create(folder: Path) -> tuple[str, ...]:
    """Make the folder and what it lacks; the names of the processes that got a token. Idempotent."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"{folder} cannot be made: {error.strerror}; choose another folder") from error
    own = _own_tokens(folder)
    made = tuple(name for name in ROLES if name not in own)
    accepted = _accepted(folder)
    digests = {
        # A former token, where a rotation has been begun, stays accepted.
        name: [digest_of(token), *(one for one in accepted.get(name, ()) if one != digest_of(token))]
        for name, token in own.items()
    }
    if made:
        _replace(folder, digests, made)
    elif digests != accepted:
        _write_accepted(folder, digests)
    return made


def rotate(folder: Path) -> None:
    """Give every process a new token, for its next call; the servers accept the former one as well."""
    own = _require_tokens(folder)
    if begun := _former(folder, own):
        raise StackError(
            f"the tokens in {folder} have been rotated, and the former ones of {', '.join(begun)} are still "
            "accepted; retire those first"
        )
    _replace(folder, {name: [digest_of(token)] for name, token in own.items()}, tuple(own))


def retire(folder: Path, *, at_once: bool = False) -> tuple[str, ...]:
    """End the former tokens; the names of the processes that had one.

    StackError soon after a rotation, because a call with a former token may still be under way; `at_once` is
    for tokens that got into wrong hands.
    """
    own = _require_tokens(folder)
    former = _former(folder, own)
    age_s = time.time() - (folder / ACCEPTED).stat().st_mtime
    if former and not at_once and 0 <= age_s < PATIENCE_S:
        raise StackError(
            f"the tokens were rotated {age_s:.0f} s ago, and a call with a former one may be under way; "
            f"retire them in {PATIENCE_S - age_s:.0f} s, or at once if they got into wrong hands"
        )
    _write_accepted(folder, {name: [digest_of(token)] for name, token in own.items()})
    return former


def _replace(folder: Path, accepted: Mapping[str, Sequence[str]], names: Collection[str]) -> None:
    """New tokens for these processes, accepted before anybody shows them."""
    made = {name: f"loupe_{name}_{secrets.token_hex(24)}" for name in names}
    merged = {
        name: [*([digest_of(made[name])] if name in made else ()), *accepted.get(name, ())][:MAX_ACCEPTED]
        for name in ROLES
    }
    _write_accepted(folder, merged)
    for name, token in made.items():
        write_atomically(token_file(folder, name), f"{token}\n", mode=0o600)


def _write_accepted(folder: Path, digests: Mapping[str, Sequence[str]]) -> None:
    lines = [f"{name} {digest}\n" for name in ROLES for digest in digests.get(name, ())]
    write_atomically(folder / ACCEPTED, _HEAD + "".join(lines), mode=0o600)


def _former(folder: Path, own: Mapping[str, str]) -> tuple[str, ...]:
    """The processes of which another token than their own is accepted."""
    accepted = _accepted(folder)
    return tuple(name for name, token in own.items() if {digest_of(token)} < set(accepted.get(name, ())))


def _require_tokens(folder: Path) -> dict[str, str]:
    own = _own_tokens(folder)
    if lacking := [name for name in ROLES if name not in own]:
        raise StackError(f"{folder} has no token of {', '.join(lacking)}; create them first")
    return own


def _own_tokens(folder: Path) -> dict[str, str]:
    found = {}
    for name in ROLES:
        path = token_file(folder, name)
        try:
            found[name] = parse_token(path.read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise StackError(f"{path} cannot be used: {error}; remove it, and create a new one") from error
    return found


def _accepted(folder: Path) -> dict[str, list[str]]:
    path = folder / ACCEPTED
    try:
        return digests_in(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StackError(f"{path} cannot be used: {error}; remove it, and create it anew") from error
