"""Compares the rows of a service with the objects that they name and with the streams that tell of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from loupe.errors import Internal, NotFound, Unavailable
from loupe.server.v1 import server_pb2, server_service_pb2
from loupe.translation import Sentence, sentence

from services.kit.database import DatabaseSessions
from services.kit.messaging import Messaging, named_errors
from services.kit.object_store import ObjectStat, ObjectStore, content_key
from services.kit.orphans import ORPHAN_GRACE, old_content

_AT_ONCE = 4
"""Looks at once: half of the store's threads, so that the service goes on answering."""
_PAGE_ROWS = 20_000
_ROWS_AT_ONCE = 500
_MAX_FINDINGS = 1000
_LATE_S = 60.0
_READ_ANYWAY_BYTES = 2**20

Finding = server_pb2.StorageFinding


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedObjects:
    """The objects of one folder, `<folder>/<sha256><suffix>`, that rows name."""

    folder: str
    suffix: str
    rows: str
    """SQL: sha256 in hexadecimal, size_bytes or NULL where no row has it, whether the bytes must be whole."""
    named_by: str
    """SQL: sha256 and a resource that names it, of those in `:hashes`."""
    cure: Sentence
    """What to do when one is lost."""
    mark: str = ""
    """SQL: remembers that those of `:hashes` hold other bytes, which a look at their size does not see."""
    owned: bool = True
    """Whether all rows that name objects of the folder are of this service: the others are then orphans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedRows:
    """Rows of which each has an event."""

    stream: str
    subjects: str
    rows: str
    """SQL: subject, number of rows since `:since`."""


@dataclass(slots=True)
class _Tally:
    objects: int = 0
    events: int = 0
    lost: int = 0
    orphans: int = 0


class StorageCheck:
    """The check of one service."""

    def __init__(
        self,
        sessions: DatabaseSessions,
        store: ObjectStore,
        messaging: Messaging,
        *,
        objects: Sequence[NamedObjects],
        announced: Sequence[AnnouncedRows] = (),
    ) -> None:
        self._sessions = sessions
        self._store = store
        self._messaging = messaging
        self._objects = objects
        self._announced = announced

    async def run(self, *, read: bool) -> AsyncIterator[server_service_pb2.CheckStorageResponse]:
        """Counts and findings as they grow; `read` compares all bytes."""
        tally = _Tally()
        for objects in self._objects:
            named: set[int] = set()
            told: Counter[int] = Counter()
            async for findings in self._lost(objects, tally, named, read=read):
                yield _response(tally, _limited(findings, told))
            if objects.owned:
                async for findings in self._orphans(objects, tally, named):
                    yield _response(tally, _limited(findings, told))
        if self._announced:
            yield _response(tally, await self._late())
        for announced in self._announced:
            findings = await self._unannounced(announced, tally)
            yield _response(tally, _limited(findings, Counter()))
        yield _response(tally, [])

    async def _lost(
        self, objects: NamedObjects, tally: _Tally, named: set[int], *, read: bool
    ) -> AsyncIterator[list[Finding]]:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def look(sha256: str, size_bytes: int | None) -> tuple[str, Finding.Kind.ValueType | None]:
            async with turns:
                return sha256, await self._fault(_key(objects, sha256), size_bytes, read=read)

        async for rows in self._batches(objects.rows):
            named.update(_short(row.sha256) for row in rows)
            looked = await asyncio.gather(*(look(row.sha256, row.size_bytes) for row in rows if row.whole))
            faults = {sha256: kind for sha256, kind in looked if kind is not None}
            tally.objects += len(looked)
            tally.lost += len(faults)
            await self._mark(objects, [one for one, kind in faults.items() if kind == Finding.KIND_CORRUPT])
            named_by = await self._named_by(objects, list(faults))
            yield [
                _finding(kind, _key(objects, sha256), objects.cure, named_by.get(sha256, ""))
                for sha256, kind in faults.items()
            ]

    async def _fault(self, key: str, size_bytes: int | None, *, read: bool) -> Finding.Kind.ValueType | None:
        """What is wrong with an object that a row names; None if nothing is."""
        try:
            found = await self._store.stat(key)
            if size_bytes is not None and found.size_bytes != size_bytes:
                return Finding.KIND_CORRUPT
            # Without a size on record, what is cut short is seen by its bytes alone: a store that lost its
            # power leaves empty files.
            if read or (size_bytes is None and found.size_bytes <= _READ_ANYWAY_BYTES):
                return None if await self._store.has_its_hash(key) else Finding.KIND_CORRUPT
            # A busy store may be late once.
            if await self._holds(found) or await self._holds(found):
                return None
        except NotFound:
            return Finding.KIND_MISSING
        except (Internal, Unavailable):
            # Raises if it is the store that does not answer.
            await self._store.exists(key)
        return Finding.KIND_UNREADABLE

    async def _holds(self, found: ObjectStat) -> bool:
        return await self._store.holds(found.key, found.size_bytes)

    async def _orphans(
        self, objects: NamedObjects, tally: _Tally, named: set[int]
    ) -> AsyncIterator[list[Finding]]:
        cure = sentence("nothing: garbage collection deletes it")
        before = await self._sessions.time() - ORPHAN_GRACE
        async for found in old_content(self._store, objects.folder, objects.suffix, before):
            orphans = [key for sha256, key in found.items() if _short(sha256) not in named]
            tally.orphans += len(orphans)
            yield [_finding(Finding.KIND_ORPHAN, key, cure) for key in orphans]

    async def _late(self) -> list[Finding]:
        cure = sentence("look whether NATS runs and what the service logs; they are published when it does")
        async with self._sessions.reading() as session:
            rows = await session.execute(
                sa.text(
                    "SELECT DISTINCT subject FROM outbox "
                    "WHERE created_at < clock_timestamp() - make_interval(secs => :late) LIMIT :most"
                ),
                {"late": _LATE_S, "most": _MAX_FINDINGS},
            )
            return [_finding(Finding.KIND_NOT_PUBLISHED, row.subject, cure) for row in rows]

    async def _unannounced(self, announced: AnnouncedRows, tally: _Tally) -> list[Finding]:
        """In this order, an event that is published meanwhile is counted in one place at least."""
        cure = sentence("the rows are right: subscribers read the resource instead of the stream")
        since = await self._kept_since(announced.stream)
        async with self._sessions.reading() as session:
            rows = (await session.execute(sa.text(announced.rows), {"since": since})).all()
            waiting = await session.execute(
                sa.text("SELECT subject, count(*) AS count FROM outbox GROUP BY subject")
            )
            there = Counter({row.subject: row.count for row in waiting})
        there.update(await self._stored(announced))
        tally.events += sum(count for _, count in rows)
        missing = {subject: count - there[subject] for subject, count in rows if count > there[subject]}
        tally.lost += sum(missing.values())
        return [_finding(Finding.KIND_EVENT_MISSING, subject, cure) for subject in missing]

    async def _kept_since(self, stream: str) -> datetime:
        """Older messages may have been deleted."""
        with named_errors(f"stream {stream}"):
            found = await self._messaging.ask_jetstream(f"STREAM.INFO.{stream}")
        limits = found["config"]
        if (
            max(
                limits.get("max_bytes", -1),
                limits.get("max_msgs", -1),
                limits.get("max_msgs_per_subject", -1),
            )
            > 0
        ):
            return datetime.fromisoformat(found["state"]["first_ts"])
        kept_s = limits.get("max_age", 0) / 1e9
        if not kept_s:
            return datetime.min.replace(tzinfo=UTC)
        return await self._sessions.time() - timedelta(seconds=kept_s)

    async def _stored(self, announced: AnnouncedRows) -> Counter[str]:
        """Messages by subject."""
        found: Counter[str] = Counter()
        while True:
            request = {"subjects_filter": announced.subjects, "offset": len(found)}
            with named_errors(f"stream {announced.stream}"):
                answer = await self._messaging.ask_jetstream(f"STREAM.INFO.{announced.stream}", request)
            page: Mapping[str, int] = answer["state"].get("subjects") or {}
            found.update(page)
            if not page or len(found) >= answer.get("total", 0):
                return found

    async def _batches(self, rows: str) -> AsyncIterator[Sequence[sa.Row[Any]]]:
        """Read by pages, each before its objects are looked at: no transaction lasts as long as the looks."""
        query = sa.text(
            f"SELECT * FROM ({rows}) AS named (sha256, size_bytes, whole) "  # noqa: S608 -- SQL of our own
            "WHERE sha256 > :after ORDER BY sha256 LIMIT :limit"
        )
        after: str | None = ""
        while after is not None:
            async with self._sessions.reading() as session:
                page = (await session.execute(query, {"after": after, "limit": _PAGE_ROWS})).all()
            after = page[-1].sha256 if len(page) == _PAGE_ROWS else None
            for start in range(0, len(page), _ROWS_AT_ONCE):
                yield page[start : start + _ROWS_AT_ONCE]

    async def _mark(self, objects: NamedObjects, hashes: list[str]) -> None:
        if objects.mark and hashes:
            mark = sa.text(objects.mark).bindparams(sa.bindparam("hashes", type_=sa.ARRAY(sa.Text)))
            async with self._sessions.begin() as session:
                await session.execute(mark, {"hashes": hashes})

    async def _named_by(self, objects: NamedObjects, hashes: list[str]) -> dict[str, str]:
        if not hashes:
            return {}
        query = sa.text(objects.named_by).bindparams(sa.bindparam("hashes", type_=sa.ARRAY(sa.Text)))
        async with self._sessions.reading() as session:
            return {row[0]: row[1] for row in await session.execute(query, {"hashes": hashes})}


def _key(objects: NamedObjects, sha256: str) -> str:
    return content_key(objects.folder, sha256, objects.suffix)


def _short(sha256: str) -> int:
    """Sixty bits of a hash: enough to tell a million apart, in a third of the memory."""
    return int(sha256[:15], 16)


def _finding(kind: Finding.Kind.ValueType, subject: str, cure: Sentence, resource: str = "") -> Finding:
    return Finding(kind=kind, subject=subject, resource=resource, cure=cure.english, cure_zh=cure.chinese)


def _limited(findings: Sequence[Finding], told: Counter[int]) -> list[Finding]:
    kept = []
    for finding in findings:
        told[finding.kind] += 1
        if told[finding.kind] <= _MAX_FINDINGS:
            kept.append(finding)
    return kept


def _response(tally: _Tally, findings: Sequence[Finding]) -> server_service_pb2.CheckStorageResponse:
    return server_service_pb2.CheckStorageResponse(
        object_count=tally.objects,
        event_count=tally.events,
        lost_count=tally.lost,
        orphan_count=tally.orphans,
        findings=findings,
    )
