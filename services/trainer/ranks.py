"""The further processes of a training: started and watched by the first of each host, a warm child.

They are started as torchrun starts them (training.processes), and die with the child that started them. One
that dies or fails ends that child too, even while it waits: a group that lost a process cannot be repaired,
and each host starts a new child. The first of the first host is rank 0. It hears from its worker that a child
of another host is gone (services.trainer.meeting).
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
from datetime import timedelta

import torch.distributed as dist
from google.protobuf import json_format
from loupe.translation import sentence
from loupe.worker.v1 import event_pb2, order_pb2
from torch.distributed import TCPStore  # type: ignore[attr-defined] # not in its stubs

from services.failure_codes import FailureCode
from services.kit.child_process import EVENT_FD, OBJECT_FDS, DieWithParent, ParentLink
from services.trainer.place import Place
from services.trainer.training.processes import PATIENCE_S, Group, Orders, alone, as_process_lost, join
from services.trainer.training.recipe import TrainingRecipe
from services.vision.faults import Fault, InfrastructureFault
from services.vision.sources import descriptors
from services.worker.child_channel import as_fault, failed

_PROGRAM = (sys.executable, "-m", "services.trainer.child")
_EXIT_NOTICE_S = 10.0
"""How long after a broken connection the exit of the process at its other end may be noticed."""
_CAUSE_S = 1.0
"""By how much a process that lost another ends later: what is told is the end of the first."""

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
        self._watching = self._at_work = self._closed = False
        self._lock = threading.Lock()

    @classmethod
    def start(cls, count: int, on_loss: OnLoss, place: Place = Place()) -> "RankGroup":  # noqa: B008 -- frozen
        """A group of `count` processes on each host, this one included; returns when all have joined."""
        ranks = cls()
        size = count * place.nodes
        if size == 1:
            return ranks
        # There is no authentication: only on the loopback interface, or on that of the place's environment.
        for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(name, "lo")
        store = _store(place)
        meeting = {
            "MASTER_ADDR": store.host,
            "MASTER_PORT": str(store.port),
            "WORLD_SIZE": str(size),
            "LOCAL_WORLD_SIZE": str(count),
            "GROUP_RANK": str(place.node),
        }
        first = count * place.node
        for local in range(1, count):
            ranks._start_other(meeting | {"RANK": str(first + local), "LOCAL_RANK": str(local)}, on_loss)
        if place.loss_fd is not None:
            ranks._watch_hosts(place.loss_fd, on_loss)
        ranks._orders = join(meeting | {"RANK": str(first), "LOCAL_RANK": "0"}, store)
        return ranks

    @property
    def orders(self) -> Orders:
        """How orders come to this process; only with others."""
        if self._orders is None:
            raise ValueError("this process trains alone")
        return self._orders

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
                time.sleep(_EXIT_NOTICE_S if self._watching else 0)
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
        connections = descriptors(os.environ)[int(meeting["LOCAL_RANK"]) :: int(meeting["LOCAL_WORLD_SIZE"])]
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
            for event in _told(read_fd):
                self._lost(_RelayedFault(event, f"{who}: "), on_loss)
            how = _ended(other.wait())
            lost = InfrastructureFault(
                FailureCode.PROCESS_LOST, *sentence("{process} ended {how}", process=who, how=how)
            )
            self._lost(lost, on_loss)

        self._watch(watch, f"rank {meeting['RANK']}")

    def _watch_hosts(self, loss_fd: int, on_loss: OnLoss) -> None:
        os.set_inheritable(loss_fd, False)

        def watch() -> None:
            for event in _told(loss_fd):
                self._lost(_RelayedFault(event), on_loss)

        self._watch(watch, "other hosts")

    def _watch(self, watch: Callable[[], None], name: str) -> None:
        self._watching = True
        threading.Thread(target=watch, name=name, daemon=True).start()

    def _lost(self, fault: Fault, on_loss: OnLoss) -> None:
        with self._lock:
            if not self._closed:
                on_loss(fault, self._at_work)


class _RelayedFault(Fault):
    """A fault that another process reported."""

    def __init__(self, event: event_pb2.Event, prefix: str = "") -> None:
        failure = event.failed.failure
        super().__init__(FailureCode(failure.code), f"{prefix}{failure.message}", failure.message_zh)
        self.retryable = event.failed.retryable


def _store(place: Place) -> TCPStore:
    """The store at which all processes meet: that of rank 0, on the loopback interface of its host."""
    if place.node:
        return TCPStore("127.0.0.1", place.store_port, is_master=False, timeout=timedelta(seconds=PATIENCE_S))
    listening = (
        socket.create_server(("127.0.0.1", 0))
        if place.store_fd is None
        else socket.socket(fileno=place.store_fd)
    )
    listening.set_inheritable(False)
    host, port = listening.getsockname()
    return TCPStore(host, port, is_master=True, wait_for_workers=False, master_listen_fd=listening.detach())


def _told(descriptor: int) -> Iterator[event_pb2.Event]:
    """The events of a pipe, until its other end is closed."""
    with os.fdopen(descriptor, "rb") as lines:
        for line in lines:
            yield json_format.Parse(line, event_pb2.Event())


def _ended(returncode: int) -> str:
    if returncode == -signal.SIGKILL:
        return "by signal 9; the system may have run out of memory"
    return f"by signal {-returncode}" if returncode < 0 else f"with exit code {returncode}"


def follow(orders: Orders, train: Train) -> int:
    """The main loop of every process but rank 0, however it was started; returns the exit code."""
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
        if as_process_lost(error):
            time.sleep(_CAUSE_S)
        os._exit(1)  # threads of the group that still wait must not delay the exit
    return 0


class NullChannel:
    """A channel that discards events: rank 0 emits them, and is the one that is asked to stop."""

    stopping = False

    def emit(self, event: event_pb2.Event) -> None:
        """Discards the event."""

    def stop_if_asked(self) -> None:
        """Never raises."""
