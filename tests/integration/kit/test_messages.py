"""Outbox → relay → JetStream → consumer → inbox, with faults between any two."""

# ruff: noqa: PT012, SIM117 -- what fails is the transaction as a whole

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Never

import pytest
import sqlalchemy as sa
from google.protobuf.wrappers_pb2 import Int64Value, StringValue
from loupe.errors import FailedPrecondition, ResourceExhausted, Unavailable
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.embedded.servers import EmbeddedServers
from services.kit import inbox, outbox
from services.kit.consumer import Consumer, Handler
from services.kit.database import Database
from services.kit.flushing import FolderFlusher
from services.kit.messaging import Message, Messaging
from services.kit.outbox import Relay
from services.kit.retry import Backoff
from services.kit.signals import Signals
from services.kit.streams import ensure_stream
from tests.support.waiting import DEADLINE_S, eventually

from .conftest import Kill

QUICK = Backoff(first_s=0.02, ceiling_s=0.1)


@contextlib.asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(loop()) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(outcome, asyncio.CancelledError):
                raise AssertionError("a loop ended") from outcome  # noqa: TRY004 -- what the test says, no type


@contextlib.asynccontextmanager
async def bus(url: str) -> AsyncIterator[Messaging]:
    async with await Messaging.connect(url) as messaging:
        await ensure_stream(messaging, "THINGS", ("kit.things.>",), max_age_s=3600)
        yield messaging


async def add(database: Database, subject: str, *numbers: int) -> None:
    async with database.sessions.begin() as session:
        for number in numbers:
            outbox.add(session, subject, Int64Value(value=number))


async def left(database: Database) -> int:
    async with database.sessions.begin() as session:
        return int(await session.scalar(sa.text("SELECT count(*) FROM outbox")) or 0)


async def followed(messaging: Messaging, subject: str, count: int) -> list[Message]:
    found: list[Message] = []
    async with (
        asyncio.timeout(DEADLINE_S),
        contextlib.aclosing(messaging.follow(subject, replay=True)) as messages,
    ):
        async for message in messages:
            found.append(message)
            if len(found) == count:
                break
    return found


def consumer(
    messaging: Messaging, database: Database, handler: Handler, max_unexpected: int = 10
) -> Consumer:
    return Consumer(
        messaging,
        database.sessions,
        stream="THINGS",
        durable="kit-test",
        filter_subject="kit.things.>",
        handler=handler,
        backoff=QUICK,
        max_unexpected=max_unexpected,
    )


async def test_what_commits_is_published_in_order_and_what_rolls_back_never(
    database: Database, postgres_url: str, nats_url: str
) -> Never:
    async with bus(nats_url) as messaging, Signals(postgres_url) as signals:
        async with running(Relay(database, messaging, signals).run):
            await add(database, "kit.things.a", 1, 2)
            with pytest.raises(ZeroDivisionError):
                async with database.sessions.begin() as session:
                    outbox.add(session, "kit.things.a", Int64Value(value=666))
                    await session.flush()
                    raise ZeroDivisionError
            # A savepoint that is rolled back takes its messages along.
            async with database.sessions.begin() as session:
                with contextlib.suppress(ZeroDivisionError):
                    async with session.begin_nested():
                        outbox.add(session, "kit.things.a", Int64Value(value=667))
                        raise ZeroDivisionError
                outbox.add(session, "kit.things.a", Int64Value(value=3))
            await eventually(lambda: _empty(database))
        messages = await followed(messaging, "kit.things.a", 3)
    assert [message.parse(Int64Value).value for message in messages] == [1, 2, 3]
    assert messages[0].headers[outbox.MESSAGE_TYPE] == "google.protobuf.Int64Value"


async def _is_followed(messaging: Messaging) -> bool:
    return (await messaging.jetstream.stream_info("THINGS")).state.consumer_count > 0


async def _empty(database: Database) -> bool:
    return await left(database) == 0


