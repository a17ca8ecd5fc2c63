"""Processes that read bytes of strangers: what they cannot do, and what becomes of those that try."""

import asyncio
import hashlib
import os
import resource
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from loupe.errors import Internal

from services.kit.child_process import Event
from services.kit.confined_pool import ConfinedPool, Crashed, Interrupted, TookTooLong
from tests.support.waiting import eventually

MIB = 2**20


@asynccontextmanager
async def pool(
    program: str = "confined", *, children: int = 2, memory_mib: int = 256, cpu_s: int = 60
) -> AsyncIterator[ConfinedPool]:
    async with ConfinedPool(
        f"tests.support.{program}", children=children, memory_bytes=memory_mib * MIB, cpu_s=cpu_s
    ) as made:
        yield made


async def done(pool: ConfinedPool, work: str, *pieces: bytes, caller: str = "a", **order: object) -> Event:
    async def read() -> Sequence[bytes]:
        return pieces

    return await pool.work(caller, {"work": work, **order}, read)


def children() -> list[psutil.Process]:
    """The confined processes of this one."""
    return [
        child
        for child in psutil.Process().children()
        if "tests.support.confined" in " ".join(_command(child))
    ]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kernel_says(pid: int, file: str) -> str:
    return Path(f"/proc/{pid}/{file}").read_text()


async def test_bytes_arrive_whole_and_children_stay() -> None:
    """Objects of any size, several at once, none among them; nothing of one order is left for the next."""
    async with pool(children=1) as one:
        pids = set()
        for pieces in ([b"x"], [], [b"a" * 5 * MIB, b"", b"b" * 3], [b"y"]):
            answer = await done(one, "digest", *pieces)
            assert answer["sha256s"] == [hashlib.sha256(piece).hexdigest() for piece in pieces]
            pids.add(answer["pid"])
        assert len(pids) == 1


async def test_the_limits_are_really_set() -> None:
    """As the kernel says, not as we meant."""
    async with pool() as one:
        pid = (await done(one, "digest"))["pid"]
        limits = {
            line[:25].strip(): line[25:].split()[:2] for line in kernel_says(pid, "limits").splitlines()
        }
        for name in ("Max open files", "Max processes", "Max file size", "Max core file size"):
            assert limits[name] == ["0", "0"]
        assert 0 < int(limits["Max address space"][0]) < 2**31
        assert int(limits["Max cpu time"][0]) <= 60 + 2


async def test_a_child_can_reach_nothing() -> None:
    """No file, no socket, no process: who takes a decoder over has the bytes of one file and a pipe."""
    async with pool() as one:
        assert (await done(one, "attempt"))["done"] == []


async def test_where_calls_are_not_filtered_the_limits_hold_and_the_log_says_it_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An unknown C library must not make all files unreadable, and an operator must know what holds."""
    async with pool("confined_by_limits", children=1) as one:
        for _ in range(2):
            reached = set((await done(one, "attempt"))["done"])
            # Root is not bound by the number of its processes.
            assert reached <= ({"start a process"} if os.geteuid() == 0 else set())
            with pytest.raises(Crashed):
                await done(one, "crash")
    assert sum("does not filter" in record.message for record in caplog.records) == 1


async def test_limits_that_are_too_tight_to_work_are_told() -> None:
    """The reason is in the error, not an endless row of children that die."""
    async with pool(memory_mib=0) as one:
        with pytest.raises(Internal, match="too few"):
            await done(one, "digest")


async def test_a_child_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own environment holds the passwords of the database and the token that opens everything."""
    monkeypatch.setenv("LOUPE_BOOTSTRAP_ADMIN_TOKEN", "loupe_secret")
    monkeypatch.setenv("LOUPE_S3_SECRET_KEY", "loupe_secret")
    monkeypatch.setenv("PGPASSWORD", "loupe_secret")
    async with pool() as one:
        pid = (await done(one, "digest"))["pid"]
        environment = kernel_says(pid, "environ")
    assert "LOUPE_EVENT_FD" in environment
    assert "loupe_secret" not in environment
    assert "TOKEN" not in environment
    assert "PASSWORD" not in environment


async def test_memory_is_bounded() -> None:
    """The order that asks for too much is told so; the same child does the next."""
    async with pool(children=1) as one:
        assert (await done(one, "fill", mib=100))["had"]
        assert not (await done(one, "fill", mib=1000))["had"]
        assert (await done(one, "digest", b"x"))["sha256s"]


async def test_work_without_end_is_ended_and_the_child_replaced() -> None:
    """By processor time, which does not depend on how busy the machine is."""
    async with pool(children=1, cpu_s=1) as one:
        first = (await done(one, "digest"))["pid"]
        with pytest.raises(TookTooLong):
            await done(one, "spin")
        assert (await done(one, "digest"))["pid"] != first
        assert len(children()) == 1


async def test_the_time_is_that_of_each_order() -> None:
    """A child that has worked for hours may still work on the next file."""
    async with pool(children=1, cpu_s=5) as one:
        pid = (await done(one, "digest"))["pid"]
        before = resource.prlimit(pid, resource.RLIMIT_CPU)[0]
        child = psutil.Process(pid)
        while sum(child.cpu_times()[:2]) < 2:
            await done(one, "digest", b"x" * 30 * MIB)
        assert (await done(one, "digest"))["pid"] == pid
        assert resource.prlimit(pid, resource.RLIMIT_CPU)[0] > before


