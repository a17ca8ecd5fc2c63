"""Users, tokens, and the audit log (A1 to A3)."""

from dataclasses import replace
from datetime import datetime

from loupe.errors import AlreadyExists, FailedPrecondition, Unauthenticated

from services.kit.auth import Principal, Role
from services.kit.database import DatabaseSessions, database_time
from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.identifiers import refuse
from services.registry.domain.identity import (
    AuditEntry,
    PresentedToken,
    Token,
    User,
    UserRole,
    change_user,
    issue,
)
from services.registry.storage.identity import AuditLog, Identities
from services.registry.wire.identity import user_out
from services.registry.wire.values import require_etag_of


class StoredTokens:
    """Verifies tokens against the rows, without a cache: a revoked token is refused at once."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def verify(self, token: str) -> Principal:
        """The user of the token, with the role that the token has now."""
        presented = PresentedToken.parse(token)
        async with self._sessions.reading() as session:
            found = await Identities(session).find_token(presented.id)
            now = await database_time(session)
        if found is None:
            raise Unauthenticated(
                "the token is not one of this installation; get a new one", reason="TOKEN_UNKNOWN"
            )
        kept, owner = found
        role = kept.check(presented, owner, now)
        return Principal(name=f"users/{owner.id}", role=Role(role), token_id=kept.id)


class Accounts:
    """Users, their tokens, and the audit log."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def create_user(self, user: User) -> User:
        """Create a user; AlreadyExists."""
        refuse(user.faults())
        async with self._sessions.begin() as session:
            user = replace(user, create_time=await database_time(session))
            if not await Identities(session).add_user(user):
                raise AlreadyExists(f"users/{user.id} exists already; choose another id")
        return user

    async def users(self, page: RowPageRequest) -> RowPage[User]:
        """By id."""
        async with self._sessions.begin() as session:
            return await Identities(session).list_users(page)

    async def update_user(self, user: User, fields: frozenset[str], *, etag: str, by: str) -> User:
        """Change fields of a user; the sessions of a disabled user end."""
        async with self._sessions.begin() as session:
            identities = Identities(session)
            await identities.lock_user(user.id)
            before = await identities.get_user(user.id)
            require_etag_of(user_out(before), etag)
            changed = change_user(before, user, fields, by)
            await identities.update_user(changed)
            if changed.disabled:
                await identities.end_sessions(changed.id)
        return changed

    async def create_token(
        self,
        user: str,
        role: UserRole | None,
        description: str,
        expire_time: datetime | None,
        *,
        request_id: str,
    ) -> tuple[Token, PresentedToken]:
        """A new token and its secret, which cannot be read again; a repetition creates another secret."""
        async with self._sessions.begin() as session:
            identities = Identities(session)
            owner = await identities.get_user(user)
            now = await database_time(session)
            token, presented = issue(owner, role, description, expire_time, now, request_id=request_id)
            if not await identities.put_token(token, though_revoked=False):
                raise FailedPrecondition(
                    f"the request with this id made {token.name}, which was revoked since; "
                    "choose another request_id",
                    reason="TOKEN_REVOKED",
                    token=token.name,
                )
        return token, presented

    async def tokens(self, user: str, page: RowPageRequest) -> RowPage[Token]:
        """By id."""
        async with self._sessions.begin() as session:
            identities = Identities(session)
            await identities.get_user(user)
            return await identities.list_tokens(user, page)

    async def revoke_token(self, user: str, token: str) -> Token:
        """Revoke the token and return it."""
        async with self._sessions.begin() as session:
            return await Identities(session).revoke_token(user, token)

    async def expiry(self, principal: Principal) -> datetime | None:
        """When the caller's token expires; None for the installation's own."""
        if principal.role.of_process:
            return None
        async with self._sessions.begin() as session:
            found = await Identities(session).find_token(principal.token_id)
        return None if found is None else found[0].expire_time

    async def record(self, entry: AuditEntry) -> None:
        """Append to the audit log; a text that is too long is refused."""
        refuse(entry.faults())
        async with self._sessions.begin() as session:
            await AuditLog(session).add([entry])

    async def audit_entries(
        self, page: RowPageRequest, *, principal: str | None, after: datetime | None
    ) -> RowPage[AuditEntry]:
        """Newest first."""
        async with self._sessions.begin() as session:
            return await AuditLog(session).listing(page, principal=principal, after=after)
