"""Rows of users, tokens and the audit log."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from loupe.errors import NotFound
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.paging import RowPage, RowPageRequest
from services.kit.retention import Aged
from services.registry.domain.identity import AuditEntry, PasswordState, Token, User, UserRole
from services.registry.domain.passwords import Attempts, Password
from services.registry.storage.tables import audit_entries, log_in_attempts, passwords, tokens, users


class Identities:
    """Users and their tokens."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add_user(self, user: User) -> bool:
        """Insert it; False if the id is taken."""
        added = await self._session.scalar(
            insert(users).values(**_user_values(user)).on_conflict_do_nothing().returning(users.c.id)
        )
        return added is not None

    async def update_user(self, user: User) -> None:
        """Store the changed user."""
        await self._session.execute(
            sa.update(users).where(users.c.id == user.id).values(**_user_values(user))
        )

    async def get_user(self, user: str) -> User:
        """The user; NotFound."""
        row = (await self._session.execute(_WITH_PASSWORD.where(users.c.id == user))).first()
        if row is None:
            raise NotFound(f"users/{user} does not exist; create the user first", resource=f"users/{user}")
        return _user(row)

    async def lock_user(self, user: str) -> None:
        """Lock the user until this transaction ends."""
        await self._session.execute(sa.select(users.c.id).where(users.c.id == user).with_for_update())

    async def list_users(self, page: RowPageRequest) -> RowPage[User]:
        """A page of users, sorted by id."""
        query = _WITH_PASSWORD.order_by(users.c.id).limit(page.limit)
        if page.after is not None:
            query = query.where(users.c.id > page.after[0])
        rows = (await self._session.execute(query)).all()
        return page.cut([_user(row) for row in rows], lambda item: (item.id,))

    async def add_token(self, token: Token) -> None:
        """Store the token."""
        await self._session.execute(insert(tokens).values(**_token_values(token)))

    async def put_token(self, token: Token, *, though_revoked: bool) -> bool:
        """Store the token, replacing that of its id; False if that one is revoked."""
        values = _token_values(token)
        kept = await self._session.scalar(
            insert(tokens)
            .values(**values)
            .on_conflict_do_update(
                index_elements=[tokens.c.id],
                set_=values,
                where=sa.or_(sa.literal(though_revoked), ~tokens.c.revoked),
            )
            .returning(tokens.c.id)
        )
        return kept is not None

    async def find_token(self, token: str) -> tuple[Token, User] | None:
        """The token with its owner."""
        query = (
            sa.select(
                tokens,
                users.c.role.label("owner_role"),
                users.c.display_name,
                users.c.disabled,
                users.c.create_time.label("owner_since"),
            )
            .join(users, users.c.id == tokens.c.user_id)
            .where(tokens.c.id == token)
        )
        row = (await self._session.execute(query)).first()
        if row is None:
            return None
        owner = User(row.user_id, UserRole(row.owner_role), row.display_name, row.disabled, row.owner_since)
        return _token(row), owner

    async def list_tokens(self, user: str, page: RowPageRequest) -> RowPage[Token]:
        """A page of the tokens of a user, sorted by id."""
        query = sa.select(tokens).where(tokens.c.user_id == user).order_by(tokens.c.id).limit(page.limit)
        if page.after is not None:
            query = query.where(tokens.c.id > page.after[0])
        rows = (await self._session.execute(query)).all()
        return page.cut([_token(row) for row in rows], lambda item: (item.id,))

    async def revoke_token(self, user: str, token: str) -> Token:
        """The token, revoked now or before; NotFound."""
        query = (
            sa.update(tokens)
            .where(tokens.c.id == token, tokens.c.user_id == user)
            .values(revoked=True)
            .returning(tokens)
        )
        row = (await self._session.execute(query)).first()
        if row is None:
            name = f"users/{user}/tokens/{token}"
            raise NotFound(f"{name} does not exist; list the user's tokens", resource=name)
        return _token(row)

    async def end_sessions(self, user: str, *, but: str = "") -> None:
        """Revoke the user's sessions, except the token `but`."""
        await self._session.execute(
            sa.update(tokens)
            .where(tokens.c.user_id == user, tokens.c.session, tokens.c.id != but)
            .values(revoked=True)
        )

    async def forget_sessions(self, user: str, *, before: datetime) -> None:
        """Delete sessions of the user that ended before."""
        await self._session.execute(
            sa.delete(tokens).where(tokens.c.user_id == user, tokens.c.session, tokens.c.expire_time < before)
        )