async def test_a_child_that_has_done_much_is_replaced() -> None:
    """What the kernel counts drifts from what was used: at some time an innocent order would be ended."""
    async with pool(children=1, cpu_s=1) as one:
        pid = (await done(one, "digest"))["pid"]
        child = psutil.Process(pid)
        used_s = 0.0
        while (await done(one, "digest", b"x" * 30 * MIB))["pid"] == pid:
            used_s = sum(child.cpu_times()[:2]) if child.is_running() else used_s
            assert used_s < 10
        assert len(children()) == 1


async def test_a_crash_is_told_and_the_child_replaced() -> None:
    async with pool(children=1) as one:
        with pytest.raises(Crashed, match="SIGSEGV"):
            await done(one, "crash")
        assert (await done(one, "digest", b"x"))["sha256s"]


async def test_a_child_that_was_killed_between_orders_is_replaced() -> None:
    """By the kernel for want of memory, or by a person: the object of the next order is not lost."""
    async with pool(children=1) as one:
        first = (await done(one, "digest"))["pid"]
        psutil.Process(first).kill()
        answer = await done(one, "digest", b"x")
        assert answer["pid"] != first
        assert answer["sha256s"] == [hashlib.sha256(b"x").hexdigest()]


async def test_a_child_that_is_killed_while_it_starts_is_replaced() -> None:
    """The kernel takes decoders first where memory is short, and says nothing: the order is not lost."""
    async with pool(children=1) as one:
        working = asyncio.create_task(done(one, "digest", b"x"))
        await eventually(children)
        (first,) = children()
        first.kill()
        answer = await working
        assert answer["pid"] != first.pid
        assert answer["sha256s"] == [hashlib.sha256(b"x").hexdigest()]


async def test_an_order_whose_children_are_killed_ends_by_name() -> None:
    """Tried once more, then told: an endless retry would keep a slot for ever."""
    async with pool(children=1) as one:
        spinning = asyncio.create_task(done(one, "spin"))
        killed: set[int] = set()
        for _ in range(2):
            await eventually(lambda: {child.pid for child in children()} - killed)
            (pid,) = {child.pid for child in children()} - killed
            # Only when it has begun: its time is limited with the order.
            await eventually(
                lambda pid=pid: resource.prlimit(pid, resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY
            )
            killed.add(pid)
            psutil.Process(pid).send_signal(signal.SIGKILL)
        with pytest.raises(Interrupted, match="SIGKILL"):
            await spinning
        assert (await done(one, "digest"))["sha256s"] == []


async def test_who_gives_up_leaves_no_child_at_work() -> None:
    """A client that hangs up must not keep a core busy, nor leave its answer to the next order."""
    async with pool(children=1) as one:
        spinning = asyncio.create_task(done(one, "spin"))
        await eventually(children)
        (child,) = children()
        await eventually(
            lambda: resource.prlimit(child.pid, resource.RLIMIT_CPU)[0] != resource.RLIM_INFINITY
        )
        spinning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spinning
        answer = await done(one, "digest", b"x")
        assert answer["sha256s"] == [hashlib.sha256(b"x").hexdigest()]
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_an_honest_caller_is_answered_beside_endless_work() -> None:
    """One caller's work fills all it may have; another is answered although none of it ends."""
    async with pool(children=2) as one:
        bombs = [asyncio.create_task(done(one, "spin", caller="bomber")) for _ in range(10)]
        await eventually(children)
        for number in range(20):
            piece = str(number).encode()
            answer = await done(one, "digest", piece, caller="honest")
            assert answer["sha256s"] == [hashlib.sha256(piece).hexdigest()]
        assert not any(bomb.done() for bomb in bombs)
        for bomb in bombs:
            bomb.cancel()
        await asyncio.gather(*bombs, return_exceptions=True)


async def test_whoever_comes_next_need_not_wait_for_a_child_to_start() -> None:
    """Beside work that fills the cores a start takes seconds, and each caller's first import would."""
    async with pool(children=3) as one:
        first = (await done(one, "digest"))["pid"]
        await eventually(lambda: len(children()) == 2)
        (spare,) = {child.pid for child in children()} - {first}
        used_s = psutil.Process(first).cpu_times().user
        spinning = asyncio.create_task(done(one, "spin"))
        await eventually(lambda: psutil.Process(first).cpu_times().user > used_s + 0.1)
        assert (await done(one, "digest"))["pid"] == spare
        spinning.cancel()
        await asyncio.gather(spinning, return_exceptions=True)
    assert not children()


async def test_no_more_children_than_allowed_are_kept_ready() -> None:
    async with pool(children=1) as one:
        spinning = asyncio.create_task(done(one, "spin"))
        await eventually(children)
        (child,) = children()
        spinning.cancel()
        await asyncio.gather(spinning, return_exceptions=True)
        pid = (await done(one, "digest"))["pid"]
        assert {left.pid for left in children()} - {child.pid} == {pid}


async def test_the_server_goes_before_its_children() -> None:
    """Files that take long to decode fill the cores; answers to others must not wait for them."""
    async with pool() as one:
        pid = (await done(one, "digest"))["pid"]
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)


async def test_nothing_is_left_behind() -> None:
    async with pool() as one:
        await done(one, "digest")
        assert children()
    assert not children()
