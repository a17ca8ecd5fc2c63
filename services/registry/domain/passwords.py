"""Passwords, and how often a name may be tried (A1)."""

import secrets
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from loupe.errors import FailedPrecondition, ResourceExhausted, Unauthenticated, Violation

MIN_CHARACTERS = 10
MAX_CHARACTERS = 200

FREE_FAILURES = 5
FORGET_AFTER = timedelta(hours=24)
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(minutes=15)

# Without letters and digits that are read as one another.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class WrongCredentials(Unauthenticated):
    """Unknown user or wrong password: one answer, so that names cannot be probed."""

    reason = "WRONG_CREDENTIALS"


class LockedOut(ResourceExhausted):
    """The name was tried too often."""

    reason = "LOCKED_OUT"


class PasswordChangeRequired(FailedPrecondition):
    """The password is right, and good for nothing but to choose an own one."""

    reason = "PASSWORD_CHANGE_REQUIRED"


@dataclass(frozen=True, slots=True)
class Password:
    """A user's password, of which only a slow hash is kept."""

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
        """One attempt more, counted as a failure before anybody knows; LockedOut if it may not be made.

        Counted first, so that a thousand guesses sent at once are not all made before the first has failed.
        """
        if now < self.locked_until:
            wait_s = int((self.locked_until - now).total_seconds()) + 1
            raise LockedOut(
                f"this name was tried too often; try again in {wait_s} s, or ask an administrator for a new "
                "password",
                retry_after_s=wait_s,
            )
        failures = 1 if now - self.last_time > FORGET_AFTER else self.failures + 1
        return replace(self, failures=failures, last_time=now, locked_until=now + delay(failures))


def delay(failures: int) -> timedelta:
    """How long a name is refused after so many failures: not for four, then doubling, 30 s to 15 min."""
    beyond = failures - FREE_FAILURES
    if beyond < 0:
        return timedelta(0)
    return min(_LONGEST_DELAY, _FIRST_DELAY * (1 << min(beyond, 16)))


def normalised(password: str) -> str:
    """The same characters typed on another keyboard are the same password."""
    return unicodedata.normalize("NFKC", password)


def password_faults(password: str, user: str, at: str, *, before: str) -> list[Violation]:
    """What is wrong with it as a person's own password. Length is what makes one hard to guess."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        return [
            Violation(
                at,
                "BAD_LENGTH",
                f"a password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters; several words are good",
                f"密码长度须为 {MIN_CHARACTERS} 到 {MAX_CHARACTERS} 个字符；建议使用多个词语",
            )
        ]
    if normalised(password) == normalised(before):
        return [
            Violation(
                at,
                "UNCHANGED",
                "the new password is the old one; choose another",
                "新密码与旧密码相同；请更换",
            )
        ]
    if len(set(password)) < 4 or user.lower() in password.lower():
        return [
            Violation(
                at,
                "TOO_SIMPLE",
                "the password repeats a few characters or holds the user name; choose another",
                "密码只由少数重复字符组成或包含用户名；请更换",
            )
        ]
    return []


def one_time_password() -> str:
    """A new one to hand out, 79 random bits: `abcd-efgh-jkmn-pqrs`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
