"""The further processes of a training: started and watched by the warm child, which is rank 0.

They are started on this machine as torchrun starts them (training.processes), and die with rank 0. One that
dies or fails ends rank 0 too, even while rank 0 waits: a group that lost a process cannot be repaired, and
the worker starts a new child.
"""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping

import torch.distributed as dist
from google.protobuf import json_format
from loupe.translation import sentence
from loupe.worker.v1 import event_pb2, order_pb2
from torch.distributed import TCPStore  # type: ignore[attr-defined] # not in its stubs

from services.failure_codes import FailureCode
from services.kit.child_process import EVENT_FD, OBJECT_FDS, DieWithParent, ParentLink
from services.trainer.training.processes import Group, Orders, alone, as_process_lost, join
from services.trainer.training.recipe import TrainingRecipe
from services.vision.faults import Fault, InfrastructureFault
from services.vision.sources import descriptors
from services.worker.child_channel import as_fault, failed

_PROGRAM = (sys.executable, "-m", "services.trainer.child")
_EXIT_NOTICE_S = 10.0
"""How long after a broken connection the exit of the process at its other end may be noticed."""

OnLoss = Callable[[Fault, bool], None]
"""Called in another thread with the fault of a lost process, and whether an order was in progress. Ends this
process."""
Train = Callable[[order_pb2.Order, Group], None]


class RankGroup:
    """The other ranks, as rank 0 controls them; empty where one process trains."""

    def __init__(self, orders: Orders | None = None) -> None:
        self._orders = orders
        self._numbers = itertools.count()
        self._others: list[subprocess.Popen[bytes]] = []
        self._at_work = self._closed = False
        self._lock = threading.Lock()

    @classmethod
    def start(cls, count: int, on_loss: OnLoss) -> "RankGroup":
        """A group of `count` processes, this one included; returns when all have joined."""
        ranks = cls()
        if count == 1:
            return ranks
        # Only on the loopback interface: there is no authentication. Settings of the worker's environment
        # win.
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(name, "lo")
        listening = socket.create_server(("127.0.0.1", 0))
        host, port = listening.getsockname()
        store = TCPStore(
            host, port, is_master=True, wait_for_workers=False, master_listen_fd=listening.detach()
        )
        meeting = {
            "MASTER_ADDR": host,
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
        }
        for rank in range(1, count):
            ranks._start_other(meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, on_loss)
        ranks._orders = join(meeting | {"RANK": "0", "LOCAL_RANK": "0"}, store)
        return ranks

    @contextlib.contextmanager
    def training(self, order: order_pb2.Order) -> Iterator[Group]:
        """Sends the order to the others too; after an exception none of them can be used again."""
        if self._orders is None:
            yield alone()
            return
        whole = self._orders.group
        if TrainingRecipe.from_order(order).smallest_batch < whole.size:
            yield Group(whole.device)  # fewer samples than processes: the others wait for the next order
            return
        self._at_work = True
        try:
            yield self._orders.tell(next(self._numbers), json_format.MessageToJson(order, indent=None))
        except BaseException as error:
            if isinstance(error, Exception) and (lost := as_process_lost(error)):
                # The watching thread soon notices which process was lost, and ends this one.
                time.sleep(_EXIT_NOTICE_S if self._others else 0)
                raise lost from error
            self.abandon()
            raise
        finally:
            self._at_work = False

    def abandon(self) -> None:
        """Kills the others."""
        with self._lock:
            self._closed = True
        for other in self._others:
            other.kill()
            other.wait()

    def dismiss(self) -> None:
        """Lets the others exit: there are no more orders."""
        if self._orders is None or self._closed:
            return
        with self._lock:
            self._closed = True
        self._orders.tell(next(self._numbers), "")
        dist.destroy_process_group()
        with contextlib.suppress(subprocess.TimeoutExpired):
            for other in self._others:
                other.wait(_EXIT_NOTICE_S)
        self.abandon()

    def _start_other(self, meeting: Mapping[str, str], on_loss: OnLoss) -> None:
        read_fd, write_fd = os.pipe()
        connections = descriptors(os.environ)[int(meeting["RANK"]) :: int(meeting["WORLD_SIZE"])]
        other = subprocess.Popen(
            _PROGRAM,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                **meeting,
                EVENT_FD: str(write_fd),
                OBJECT_FDS: ",".join(map(str, connections)),
            },
            pass_fds=(write_fd, *connections),
            preexec_fn=DieWithParent(),  # noqa: PLW1509 - docs/decisions/0013
        )
        os.close(write_fd)
        self._others.append(other)
        who = f"process {meeting['RANK']} of the {meeting['WORLD_SIZE']} of this training"

        def watch() -> None:
            with os.fdopen(read_fd, "rb") as events:
                for line in events:
                    event = json_format.Parse(line, event_pb2.Event())
                    self._lost(_RelayedFault(event, who), on_loss)
            how = _ended(other.wait())
            lost = InfrastructureFault(
                FailureCode.PROCESS_LOST, *sentence("{process} ended {how}", process=who, how=how)
            )
            self._lost(lost, on_loss)

        threading.Thread(target=watch, name=f"rank {meeting['RANK']}", daemon=True).start()

    def _lost(self, fault: Fault, on_loss: OnLoss) -> None:
        with self._lock:
            if not self._closed:
                on_loss(fault, self._at_work)


class _RelayedFault(Fault):
    """A fault that another process reported."""

    def __init__(self, event: event_pb2.Event, process: str) -> None:
        failure = event.failed.failure
        super().__init__(FailureCode(failure.code), f"{process}: {failure.message}", failure.message_zh)
        self.retryable = event.failed.retryable


def _ended(returncode: int) -> str:
    if returncode == -signal.SIGKILL:
        return "by signal 9; the system may have run out of memory"
    return f"by signal {-returncode}" if returncode < 0 else f"with exit code {returncode}"


def follow(orders: Orders, train: Train) -> int:
    """The main loop of every process but rank 0, started by rank 0 or by torchrun; returns the exit code."""
    # SIGTERM is for rank 0; the others end with it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    link = ParentLink.from_environ() if EVENT_FD in os.environ else None
    try:
        for number in itertools.count():
            order, group = orders.hear(number)
            if not order:
                break
            train(json_format.Parse(order, order_pb2.Order()), group)
        dist.destroy_process_group()
    except Exception as error:  # noqa: BLE001 - the boundary of a process
        traceback.print_exc()
        if link and not as_process_lost(error):
            link.emit(json_format.MessageToDict(failed(as_fault(error))))
        sys.stderr.flush()
        os._exit(1)  # threads of the group that still wait must not delay the exit
    return 0


class NullChannel:
    """A channel that discards events: rank 0 emits them, and is the one that is asked to stop."""

    stopping = False

    def emit(self, event: event_pb2.Event) -> None:
        """Discards the event."""

    def stop_if_asked(self) -> None:
        """Never raises."""
