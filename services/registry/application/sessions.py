"""People log in and out, and choose their passwords (A1)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from loupe.errors import (
    FailedPrecondition,
    InvalidArgument,
    Unauthenticated,
    Violation,
)
from loupe.translation import sentence

from services.kit.auth import Principal
from services.kit.database import DatabaseSessions, database_time
from services.kit.fair_queue import FairQueue
from services.kit.limits import Places, current_address
from services.registry.domain.identifiers import id_faults, refuse
from services.registry.domain.identity import SESSION_LIFE, PresentedToken, Token, issue
from services.registry.domain.passwords import (
    FORGET_AFTER,
    MAX_CHARACTERS,
    Password,
    PasswordChangeRequired,
    WrongCredentials,
    normalised,
    one_time_password,
    password_faults,
)
from services.registry.storage.identity import Identities, Passwords

T = TypeVar("T")

# How long administrators see sessions that have ended.
_SESSIONS_KEPT = timedelta(days=30)


class SlowHash:
    """Argon2id with the second recommended parameters of RFC 9106 (3 passes, 4 lanes, 64 MiB), in threads.

    Two threads: a flood of log-ins takes at most twice that memory and two cores. Addresses take turns, so
    that a flood from one of them delays a log-in from another by one hash.
    """

    def __init__(self, memory_kib: int, threads: int = 2, max_waiting: int = 128) -> None:
        self._hasher = PasswordHasher(time_cost=3, parallelism=4, memory_cost=memory_kib)
        self._threads = ThreadPoolExecutor(threads, "argon2")
        self._turns = FairQueue(threads)
        self._running: set[asyncio.Future[Any]] = set()
        told = sentence("too many people log in at this moment; try again in a few seconds")
        self._places = Places(max_waiting, max_waiting // 4, reason="TOO_MANY_LOG_INS", full=told, most=told)
        # For unknown users: their password is compared with this hash, so that the answer takes as long.
        self._nobodys = self._hasher.hash(one_time_password())

    async def of(self, password: str) -> str:
        """The hash of a password, as it is stored."""
        return await self.run(lambda: self._hasher.hash(normalised(password)))

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether the password matches the stored hash; takes as long if there is none."""

        def compare() -> bool:
            try:
                self._hasher.verify(kept or self._nobodys, normalised(password))
            except (VerificationError, InvalidHashError):
                return False
            return kept is not None

        return await self.run(compare)

    async def run(self, work: Callable[[], T]) -> T:
        """Slow work in a thread, in turns of the callers' addresses; ResourceExhausted."""
        # Shielded: a thread cannot be stopped; whoever goes away gets no other turn before its end.
        running = asyncio.ensure_future(self._in_turn(current_address(), work))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.shield(running)

    async def _in_turn(self, address: str, work: Callable[[], T]) -> T:
        with self._places.place(address):
            async with self._turns.slot(address):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class LogIns:
    """Sessions and passwords. A session is a token that a log-in made."""

    def __init__(self, sessions: DatabaseSessions, hash_: SlowHash) -> None:
        self._sessions = sessions
        self._hash = hash_

    async def log_in(self, user: str, password: str, new_password: str) -> tuple[Token, PresentedToken]:
        """A new session; WrongCredentials, LockedOut, PasswordChangeRequired."""
        kept = await self._verified(user, password)
        if kept.one_time and not new_password:
            raise PasswordChangeRequired(
                f"the password of users/{user} was handed out by an administrator; choose your own",
                user=f"users/{user}",
            )
        changed = await self._chosen(kept, password, new_password) if new_password else None
        async with self._sessions.begin() as session:
            now = await database_time(session)
            identities = Identities(session)
            owner = await identities.get_user(user)
            if owner.disabled:
                raise Unauthenticated(
                    f"user {user} is disabled; ask an administrator", reason="USER_DISABLED", user=user
                )
            if changed is not None:
                await _replace(Passwords(session), kept, changed)
                await identities.end_sessions(user)
            await identities.forget_sessions(user, before=now - _SESSIONS_KEPT)
            token, presented = issue(owner, None, "Console", now + SESSION_LIFE, now, session=True)
            await identities.add_token(token)
        return token, presented

    async def log_out(self, caller: Principal) -> None:
        """End the caller's session."""
        async with self._sessions.begin() as session:
            identities = Identities(session)
            found = None if caller.role.of_process else await identities.find_token(caller.token_id)
            if found is None or not found[0].session:
                raise FailedPrecondition(
                    "this token is no session of the console; an administrator revokes it",
                    reason="NOT_A_SESSION",
                )
            await identities.revoke_token(found[1].id, found[0].id)

    async def change_password(self, caller: Principal, password: str, new_password: str) -> None:
        """The caller's own password; InvalidArgument if `password` is another one, LockedOut."""
        if caller.role.of_process:
            raise FailedPrecondition("the services have no password", reason="NO_PASSWORD")
        user = caller.name.removeprefix("users/")
        try:
            kept = await self._verified(user, password)
        except WrongCredentials:
            # The caller is authenticated; only this field is wrong.
            raise InvalidArgument.of(
                Violation("password", "WRONG_PASSWORD", sentence("this is not your present password"))
            ) from None
        changed = await self._chosen(kept, password, new_password)
        async with self._sessions.begin() as session:
            await _replace(Passwords(session), kept, changed)
            await Identities(session).end_sessions(user, but=caller.token_id)

    async def reset_password(self, user: str) -> str:
        """A one-time password for the user, to be handed over."""
        handed_out = one_time_password()
        hashed = await self._hash.of(handed_out)
        async with self._sessions.begin() as session:
            await Identities(session).get_user(user)
            now = await database_time(session)
            await Passwords(session).put(Password(user, hashed, one_time=True, set_time=now))
            await Passwords(session).forget_attempts(user)
            await Identities(session).end_sessions(user)
        return handed_out

    async def _verified(self, user: str, password: str) -> Password:
        """The user's stored password, if `password` matches it; WrongCredentials, LockedOut."""
        if id_faults(user, "user_id") or len(password) > MAX_CHARACTERS:
            # No such user: failures of unknown names are not stored.
            await self._hash.matches("", None)
            raise _wrong()
        async with self._sessions.begin() as session:
            now = await database_time(session)
            passwords = Passwords(session)
            await passwords.forget_attempts_before(now - FORGET_AFTER)
            await passwords.put_attempts((await passwords.hold_attempts(user, now)).count(now))
            kept = await passwords.find(user)
        if not await self._hash.matches(password, kept.hash if kept else None) or kept is None:
            raise _wrong()
        async with self._sessions.begin() as session:
            await Passwords(session).forget_attempts(user)
        return kept

    async def _chosen(self, kept: Password, password: str, new_password: str) -> Password:
        refuse(password_faults(new_password, kept.user, "new_password", before=password))
        hashed = await self._hash.of(new_password)
        return Password(kept.user, hashed, one_time=False, set_time=await self._sessions.time())


async def _replace(passwords: Passwords, kept: Password, changed: Password) -> None:
    if not await passwords.replace(kept, changed):
        # The same one-time password was used at the same time, or an administrator reset it.
        raise _wrong()


def _wrong() -> WrongCredentials:
    return WrongCredentials("user name or password is wrong")
