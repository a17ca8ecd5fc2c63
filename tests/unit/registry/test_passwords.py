"""Passwords and lock-out (A1)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loupe.errors import InvalidArgument

from services.registry.domain.identity import User, UserRole, change_user
from services.registry.domain.passwords import (
    FORGET_AFTER,
    Attempts,
    LockedOut,
    delay,
    normalised,
    one_time_password,
    password_faults,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def tried(failures: int) -> Attempts:
    attempts = Attempts("alice", 0, NOW, NOW)
    for _ in range(failures):
        attempts = attempts.count(max(NOW, attempts.locked_until))
    return attempts


def test_a1_the_fifth_failure_locks_and_each_further_one_longer() -> None:
    """A person mistypes; a guesser must slow down until guessing is hopeless."""
    assert [delay(n).total_seconds() for n in (1, 4, 5, 6, 7, 9, 10, 1000)] == [
        0,
        0,
        30,
        60,
        120,
        480,
        900,
        900,
    ]
    locked = tried(5)
    with pytest.raises(LockedOut) as refused:
        locked.count(locked.locked_until - timedelta(seconds=1))
    assert refused.value.facts["retry_after_s"] == "2"
    assert locked.count(locked.locked_until).failures == 6


def test_a1_guesses_that_overtake_each_other_lock_no_earlier() -> None:
    """Of two people at one account, the one who pressed first and was counted second is not refused."""
    earlier = NOW - timedelta(milliseconds=3)
    assert tried(4).count(earlier).failures == 5
    with pytest.raises(LockedOut):
        tried(5).count(earlier)


def test_a1_failures_are_forgotten_after_a_day() -> None:
    """Five slips in a year lock nobody out."""
    later = NOW + FORGET_AFTER + timedelta(seconds=1)
    assert tried(4).count(later).failures == 1


@given(st.integers(1, 10**6))
def test_a1_no_failure_shortens_the_wait(failures: int) -> None:
    """Else one more failure would be a way in."""
    assert timedelta(0) <= delay(failures) <= delay(failures + 1) <= timedelta(minutes=15)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "BAD_LENGTH"),
        ("x" * 201, "BAD_LENGTH"),
        ("aaaaaaaaaaaa", "TOO_SIMPLE"),
        ("I am ALICE here", "TOO_SIMPLE"),
        ("the one before", "UNCHANGED"),
    ],
)
def test_a1_weak_passwords_are_refused_with_a_reason(password: str, reason: str) -> None:
    """In both languages, at the field."""
    (fault,) = password_faults(password, "alice", "new_password", before="the one before")
    assert (fault.field, fault.reason) == ("new_password", reason)
    assert fault.message_zh


def test_a1_one_time_passwords_are_good_passwords() -> None:
    """They are handed out until somebody logs in."""
    made = {one_time_password() for _ in range(100)}
    assert len(made) == 100
    assert not any(password_faults(password, "alice", "p", before="") for password in made)


def test_a1_a_password_is_the_same_from_any_keyboard() -> None:
    """A Chinese input method types full-width letters."""
    assert normalised("\uff50\uff41\uff53\uff53\uff11") == normalised("pass1")


def test_a2_nobody_locks_themselves_out() -> None:
    """An installation whose only administrator made himself a viewer has none."""
    admin, bob = User("alice", UserRole.ADMIN), User("bob", UserRole.VIEWER)
    for change, field in (
        (User("alice", UserRole.VIEWER), "role"),
        (User("alice", UserRole.ADMIN, disabled=True), "disabled"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            change_user(admin, change, frozenset({field}), by="alice")
        assert refused.value.violations[0].reason == "OWN_ACCOUNT"
    raised = change_user(bob, User("bob", UserRole.ENGINEER, "Bob"), frozenset({"role"}), by="alice")
    assert (raised.role, raised.display_name) == (UserRole.ENGINEER, "")
    with pytest.raises(InvalidArgument):
        change_user(bob, bob, frozenset({"create_time"}), by="alice")
