"""Following a task over connections that break (M5), against a real gRPC server in this process."""

import asyncio
import contextlib
import json
import os
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from loupe import watching
from loupe.errors import NotFound, Unavailable
from loupe.rpc.channel import connect
from loupe.rpc.options import server_options
from loupe.scheduler.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc
from loupe.watching import Curve, TaskView, last, resumed, watch_task

POINTS = 40
END = 5


class _Scheduler(task_service_pb2_grpc.TaskServiceServicer):
    """Sends revisions 1 to END and points 0 to POINTS - 1, and breaks the connection every few messages."""

    def __init__(self, break_after: int, *, waits: bool = False) -> None:
        self.break_after = break_after
        # Until the connection ends, instead of breaking it.
        self.waits = waits
        self.task_calls: list[str] = []
        self.loss_calls: list[str] = []

    async def _break(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if self.waits:
            await asyncio.Event().wait()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")

    async def WatchTask(  # noqa: N802 -- the contract's name
        self, request: task_service_pb2.WatchTaskRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[task_service_pb2.WatchTaskResponse]:
        if request.name != "tasks/1":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such task")
        self.task_calls.append(request.cursor)
        first = int(request.cursor or 0) + 1
        for sent, revision in enumerate(range(first, END + 1)):
            if sent == self.break_after:
                await self._break(context)
            state = task_pb2.TASK_STATE_COMPLETED if revision == END else task_pb2.TASK_STATE_TRAINING
            task = task_pb2.Task(
                name=request.name,
                revision=revision,
                state=state,
                training=task_pb2.TrainingSpec(model_name="m"),
            )
            yield task_service_pb2.WatchTaskResponse(task=task, cursor=str(revision))
            await asyncio.sleep(0)

    async def WatchLoss(  # noqa: N802 -- the contract's name
        self, request: task_service_pb2.WatchLossRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[task_service_pb2.WatchLossResponse]:
        self.loss_calls.append(request.cursor)
        begin = int(request.cursor.partition(":")[2] or 0)
        for sent, first in enumerate(range(begin, POINTS, 4)):
            if sent == self.break_after:
                await self._break(context)
            yield task_service_pb2.WatchLossResponse(
                first_iteration=first,
                losses=[float(i) for i in range(first, first + 4)],
                attempt=1,
                cursor=f"1:{first + 4}",
                validation=[task_pb2.ValidationPoint(iteration=first, accuracy=first / POINTS)],
            )


@asynccontextmanager
async def _served(
    scheduler: _Scheduler, connection_age_s: float = 0
) -> AsyncIterator["task_service_pb2_grpc.TaskServiceAsyncStub"]:
    options = server_options(connection_age_s=connection_age_s, age_grace_s=connection_age_s)
    server = grpc.aio.server(options=options)
    task_service_pb2_grpc.add_TaskServiceServicer_to_server(scheduler, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # Without the channel's own retries: it is the watch that must go on.
    async with connect(f"127.0.0.1:{port}", retries=False) as channel:
        yield task_service_pb2_grpc.TaskServiceStub(channel)
    await server.stop(None)


@pytest.mark.parametrize("break_after", [1, 3, 1000])
async def test_a_watch_over_a_broken_connection_misses_nothing_and_doubles_nothing(break_after: int) -> None:
    """M5: the curve of a viewer whose connection broke is the curve of one whose connection did not."""
    scheduler = _Scheduler(break_after)
    revisions: list[int] = []
    view = TaskView()
    async with _served(scheduler) as stub:
        async for view in watch_task(stub, "tasks/1"):
            if view.task.revision and (not revisions or revisions[-1] != view.task.revision):
                revisions.append(view.task.revision)
    assert revisions == sorted(set(revisions))
    assert view.ended
    assert view.curves["classification"].losses == [float(i) for i in range(POINTS)]
    assert list(view.curves["classification"].validation) == list(range(0, POINTS, 4))
    assert len(scheduler.task_calls) == (1 if break_after > END else -(-END // break_after))
    # Each call went on where the one before had ended.
    assert scheduler.task_calls == sorted(scheduler.task_calls, key=lambda cursor: int(cursor or 0))


async def test_a_watch_goes_on_when_its_connection_has_reached_its_age() -> None:
    """M5: a server ends a connection with the watches that it carries, so that clients find new replicas."""
    scheduler = _Scheduler(break_after=2, waits=True)
    revisions: list[int] = []
    view = TaskView()
    async with _served(scheduler, connection_age_s=0.05) as stub:
        async for view in watch_task(stub, "tasks/1"):
            if view.task.revision and (not revisions or revisions[-1] != view.task.revision):
                revisions.append(view.task.revision)
    assert view.ended
    assert revisions == list(range(revisions[0], END + 1))
    assert view.curves["classification"].losses == [float(i) for i in range(POINTS)]
    assert scheduler.task_calls == ["", "2", "4"]


async def test_what_the_server_refuses_ends_the_watch_with_its_reason() -> None:
    """Asking again for a task that does not exist would hang for ever."""
    async with _served(_Scheduler(1000)) as stub:
        with pytest.raises(NotFound):
            async for _ in watch_task(stub, "tasks/2"):
                pass


def _points(first: int, losses: list[float], attempt: int = 1) -> task_service_pb2.WatchLossResponse:
    return task_service_pb2.WatchLossResponse(first_iteration=first, losses=losses, attempt=attempt)


def test_a_training_taken_up_again_draws_over_its_curve() -> None:
    """T5: a worker goes on from its checkpoint; what comes after it is drawn a second time."""
    curve = Curve()
    curve.add(_points(0, [5, 4, 3, 2]))
    curve.add(_points(2, [3, 1]))
    assert curve.losses == [5, 4, 3, 1]


def test_a_new_attempt_begins_a_new_curve() -> None:
    """T1: start sets the progress back to 0; the old attempt's losses are not this one's."""
    curve = Curve()
    curve.add(_points(0, [5, 4, 3]))
    curve.add(_points(0, [6], attempt=2))
    assert curve.losses == [6]


async def test_a_watch_that_was_quiet_for_longer_than_its_patience_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Patience is for a server that is away; a task that waits for hours says nothing all the time."""
    # No silence is shorter.
    monkeypatch.setattr(watching, "PATIENCE_S", 0)
    async with _served(_Scheduler(1)) as stub:
        assert (await last(watch_task(stub, "tasks/1"))).complete


class _Calls:
    """Calls of a stream, each of which does what it was told."""

    def __init__(self, *behaviours: Callable[[], AsyncIterator[int]]) -> None:
        self.taken: list[int] = []
        self.told: asyncio.Queue[bool] = asyncio.Queue()
        self._behaviours = list(behaviours)

    async def watch(self, complete: Callable[[], Awaitable[bool]] | None = None) -> list[bool]:
        """Read to the end; what was told of the connection."""

        async def always() -> bool:
            return True

        async with asyncio.timeout(20):
            await resumed(
                lambda: self._behaviours.pop(0)() if len(self._behaviours) > 1 else self._behaviours[0](),
                self.taken.append,
                self.told.put_nowait,
                complete or always,
            )
        return [self.told.get_nowait() for _ in range(self.told.qsize())]


async def _away() -> AsyncIterator[int]:
    raise Unavailable("GOAWAY received; Error code: 2; Debug Text: Cancelling all calls {http2_error:2}")
    yield 0


async def _lively() -> AsyncIterator[int]:
    yield 1


async def _breaking() -> AsyncIterator[int]:
    yield 0
    raise Unavailable("Socket closed")


async def test_a_connection_that_is_made_again_at_once_is_not_told() -> None:
    """Of a restarted server, or a proxy that ends quiet connections, a user need not know."""
    calls = _Calls(_breaking, _away, _lively)
    assert await calls.watch() == []
    assert calls.taken == [0, 1]


async def test_a_server_that_stays_away_is_told_in_plain_words_and_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A script must end some time, and its user must not read what gRPC says to its developers."""
    monkeypatch.setattr(watching, "PATIENCE_S", 0)
    monkeypatch.setattr(watching, "SILENT_S", 0)
    calls = _Calls(_away)
    with pytest.raises(Unavailable) as caught:
        await calls.watch()
    assert [calls.told.get_nowait() for _ in range(calls.told.qsize())] == [True]
    assert "has not answered" in caught.value.message
    assert "GOAWAY" not in caught.value.message


async def test_a_server_that_is_back_and_has_nothing_to_say_is_told_as_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A quiet task must not look like a lost connection until its next change."""
    monkeypatch.setattr(watching, "SILENT_S", 0)
    monkeypatch.setattr(watching, "OPEN_S", 0)

    async def quiet() -> AsyncIterator[int]:
        while await calls.told.get():
            pass
        yield 2

    calls = _Calls(_away, quiet)
    await calls.watch()
    assert calls.taken == [2]


async def test_a_server_that_goes_away_at_the_end_of_its_stream_does_not_end_the_watch() -> None:
    """It is asked then whether that was the end; its silence is no answer."""
    answers = [Unavailable("Connection refused"), False, True]

    async def complete() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return bool(answer)

    calls = _Calls(_lively)
    await calls.watch(complete)
    assert calls.taken == [1, 1, 1]


class _Sulking(_Scheduler):
    """Behind a door that ends the first connection as gRPC's servers do for too many pings."""

    def __init__(self) -> None:
        super().__init__(1000)
        self.connections = 0

    async def GetTask(  # noqa: N802 -- the contract's name
        self, request: task_service_pb2.GetTaskRequest, _: grpc.aio.ServicerContext[Any, Any]
    ) -> task_pb2.Task:
        return task_pb2.Task(name=request.name)

    @asynccontextmanager
    async def behind_the_door(self, port: int) -> AsyncIterator[int]:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while part := await reader.read(65536):
                    writer.write(part)
            writer.close()

        async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            if self.connections == 1:
                writer.write(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))  # SETTINGS
                await reader.readuntil(b"GetTask")
                said = struct.pack(">II", 0, 11) + b"too_many_pings"
                writer.write(bytes([0, 0, len(said), 7, 0, 0, 0, 0, 0]) + said)  # GOAWAY
                await writer.drain()
                writer.close()
                return
            onward = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(relay(reader, onward[1]), relay(onward[0], writer))

        async with await asyncio.start_server(door, "127.0.0.1", 0) as listening:
            yield listening.sockets[0].getsockname()[1]


async def test_what_grpc_says_of_a_connection_does_not_come_to_the_terminal(tmp_path: Path) -> None:
    """Its lines are for its developers; a user reads the command's own sentences, and a script none."""
    scheduler = _Sulking()
    server = grpc.aio.server()
    task_service_pb2_grpc.add_TaskServiceServicer_to_server(scheduler, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with asyncio.timeout(60), scheduler.behind_the_door(port) as door:
        addresses = dict.fromkeys(("registry", "scheduler", "evaluator"), f"127.0.0.1:{door}")
        (tmp_path / "client.json").write_text(json.dumps({**addresses, "token": "t"}))
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loupe.cli", "watch", "tasks/1", "--json", "--data-dir", str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith("GRPC_")},
        )
        try:
            out, told = await command.communicate()
        finally:
            if command.returncode is None:
                command.kill()
                await command.wait()
        await server.stop(None)
    assert told.decode() == ""
    assert json.loads(out)["state"] == "TASK_STATE_COMPLETED"
    assert scheduler.connections > 1