class Passwords:
    """Passwords and log-in attempts."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, user: str) -> Password | None:
        """The user's password; None if there is none."""
        row = (await self._session.execute(sa.select(passwords).where(passwords.c.user_id == user))).first()
        return None if row is None else Password(row.user_id, row.hash, row.one_time, row.set_time)

    async def put(self, password: Password) -> None:
        """Store the password, replacing the former one."""
        values = _password_values(password)
        await self._session.execute(
            insert(passwords)
            .values(**values)
            .on_conflict_do_update(index_elements=[passwords.c.user_id], set_=values)
        )

    async def replace(self, before: Password, after: Password) -> bool:
        """Replace `before` by `after`; False if `before` is not the user's password any more."""
        done = await self._session.scalar(
            sa.update(passwords)
            .where(passwords.c.user_id == before.user, passwords.c.hash == before.hash)
            .values(**_password_values(after))
            .returning(passwords.c.user_id)
        )
        return done is not None

    async def hold_attempts(self, user: str, now: datetime) -> Attempts:
        """The attempts for that name, locked until this transaction ends."""
        none = {"user_id": user, "failures": 0, "last_time": now, "locked_until": now}
        row = (
            await self._session.execute(
                insert(log_in_attempts)
                .values(**none)
                # Changes nothing, but locks the row and returns it.
                .on_conflict_do_update(
                    index_elements=[log_in_attempts.c.user_id], set_={"user_id": log_in_attempts.c.user_id}
                )
                .returning(log_in_attempts)
            )
        ).one()
        return Attempts(row.user_id, row.failures, row.last_time, row.locked_until)

    async def put_attempts(self, attempts: Attempts) -> None:
        """Store the attempts of a locked name."""
        values = asdict(attempts)
        await self._session.execute(
            sa.update(log_in_attempts).where(log_in_attempts.c.user_id == values.pop("user")).values(**values)
        )

    async def forget_attempts(self, user: str) -> None:
        """Delete the attempts of the name."""
        await self._session.execute(sa.delete(log_in_attempts).where(log_in_attempts.c.user_id == user))

    async def forget_attempts_before(self, time: datetime) -> None:
        """Delete the attempts of all names without an attempt since that time."""
        await self._session.execute(sa.delete(log_in_attempts).where(log_in_attempts.c.last_time < time))


AUDIT_ENTRIES = Aged(table="audit_entries", time="time", before=("SET LOCAL loupe.audit_retention = 'on'",))
"""The log refuses to lose entries in any other way."""


class AuditLog:
    """The audit log, which only grows. PostgreSQL dates its entries, whichever machine sends them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Append entries."""
        values = [asdict(entry) for entry in entries]
        for value in values:
            del value["id"], value["time"]
        statement = sa.insert(audit_entries).values(time=sa.func.clock_timestamp())
        await self._session.execute(statement, values)

    async def listing(
        self, page: RowPageRequest, *, principal: str | None, after: datetime | None
    ) -> RowPage[AuditEntry]:
        """Newest first."""
        query = sa.select(audit_entries).order_by(audit_entries.c.id.desc()).limit(page.limit)
        if principal is not None:
            query = query.where(audit_entries.c.principal == principal)
        if after is not None:
            query = query.where(audit_entries.c.time > after)
        if page.after is not None:
            query = query.where(audit_entries.c.id < page.after[0])
        rows = (await self._session.execute(query)).mappings()
        return page.cut([AuditEntry(**row) for row in rows], lambda item: (item.id,))


_WITH_PASSWORD = sa.select(users, passwords.c.one_time).outerjoin(
    passwords, passwords.c.user_id == users.c.id
)


def _user(row: Any) -> User:  # noqa: ANN401 -- a row has no static type
    states = {None: PasswordState.NONE, True: PasswordState.ONE_TIME, False: PasswordState.OWN}
    return User(
        row.id, UserRole(row.role), row.display_name, row.disabled, row.create_time, states[row.one_time]
    )


def _user_values(user: User) -> dict[str, object]:
    values = asdict(user)
    del values["password"]
    return values


def _password_values(password: Password) -> dict[str, object]:
    values = asdict(password)
    values["user_id"] = values.pop("user")
    return values


def _token_values(token: Token) -> dict[str, object]:
    values = asdict(token)
    values["user_id"] = values.pop("user")
    return values


def _token(row: Any) -> Token:  # noqa: ANN401 -- a row has no static type
    return Token(
        id=row.id,
        user=row.user_id,
        role=UserRole(row.role),
        digest=row.digest,
        create_time=row.create_time,
        expire_time=row.expire_time,
        description=row.description,
        revoked=row.revoked,
        session=row.session,
    )
