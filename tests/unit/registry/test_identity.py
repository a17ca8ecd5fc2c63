"""Tokens (A1, A2)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loupe.access.v1 import access_pb2

from services.kit.auth import Role
from services.kit.errors import InvalidArgument, Unauthenticated
from services.registry.domain.identity import PresentedToken, Token, User, UserRole, issue

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = User("alice", UserRole.RELEASER)


def test_user_roles_are_the_contracts_roles() -> None:
    """The numbers are stored: they must never mean another role."""
    for role in UserRole:
        assert access_pb2.Role.Value(f"ROLE_{role.name}") == role
        assert Role[role.name] == role
    assert len(UserRole) == 4


def test_a_new_token_reads_back() -> None:
    """The secret may hold '_' and '-'; the id holds neither."""
    for _ in range(200):
        presented = PresentedToken.generate()
        assert PresentedToken.parse(str(presented)) == presented
        assert presented.secret not in repr(presented)


@given(st.text(max_size=120))
def test_any_other_text_is_unauthenticated(text: str) -> None:
    """Whatever a client puts into its header, it learns no more than that it is not known."""
    with pytest.raises(Unauthenticated):
        PresentedToken.parse(text)


def a_token() -> tuple[Token, PresentedToken]:
    return issue(OWNER, None, "", None, NOW)


def test_a_token_carries_the_lesser_role() -> None:
    """A2: of the token and of its user, at the time of the call."""
    token, presented = a_token()
    assert token.check(presented, OWNER, NOW) is UserRole.RELEASER
    assert token.check(presented, replace(OWNER, role=UserRole.VIEWER), NOW) is UserRole.VIEWER
    assert token.check(presented, replace(OWNER, role=UserRole.ADMIN), NOW) is UserRole.RELEASER


@pytest.mark.parametrize(
    ("change", "owner", "later", "reason"),
    [
        ({"revoked": True}, OWNER, timedelta(0), "TOKEN_REVOKED"),
        ({}, OWNER, timedelta(days=90), "TOKEN_EXPIRED"),
        ({}, replace(OWNER, disabled=True), timedelta(0), "USER_DISABLED"),
    ],
)
def test_a_token_that_ended_says_how(
    change: dict[str, bool], owner: User, later: timedelta, reason: str
) -> None:
    """But only to whoever knows its secret: anybody else reads TOKEN_UNKNOWN, whatever its state."""
    token, presented = a_token()
    ended = replace(token, **change)
    with pytest.raises(Unauthenticated) as refused:
        ended.check(presented, owner, NOW + later)
    assert refused.value.reason == reason
    with pytest.raises(Unauthenticated) as refused:
        ended.check(PresentedToken(presented.id, "x" * 43), owner, NOW + later)
    assert refused.value.reason == "TOKEN_UNKNOWN"


@pytest.mark.parametrize("expire_time", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=4000)])
def test_a_token_ends_in_the_near_future(expire_time: datetime) -> None:
    """A1: a token that never expires is forgotten and found by somebody else."""
    with pytest.raises(InvalidArgument) as refused:
        issue(OWNER, None, "", expire_time, NOW)
    assert refused.value.violations[0].field == "token.expire_time"
