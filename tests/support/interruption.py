"""A signal at a chosen bytecode, as the kernel may deliver it at any.

`try_every_point` repeats a trial for every bytecode, in a process of its own: signal handlers run in the main
thread, and a deadlock in one would hang the tests.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from loupe.worker.v1 import event_pb2, order_pb2

from services.kit.child_process import ParentLink
from services.worker.child_channel import Channel
from tests.support.waiting import DEADLINE_S

Event = dict[str, Any]


@contextlib.contextmanager
def interrupted(at: int, number: signal.Signals = signal.SIGTERM) -> Iterator[list[int]]:
    """Raises the signal before bytecode `at` of what the block calls; holds that number if it was reached."""
    left = at
    reached: list[int] = []

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode":
            if left == 0:
                reached.append(at)
                # Its handler runs before the next bytecode, which is one of this function.
                signal.raise_signal(number)
            left -= 1
        return trace

    sys.settrace(trace)
    try:
        yield reached
    finally:
        sys.settrace(None)


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, Callable[[], list[Event]]]]:
    """A descriptor for events, and what closes it and reads them: every line whole."""
    read_fd, write_fd = os.pipe()

    def told() -> list[Event]:
        os.close(write_fd)
        return [json.loads(line) for line in events]

    with os.fdopen(read_fd, "rb") as events:
        yield write_fd, told


def finished(attempt: int) -> event_pb2.Event:
    """The last event of an order."""
    return event_pb2.Event(trained=event_pb2.TrainingFinished(duration_s=attempt))


class Ordered(ParentLink):
    """A link whose orders are known."""

    def orders(self) -> Iterator[Event]:
        for n in range(2):
            yield {"attempt": n + 1, "train": {}}


def emit(at: int) -> bool:
    """A handler that emits interrupts an emit."""
    with pipe() as (event_fd, told):
        link = ParentLink(event_fd)
        signal.signal(signal.SIGTERM, lambda *_: link.emit({"event": "checkpoint"}))
        with interrupted(at) as reached:
            for n in range(3):
                link.emit({"event": "loss", "n": n})
        events = told()
    assert [event["n"] for event in events if event["event"] == "loss"] == [0, 1, 2], events
    assert len(events) == 3 + len(reached), events
    return bool(reached)


def second(at: int) -> bool:
    """A second SIGTERM interrupts the handler of the first, during an order."""
    reached: list[int] = []

    def work(_: order_pb2.Order) -> None:
        with interrupted(at) as during:
            signal.raise_signal(signal.SIGTERM)
        reached.extend(during)
        channel.emit(finished(1))

    with pipe() as (event_fd, told):
        channel = Channel(Ordered(event_fd))
        assert channel.serve({"train": work}) == 143
        assert [*map(list, told())] == [["ready"], ["trained"]]
    return bool(reached)


def serve(at: int) -> bool:
    """SIGTERM comes at any moment of a child's service."""
    with pipe() as (event_fd, told):
        channel = Channel(Ordered(event_fd))
        begun: list[int] = []

        def work(order: order_pb2.Order) -> None:
            begun.append(order.attempt)
            channel.emit(finished(order.attempt))

        with interrupted(at) as reached:
            code = channel.serve({"train": work})
        ready, *ended = told()
    assert ready == {"ready": {}}
    # An order that was begun is carried out; one that was not is told by the exit code.
    assert ended == [{"trained": {"durationS": float(n)}} for n in begun]
    assert code == 143 or (code == 0 and begun == [1, 2]), (code, begun)
    return bool(reached)


TRIALS = {"emit": emit, "second": second, "serve": serve}


def try_every_point(trial: str) -> None:
    """Fails where the trial does at some bytecode; TimeoutExpired in a deadlock."""
    subprocess.run([sys.executable, "-m", __spec__.name, trial], check=True, timeout=DEADLINE_S)


if __name__ == "__main__":
    trial = TRIALS[sys.argv[1]]
    point = 0
    try:
        while trial(point):
            point += 1
    except BaseException:
        print(f"interrupted at bytecode {point}", file=sys.stderr)  # noqa: T201
        raise
    assert point > 10, f"only {point} bytecodes were interrupted"