async def test_a_commit_reaches_a_watcher_without_waiting_for_a_poll(
    database: Database, postgres_url: str, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M5: a loss point has 200 ms from the step to the screen; each commit wakes the relay by itself."""
    monkeypatch.setattr(Relay, "_IDLE_POLL_S", 3600.0)
    async with asyncio.timeout(DEADLINE_S), bus(nats_url) as messaging, Signals(postgres_url) as signals:
        async with running(Relay(database, messaging, signals).run):
            await add(database, "kit.things.warm", 0)
            await eventually(lambda: _empty(database))
            async with contextlib.aclosing(messaging.follow("kit.things.a")) as messages:
                pending = asyncio.ensure_future(anext(messages))
                await eventually(lambda: _is_followed(messaging))
                for number in range(30):
                    await add(database, "kit.things.a", number)
                    assert (await pending).parse(Int64Value).value == number
                    pending = asyncio.ensure_future(anext(messages))
                pending.cancel()
                await asyncio.gather(pending, return_exceptions=True)


async def test_one_relay_leads_and_another_takes_over(
    database: Database, postgres_url: str, nats_url: str
) -> None:
    """Two relays at once would break the order; none would break everything."""
    async with bus(nats_url) as messaging, Signals(postgres_url) as signals:
        async with Database(postgres_url, "kit") as other_database:
            first = asyncio.create_task(Relay(database, messaging, signals).run())
            await add(database, "kit.things.a", 1)
            await eventually(lambda: _empty(database))
            async with running(Relay(other_database, messaging, signals).run):
                await add(database, "kit.things.a", 2)
                await eventually(lambda: _empty(database))
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
                await add(database, "kit.things.a", 3)
                await eventually(lambda: _empty(database))
        messages = await followed(messaging, "kit.things.a", 3)
    assert [message.parse(Int64Value).value for message in messages] == [1, 2, 3]


_RELAY = """
import asyncio, sys
from services.kit.database import Database
from services.kit.messaging import Messaging
from services.kit.outbox import Relay
from services.kit.signals import Signals

async def main(database_url, nats_url):
    Relay._IDLE_POLL_S, Relay._PROGRESS_S = 0.1, 1.0
    async with Database(database_url, "kit") as database, Signals(database_url) as signals:
        async with await Messaging.connect(nats_url) as messaging:
            await Relay(database, messaging, signals).run()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_leader_that_hangs_loses_its_place(
    database: Database, postgres_url: str, nats_url: str
) -> None:
    """A stopped process keeps its connections, and its host answers for it: nobody else ends its lock."""
    async with bus(nats_url) as messaging, Signals(postgres_url) as signals:
        leader = await asyncio.create_subprocess_exec(sys.executable, "-c", _RELAY, postgres_url, nats_url)
        try:
            await add(database, "kit.things.a", 1)
            await eventually(lambda: _empty(database))
            leader.send_signal(signal.SIGSTOP)
            await add(database, "kit.things.a", 2)
            async with running(Relay(database, messaging, signals).run):
                await eventually(lambda: _empty(database))
                leader.send_signal(signal.SIGCONT)
                await add(database, "kit.things.a", 3)
                await eventually(lambda: _empty(database))
        finally:
            leader.kill()
            await leader.wait()
        messages = await followed(messaging, "kit.things.a", 3)
    assert [message.parse(Int64Value).value for message in messages] == [1, 2, 3]


async def test_every_connection_notices_a_host_that_vanished(database: Database, postgres_url: str) -> None:
    """By default PostgreSQL holds the locks of a client without power for two hours; here for a minute."""
    within_a_minute = {
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }
    async with database.sessions.begin() as session:
        for name, value in within_a_minute.items():
            assert await session.scalar(sa.text(f"SHOW {name}")) == value
    async with Signals(postgres_url) as signals:
        await eventually(lambda: signals.connected)
        for name, value in within_a_minute.items():
            assert await signals._connection.fetchval(f"SHOW {name}") == value


async def test_a_row_stays_until_its_message_is_on_the_disk(
    database: Database, postgres_url: str, nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NATS acknowledges from memory: a power cut would take the event, and no row would know."""
    flushes, on_disk = asyncio.Queue[None](), asyncio.Event()

    async def flush_soon(self: FolderFlusher) -> None:  # noqa: ARG001 -- a method's
        flushes.put_nowait(None)
        await on_disk.wait()

    monkeypatch.setattr(FolderFlusher, "flush_soon", flush_soon)
    async with asyncio.timeout(DEADLINE_S), bus(nats_url) as messaging, Signals(postgres_url) as signals:
        relay = Relay(database, messaging, signals, stored_in=tmp_path)
        async with running(relay.run):
            await add(database, "kit.things.a", 1)
            await flushes.get()
            await followed(messaging, "kit.things.a", 1)
            assert await left(database) == 1
            on_disk.set()
            await eventually(lambda: _empty(database))


async def test_a_message_that_fits_no_bus_is_refused_at_once(database: Database) -> None:
    """It could never be published, and would hold back everything behind it."""
    with pytest.raises(ResourceExhausted):
        async with database.sessions.begin() as session:
            outbox.add(session, "kit.things.a", StringValue(value="x" * 1_000_000))


async def test_a_message_is_handled_once_however_often_it_comes(database: Database, nats_url: str) -> None:
    """A relay that died between publishing and deleting publishes again, perhaps hours later."""
    handled: Counter[int] = Counter()

    async def handler(_session: AsyncSession, message: Message) -> None:
        handled[message.parse(Int64Value).value] += 1

    async with bus(nats_url) as messaging, running(consumer(messaging, database, handler).run):
        payload = Int64Value(value=7).SerializeToString()
        await messaging.publish("kit.things.a", payload, message_id="m7")
        await messaging.publish("kit.things.a", payload, message_id="m7")
        # The stream forgets ids after its window; the inbox must not.
        settings = (await messaging.jetstream.stream_info("THINGS")).config
        await messaging.jetstream.update_stream(settings, duplicate_window=0.1)

        async def stored_again() -> bool:
            await messaging.publish("kit.things.a", payload, message_id="m7")
            return bool((await messaging.jetstream.stream_info("THINGS")).state.messages > 1)

        await eventually(stored_again)
        await messaging.publish("kit.things.a", Int64Value(value=8).SerializeToString(), message_id="m8")
        await eventually(lambda: handled[8] == 1)
    assert handled == {7: 1, 8: 1}


async def test_a_transient_failure_is_tried_again_and_leaves_no_trace_before(
    database: Database, nats_url: str
) -> None:
    attempts = 0

    async def handler(session: AsyncSession, _message: Message) -> None:
        nonlocal attempts
        attempts += 1
        await session.execute(sa.text("INSERT INTO thing VALUES ('x')"))
        if attempts < 3:
            raise Unavailable("the registry is away")

    async with bus(nats_url) as messaging, running(consumer(messaging, database, handler).run):
        await messaging.publish("kit.things.a", b"", message_id="m1")
        await eventually(lambda: attempts == 3)
        await eventually(lambda: _acked(messaging))
    async with database.sessions.begin() as session:
        assert await session.scalar(sa.text("SELECT count(*) FROM thing")) == 1


async def _acked(messaging: Messaging) -> bool:
    info = await messaging.jetstream.consumer_info("THINGS", "kit-test")
    return info.num_ack_pending == 0 and info.num_pending == 0


@pytest.mark.parametrize("failure", [FailedPrecondition("never", reason="TOO_LATE"), KeyError("bug")])
async def test_what_can_never_succeed_is_kept_with_its_reason_and_blocks_nobody(
    database: Database, nats_url: str, failure: Exception
) -> None:
    handled = []

    async def handler(_session: AsyncSession, message: Message) -> None:
        if message.message_id == "bad":
            raise failure
        handled.append(message.message_id)

    async with bus(nats_url) as messaging:
        async with running(consumer(messaging, database, handler, max_unexpected=3).run):
            await messaging.publish("kit.things.a", b"payload", message_id="bad")
            await messaging.publish("kit.things.a", b"", message_id="good")
            await eventually(lambda: handled == ["good"])
            await eventually(lambda: _acked(messaging))
    async with database.sessions.begin() as session:
        (row,) = (await session.execute(sa.text("SELECT message_id, reason, payload FROM dead_letter"))).all()
        assert await session.scalar(sa.text("SELECT count(*) FROM inbox")) == 1
    assert tuple(row) == (
        "bad",
        "TOO_LATE" if isinstance(failure, FailedPrecondition) else "UNEXPECTED",
        b"payload",
    )


async def test_a_consumer_hears_of_a_lone_message(
    database: Database, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nats-py's own batch fetch would hold it back until the fetch's time is up."""
    monkeypatch.setattr(Consumer, "_EXPIRES_S", 3600.0)
    heard: list[str] = []

    async def handler(_session: AsyncSession, message: Message) -> None:
        heard.append(message.message_id)

    async with bus(nats_url) as messaging, running(consumer(messaging, database, handler).run):
        await messaging.publish("kit.things.a", b"", message_id="warm")
        await eventually(lambda: heard == ["warm"])
        await asyncio.sleep(0.5)
        await messaging.publish("kit.things.a", b"", message_id="m")
        await eventually(lambda: heard == ["warm", "m"])


async def test_a_consumer_waits_for_a_stream_that_another_service_makes(
    database: Database, nats_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Services start in any order."""
    heard: list[str] = []

    async def handle(_: AsyncSession, message: Message) -> None:
        heard.append(message.subject)

    async with await Messaging.connect(nats_url) as messaging:
        one = Consumer(
            messaging,
            database.sessions,
            stream="LATE",
            durable="kit-late",
            filter_subject="kit.late.>",
            handler=handle,
            backoff=QUICK,
        )
        with caplog.at_level("WARNING"):
            async with running(one.run):
                await eventually(
                    lambda: "STREAM_NOT_FOUND" in [getattr(one, "reason", "") for one in caplog.records]
                )
                await ensure_stream(messaging, "LATE", ("kit.late.>",), max_age_s=3600)
                await messaging.publish("kit.late.a", b"", message_id="1")
                await eventually(lambda: heard == ["kit.late.a"])


async def test_the_inbox_forgets_what_is_old(database: Database) -> None:
    async with database.sessions.begin() as session:
        assert not await inbox.already_handled(session, "c", "m")
        assert await inbox.already_handled(session, "c", "m")
        assert not await inbox.already_handled(session, "other", "m")
    async with database.sessions.begin() as session:
        assert await inbox.forget(session, "c", timedelta(hours=1)) == 0
        assert await inbox.forget(session, "c", timedelta(0)) == 1


async def test_connecting_waits_for_a_server_and_gives_up_in_time() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1") as caught:
        async with asyncio.timeout(DEADLINE_S):
            await Messaging.connect("nats://user:secret@127.0.0.1:1", timeout_s=0.5)
    assert "secret" not in str(caught.value)


async def test_nothing_is_lost_doubled_or_reordered_while_servers_are_killed(
    victims: EmbeddedServers, migrations: Path, kill: Kill
) -> None:
    """The demo kills NATS and PostgreSQL while events flow: each arrives once, each subject in order."""
    handled: dict[str, list[int]] = {"a": [], "b": []}
    committed: Counter[str] = Counter()
    stop = asyncio.Event()

    async def handler(session: AsyncSession, message: Message) -> None:
        name = f"{message.subject}/{message.parse(Int64Value).value}"
        await session.execute(sa.text("INSERT INTO thing VALUES (:name)"), {"name": name})

    async with (
        Database(victims.postgres.url, "faults") as database,
        Signals(victims.postgres.url) as signals,
        bus(victims.nats.url) as messaging,
    ):
        await database.migrate(migrations)

        async def write(subject: str) -> None:
            while not stop.is_set():
                # Committed or not is not known when the connection breaks: the next number asks the rows.
                with contextlib.suppress(Unavailable):
                    async with database.sessions.begin() as session:
                        counter = sa.text(
                            "INSERT INTO thing VALUES (:name) ON CONFLICT DO NOTHING RETURNING name"
                        )
                        number = committed[subject]
                        if await session.scalar(counter, {"name": f"written/{subject}/{number}"}):
                            outbox.add(session, f"kit.things.{subject}", Int64Value(value=number))
                    committed[subject] += 1
                await asyncio.sleep(0.005)

        writers = [asyncio.create_task(write(subject)) for subject in handled]
        loops = (Relay(database, messaging, signals).run, consumer(messaging, database, handler).run)
        async with running(*loops):
            for kills, name in enumerate(("nats", "postgres", "nats", "postgres"), 1):
                await eventually(lambda n=15 * kills: min(map(committed.__getitem__, handled)) >= n)
                await kill(victims, name)
            await eventually(lambda: min(map(committed.__getitem__, handled)) >= 75)
            stop.set()
            await asyncio.gather(*writers)
            expected = sum(committed.values())

            async def all_handled() -> bool:
                with contextlib.suppress(Unavailable):
                    async with database.sessions.begin() as session:
                        query = sa.text("SELECT count(*) FROM thing WHERE name LIKE 'kit.things.%'")
                        return await session.scalar(query) == expected
                return False

            await eventually(all_handled)
            assert await left(database) == 0
        for subject in handled:
            messages = await followed(messaging, f"kit.things.{subject}", committed[subject])
            assert [m.parse(Int64Value).value for m in messages] == list(range(committed[subject]))
        info = await messaging.jetstream.stream_info("THINGS")
        assert info.state.messages == expected
