"""Users, tokens, and audit entries (A1 to A3)."""

import enum
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from loupe.errors import InvalidArgument, Unauthenticated, Violation
from loupe.translation import joined, sentence

from services.registry.domain.identifiers import id_faults, length_faults, text_faults

DEFAULT_TOKEN_LIFE = timedelta(days=90)
MAX_TOKEN_LIFE = timedelta(days=3660)
MAX_REQUEST_ID_CHARACTERS = 64
MAX_AUDIT_TEXT_CHARACTERS = 500
SESSION_LIFE = timedelta(hours=12)
"""One shift."""

_TOKEN = re.compile(r"loupe_([a-z0-9]{1,32})_([A-Za-z0-9_-]{32,128})")


class UserRole(enum.IntEnum):
    """The roles a person or machine may be given, lowest first. The numbers are the contract's."""

    VIEWER = 2
    ENGINEER = 3
    RELEASER = 4
    ADMIN = 5


class PasswordState(enum.IntEnum):
    """Whether a user can log in. The numbers are the contract's."""

    NONE = 1
    ONE_TIME = 2
    OWN = 3


@dataclass(frozen=True, slots=True)
class User:
    """An account that may have tokens."""

    id: str
    role: UserRole | None
    """None only in a request without a valid role."""
    display_name: str = ""
    disabled: bool = False
    create_time: datetime | None = None
    password: PasswordState = PasswordState.NONE

    @property
    def can_change_data(self) -> bool:
        """Whether it may change data, of which it is the owner (A2, A4)."""
        return not self.disabled and self.role is not None and self.role >= UserRole.ENGINEER

    def faults(self) -> list[Violation]:
        """What is wrong with it as a new user."""
        faults = [*id_faults(self.id, "user_id"), *text_faults(self.display_name, "user.display_name", 200)]
        if self.role is None:
            faults.append(_bad_role("user.role"))
        return faults


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """The parts of a bearer token: `loupe_<id>_<secret>`."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "PresentedToken":
        """The parts of a token; Unauthenticated if it does not have this form."""
        match = _TOKEN.fullmatch(text)
        if match is None:
            raise Unauthenticated(
                "the token is not one of this installation; get a new one", reason="TOKEN_UNKNOWN"
            )
        return cls(match[1], match[2])

    @classmethod
    def generate(cls, origin: str = "") -> "PresentedToken":
        """A new token with 256 random bits; its id is derived from `origin`, if one is given."""
        # The id is hexadecimal: an underscore in it would end it.
        named = hashlib.sha256(origin.encode()).hexdigest()[:16] if origin else secrets.token_hex(8)
        return cls(named, secrets.token_urlsafe(32))

    def __str__(self) -> str:
        return f"loupe_{self.id}_{self.secret}"

    @property
    def digest(self) -> bytes:
        """The stored hash of the secret. One round of SHA-256 is enough for 256 random bits."""
        return hashlib.sha256(self.secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class Token:
    """A key to the API; only the digest of its secret is stored."""

    id: str
    user: str
    role: UserRole
    digest: bytes = field(repr=False)
    create_time: datetime
    expire_time: datetime
    description: str = ""
    revoked: bool = False
    session: bool = False
    """Whether a log-in created it."""

    @property
    def name(self) -> str:
        """`users/{user}/tokens/{token}`."""
        return f"users/{self.user}/tokens/{self.id}"

    def check(self, presented: PresentedToken, owner: User, now: datetime) -> UserRole:
        """The role that the presented token has now, or Unauthenticated.

        The secret is compared first and in constant time, so that a wrong secret reveals nothing of the
        state.
        """
        if not hmac.compare_digest(self.digest, presented.digest):
            raise Unauthenticated(
                "the token is not one of this installation; get a new one", reason="TOKEN_UNKNOWN"
            )
        if self.revoked:
            raise Unauthenticated(
                f"token {self.id} was revoked; get a new one", reason="TOKEN_REVOKED", token=self.name
            )
        if now >= self.expire_time:
            raise Unauthenticated(
                f"token {self.id} expired at {self.expire_time.isoformat(timespec='seconds')}; get a new one",
                reason="TOKEN_EXPIRED",
                token=self.name,
            )
        if owner.disabled or owner.role is None:
            raise Unauthenticated(
                f"user {owner.id} is disabled; ask an administrator",
                reason="USER_DISABLED",
                user=owner.id,
                token=self.name,
            )
        # The user's role may be lower now than when the token was created.
        return min(self.role, owner.role)


def issue(  # noqa: PLR0913 -- what a token is made of
    owner: User,
    role: UserRole | None,
    description: str,
    expire_time: datetime | None,
    now: datetime,
    *,
    session: bool = False,
    request_id: str = "",
) -> tuple[Token, PresentedToken]:
    """A new token of `owner` and its secret, which is shown once. Defaults: the owner's role, 90 days.

    The same `request_id` gives the same token with another secret.
    """
    expires = expire_time or now + DEFAULT_TOKEN_LIFE
    owner_role = owner.role or UserRole.VIEWER
    faults = [
        *text_faults(description, "token.description", 200),
        *text_faults(request_id, "request_id", MAX_REQUEST_ID_CHARACTERS),
    ]
    if role is not None and role > owner_role:
        faults.append(
            Violation(
                "token.role",
                "ROLE_TOO_HIGH",
                sentence(
                    "the token's role is {role}, {user}'s own is {user_role}; a token cannot "
                    "do more than its user",
                    role=role.name,
                    user=owner.id,
                    user_role=owner_role.name,
                ),
            )
        )
    if not now < expires <= now + MAX_TOKEN_LIFE:
        faults.append(
            Violation(
                "token.expire_time",
                "OUT_OF_RANGE",
                sentence(
                    "the token would expire at {time}; choose a time within the next ten years",
                    time=expires.isoformat(timespec="seconds"),
                ),
            )
        )
    if faults:
        raise InvalidArgument.of(*faults)
    presented = PresentedToken.generate(f"{owner.id}\0{request_id}" if request_id else "")
    token = Token(
        id=presented.id,
        user=owner.id,
        role=role or owner_role,
        digest=presented.digest,
        create_time=now,
        expire_time=expires,
        description=description,
        session=session,
    )
    return token, presented


def change_user(before: User, after: User, fields: frozenset[str], by: str) -> User:
    """The user with `fields` of `after`: role, display_name, disabled. Users cannot lock themselves out."""
    known = ("role", "display_name", "disabled")
    faults = [
        Violation(
            "update_mask",
            "UNKNOWN_FIELD",
            sentence("{field} cannot be changed; of a user {fields} can", field=name, fields=joined(known)),
        )
        for name in sorted(fields.difference(known))
    ]
    wanted = fields or frozenset(known)
    changed = replace(
        before,
        role=after.role if "role" in wanted else before.role,
        display_name=after.display_name if "display_name" in wanted else before.display_name,
        disabled=after.disabled if "disabled" in wanted else before.disabled,
    )
    faults += changed.faults()
    if by == before.id and (changed.disabled or (changed.role or 0) < (before.role or 0)):
        faults.append(
            Violation(
                "user",
                "OWN_ACCOUNT",
                sentence("you would take away your own access; ask another administrator"),
            )
        )
    if faults:
        raise InvalidArgument.of(*faults)
    return changed


def check_role(role: UserRole | None, at: str) -> UserRole:
    """The role; InvalidArgument if it cannot be given to a user."""
    if role is None:
        raise InvalidArgument.of(_bad_role(at))
    return role


def _bad_role(at: str) -> Violation:
    names = ", ".join(role.name for role in UserRole)
    return Violation(
        at,
        "BAD_ROLE",
        sentence("{field} is not a role one can have; give one of {roles}", field=at, roles=names),
    )


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry of the audit log: who did what, when, from where, with which result."""

    principal: str
    action: str
    resource: str
    result: str
    peer: str
    reporter: str = ""
    """The process that told the registry; empty where the registry saw the call itself."""
    # None until it is stored.
    time: datetime | None = None
    id: int = 0

    def faults(self) -> list[Violation]:
        """Why it cannot be stored: a page of entries must fit into a message, whoever wrote them."""
        texts = ("principal", "action", "resource", "result", "peer")
        return [
            fault
            for field in texts
            for fault in length_faults(getattr(self, field), f"entry.{field}", MAX_AUDIT_TEXT_CHARACTERS)
        ]
