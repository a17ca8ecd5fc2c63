# ruff: noqa: PT012 -- conditions are awaited with a deadline; what fails is the transaction as a whole

import asyncio
from pathlib import Path
from typing import Never

import pytest
import sqlalchemy as sa
from loupe.errors import Aborted, DeadlineExceeded, FailedPrecondition, Unavailable

from deploy.embedded.servers import EmbeddedServers
from services.kit.database import Database
from services.kit.retry import retry_transient
from services.kit.signals import Signals, notify
from tests.support.waiting import DEADLINE_S, eventually

from .conftest import Kill


async def things(database: Database) -> list[str]:
    async with database.sessions.begin() as session:
        return list((await session.scalars(sa.text("SELECT name FROM thing ORDER BY name"))).all())


async def add_thing(database: Database, name: str) -> None:
    async with database.sessions.begin() as session:
        await session.execute(sa.text("INSERT INTO thing VALUES (:name)"), {"name": name})


async def test_replicas_that_start_together_migrate_once(postgres_url: str, migrations: Path) -> None:
    """Every replica migrates at its start: the second must wait for the first and find nothing to do."""
    replicas = [Database(postgres_url, "kit") for _ in range(4)]
    await asyncio.gather(*(replica.migrate(migrations) for replica in replicas))
    assert await things(replicas[0]) == []
    async with replicas[0].sessions.begin() as session:
        assert await session.scalar(sa.text("SELECT count(*) FROM kit.schema_revision")) == 1
    await asyncio.gather(*(replica.dispose() for replica in replicas))


async def test_a_migration_that_fails_leaves_nothing(
    postgres_url: str, migrations: Path, tmp_path: Path
) -> None:
    """A schema that is half new fits neither the old code nor the new."""
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0001_initial.py").write_text((migrations / "versions" / "0001_initial.py").read_text())
    (versions / "0002_wrong.py").write_text(
        "from alembic import op\nrevision = '0002'\ndown_revision = '0001'\n"
        "def upgrade():\n    op.execute('CREATE TABLE more ()')\n    op.execute('SELECT 1 / 0')\n"
    )
    async with Database(postgres_url, "half") as database:
        with pytest.raises(sa.exc.DBAPIError):
            await database.migrate(tmp_path)
        async with database.sessions.begin() as session:
            assert await session.scalar(sa.text("SELECT to_regnamespace('half')")) is None


async def test_schemas_do_not_see_each_other(postgres_url: str, migrations: Path) -> None:
    """A service owns its schema; another's table of the same name is not its business."""
    async with Database(postgres_url, "one") as one, Database(postgres_url, "two") as two:
        await asyncio.gather(one.migrate(migrations), two.migrate(migrations))
        await add_thing(one, "mine")
        assert await things(one) == ["mine"]
        assert await things(two) == []


async def test_an_exception_rolls_back(database: Database) -> Never:
    with pytest.raises(ZeroDivisionError):
        async with database.sessions.begin() as session:
            await session.execute(sa.text("INSERT INTO thing VALUES ('x')"))
            raise ZeroDivisionError
    assert await things(database) == []


async def test_who_only_reads_sees_at_once_what_others_commit(database: Database) -> None:
    async with database.sessions.reading() as session:
        count = sa.text("SELECT count(*) FROM thing")
        assert await session.scalar(count) == 0
        await add_thing(database, "a")
        assert await session.scalar(count) == 1


async def test_a_lost_race_is_aborted(database: Database) -> None:
    """A deadlock is nobody's fault: the caller is told to try again, not that we have a bug."""
    await add_thing(database, "a")
    await add_thing(database, "b")
    both_hold_one = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with database.sessions.begin() as session:
            query = sa.text("SELECT 1 FROM thing WHERE name = :name FOR UPDATE")
            await session.execute(query, {"name": first})
            await both_hold_one.wait()
            await session.execute(query, {"name": second})

    outcomes = await asyncio.gather(lock("a", "b"), lock("b", "a"), return_exceptions=True)
    assert sorted(type(outcome) for outcome in outcomes if outcome is not None) == [Aborted]


async def test_a_statement_that_takes_too_long_is_ended_and_named(postgres_url: str) -> None:
    """One runaway query must not hold a connection for ever, and the caller hears what it was."""
    async with Database(postgres_url, "kit", statement_timeout_s=0.1) as database:
        with pytest.raises(DeadlineExceeded):
            async with database.sessions.begin() as session:
                await session.execute(sa.text("SELECT pg_sleep(10)"))


async def test_a_broken_constraint_stays_what_it_is(database: Database) -> None:
    """Only storage knows what a duplicate key means; the kit must not hide it."""
    await add_thing(database, "a")
    with pytest.raises(sa.exc.IntegrityError):
        await add_thing(database, "a")


async def test_a_database_that_is_not_there_is_unavailable() -> None:
    async with Database("postgresql+asyncpg://u:p@127.0.0.1:1/none", "kit") as database:
        with pytest.raises(Unavailable):
            await things(database)
        with pytest.raises(Unavailable):
            await database.migrate(Path("unused"))


async def test_signals_arrive_with_the_commit_and_only_then(database: Database, postgres_url: str) -> None:
    """A wake-up before the commit finds nothing and is then lost; one of a rollback wakes for nothing."""
    async with Signals(postgres_url) as signals, signals.subscribe("kit:things") as subscription:
        await connected(signals)
        await subscription.wait(1)
        async with database.sessions.begin() as session:
            await notify(session, "kit:things")
            assert not await subscription.wait(0.2)
        assert await subscription.wait(DEADLINE_S)
        assert not await subscription.wait(0.1)


