"""Passwords, and the limit of log-in attempts (A1)."""

import secrets
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from loupe.errors import FailedPrecondition, ResourceExhausted, Unauthenticated, Violation
from loupe.translation import sentence

MIN_CHARACTERS = 10
MAX_CHARACTERS = 200

FREE_FAILURES = 5
FORGET_AFTER = timedelta(hours=24)
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(minutes=15)

# Without letters and digits that look alike.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class WrongCredentials(Unauthenticated):
    """Unknown user or wrong password: one answer, so that names cannot be probed."""

    reason = "WRONG_CREDENTIALS"


class LockedOut(ResourceExhausted):
    """There were too many failed attempts for the name."""

    reason = "LOCKED_OUT"


class PasswordChangeRequired(FailedPrecondition):
    """The password is correct, but only valid for choosing a new one."""

    reason = "PASSWORD_CHANGE_REQUIRED"


@dataclass(frozen=True, slots=True)
class Password:
    """The stored password of a user: only a slow hash."""

    user: str
    hash: str = field(repr=False)
    one_time: bool
    set_time: datetime


@dataclass(frozen=True, slots=True)
class Attempts:
    """The failures of one name since its last success."""

    user: str
    failures: int
    last_time: datetime
    locked_until: datetime

    def count(self, now: datetime) -> "Attempts":
        """One more attempt, counted as a failure in advance; LockedOut if it is not allowed.

        Counted in advance, so that of a thousand concurrent guesses not all are compared. They may be counted
        in another order than they read the clock: without a delay no time locks a name.
        """
        if delay(self.failures) and now < self.locked_until:
            wait_s = int((self.locked_until - now).total_seconds()) + 1
            raise LockedOut(
                f"this name was tried too often; try again in {wait_s} s, or ask an administrator for a new "
                "password",
                retry_after_s=wait_s,
            )
        failures = 1 if now - self.last_time > FORGET_AFTER else self.failures + 1
        return replace(self, failures=failures, last_time=now, locked_until=now + delay(failures))


def delay(failures: int) -> timedelta:
    """How long a name is locked after that many failures: not up to four, then doubling, 30 s to 15 min."""
    beyond = failures - FREE_FAILURES
    if beyond < 0:
        return timedelta(0)
    return min(_LONGEST_DELAY, _FIRST_DELAY * (1 << min(beyond, 16)))


def normalised(password: str) -> str:
    """Unicode normalisation: the same characters from another keyboard are the same password."""
    return unicodedata.normalize("NFKC", password)


def password_faults(password: str, user: str, at: str, *, before: str) -> list[Violation]:
    """What is wrong with it as a user's own password. The length makes it hard to guess."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        return [
            Violation(
                at,
                "BAD_LENGTH",
                sentence(
                    "a password has {shortest} to {longest} characters; several words are good",
                    shortest=MIN_CHARACTERS,
                    longest=MAX_CHARACTERS,
                ),
            )
        ]
    if normalised(password) == normalised(before):
        return [
            Violation(
                at,
                "UNCHANGED",
                sentence("the new password is the old one; choose another"),
            )
        ]
    if len(set(password)) < 4 or user.lower() in password.lower():
        return [
            Violation(
                at,
                "TOO_SIMPLE",
                sentence("the password repeats a few characters or holds the user name; choose another"),
            )
        ]
    return []


def one_time_password() -> str:
    """A new one-time password with 79 random bits: `abcd-efgh-jkmn-pqrs`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