async def test_what_is_notified_between_reading_and_waiting_is_not_missed(
    database: Database, postgres_url: str
) -> None:
    """Long polls read, find nothing and wait: what commits in between must wake them."""
    async with Signals(postgres_url) as signals:
        await connected(signals)
        async with signals.subscribe("kit:things") as subscription:
            async with database.sessions.begin() as session:
                await notify(session, "kit:things")
            await eventually(subscription._woken.is_set)
            assert await subscription.wait(0)


async def test_many_waiters_share_one_connection(database: Database, postgres_url: str) -> None:
    """A thousand open watches must not be a thousand connections."""
    async with Signals(postgres_url) as signals:
        await connected(signals)
        waiting = [asyncio.create_task(signals.wait({f"kit:{n % 10}", "kit:all"})) for n in range(200)]
        channels = {"kit:all", *(f"kit:{n}" for n in range(10))}
        await eventually(lambda: len(signals._subscriptions.get("kit:all", ())) == 200)
        await eventually(lambda: channels <= signals._listening)
        async with signals.subscribe("kit:last") as last:
            # Notifications come in order: with the last of them all before it are there.
            for channel in ("kit:3", "kit:last"):
                async with database.sessions.begin() as session:
                    await notify(session, channel)
            assert await last.wait(DEADLINE_S)
        await eventually(lambda: sum(waiter.done() for waiter in waiting) >= 20)
        assert sum(waiter.done() for waiter in waiting) == 20
        async with database.sessions.begin() as session:
            await notify(session, "kit:all")
            listening = await session.scalar(
                sa.text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE application_name = 'loupe-signals' AND datname = current_database()"
                )
            )
        assert all(await asyncio.gather(*waiting))
        assert listening == 1
        await eventually(lambda: not signals._listening)


async def test_everything_goes_on_after_postgres_was_killed(
    victims: EmbeddedServers, migrations: Path, kill: Kill
) -> None:
    """The demo kills PostgreSQL in the middle of a training: services wait, wake and go on."""
    url = victims.postgres.url
    async with Database(url, "kit") as database, Signals(url) as signals:
        await database.migrate(migrations)
        await connected(signals)
        # Several pooled connections, all of which will be dead.
        await asyncio.gather(*(add_thing(database, f"before{n}") for n in range(5)))
        async with signals.subscribe("kit:things") as subscription:
            assert not await subscription.wait(0)
            with pytest.raises(Unavailable):
                async with database.sessions.begin() as session:
                    await session.execute(sa.text("SELECT 1"))
                    await kill(victims, "postgres")
                    await session.execute(sa.text("SELECT 1"))
            # Whoever waited is woken, for it may have missed something.
            assert await subscription.wait(DEADLINE_S)
            await retry_transient(lambda: add_thing(database, "after"), what="test")
            async with database.sessions.begin() as session:
                await notify(session, "kit:things")
            assert await subscription.wait(DEADLINE_S)
        assert (await things(database))[0] == "after"
        assert len(await things(database)) == 6


async def connected(signals: Signals) -> None:
    await eventually(lambda: signals.connected)


def _release(folder: Path, revisions: dict[str, str]) -> Path:
    """The migrations of a release: what each revision runs, and which oldest head it leaves able to run."""
    (folder / "versions").mkdir(parents=True)
    before = None
    for revision, text in revisions.items():
        statement, _, floor = text.partition(" | ")
        (folder / "versions" / f"{revision}_x.py").write_text(
            f"from alembic import op\nrevision = {revision!r}\ndown_revision = {before!r}\n"
            + (f"oldest_head = {floor!r}\n" if floor else "")
            + f"def upgrade():\n    op.execute({statement!r})\n"
        )
        before = revision
    return folder


async def test_the_last_release_runs_on_a_schema_that_was_only_expanded(
    postgres_url: str, tmp_path: Path
) -> None:
    """A rolling upgrade, and the way back: old replicas restart beside new ones."""
    first = {"0001": "CREATE TABLE thing (name text)"}
    second = {**first, "0002": "ALTER TABLE thing ADD COLUMN colour text"}
    third = {**second, "0003": "ALTER TABLE thing DROP COLUMN name | 0002"}
    old, new, newest = (
        _release(tmp_path / name, revisions)
        for name, revisions in (("old", first), ("new", second), ("newest", third))
    )
    async with Database(postgres_url, "kit") as database:
        assert await database.migrate(old) == "0001"
        assert await database.migrate(new) == "0002"
        assert await database.migrate(old) == "0002"
        await add_column_and_name(database)
        assert await database.migrate(newest) == "0003"
        # The column that the first release needs is gone; the second does without.
        assert await database.migrate(new) == "0003"
        with pytest.raises(FailedPrecondition, match="is at revision 0003 of a newer release") as refused:
            await database.migrate(old)
        assert refused.value.reason == "SCHEMA_TOO_NEW"
        assert await database.migrate(newest) == "0003"


async def add_column_and_name(database: Database) -> None:
    async with database.sessions.begin() as session:
        await session.execute(sa.text("INSERT INTO thing (name, colour) VALUES ('a', 'red')"))


async def test_a_schema_that_nobody_vouches_for_is_refused(postgres_url: str, tmp_path: Path) -> None:
    """Releases before this rule say nothing of who may run on their schema."""
    release = _release(tmp_path, {"0001": "CREATE TABLE thing ()"})
    async with Database(postgres_url, "kit") as database:
        await database.migrate(release)
        async with database.sessions.begin() as session:
            await session.execute(sa.text("UPDATE schema_revision SET version_num = '9999'"))
            await session.execute(sa.text("DROP TABLE schema_floor"))
        with pytest.raises(FailedPrecondition, match="restore the backup"):
            await database.migrate(release)
