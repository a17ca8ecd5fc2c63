"""The further processes of a training: started and watched by the warm child, which is rank 0.

They are started as torchrun would start them (training.processes), on this machine, and die with rank 0. One
that dies or fails ends rank 0 as well, whatever it waits for: a group that lost one of its processes cannot
be mended, and the worker starts a fresh child.
"""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined] # not in its stubs

from services.kit.child_process import EVENT_FD, DieWithParent, ParentLink
from services.trainer.training.processes import Group, Orders, alone, as_lost, join
from services.trainer.training.recipe import TrainingRecipe
from services.vision.channel import as_fault
from services.vision.faults import Fault, InfrastructureFault

_PROGRAM = (sys.executable, "-m", "services.trainer.child")
_TELLING_S = 10.0
"""How long a broken connection may be known before it is known whose end it was."""

OnLoss = Callable[[Fault, bool], None]
"""Called in another thread with what became of a process, and whether an order was being carried out. Ends
this one."""
Train = Callable[[Mapping[str, Any], Group], None]


class Leader:
    """Rank 0's hold on the others; of a training by one process, nothing."""

    def __init__(self, orders: Orders | None = None) -> None:
        self._orders = orders
        self._numbers = itertools.count()
        self._others: list[subprocess.Popen[bytes]] = []
        self._at_work = self._closed = False
        self._lock = threading.Lock()

    @classmethod
    def start(cls, count: int, on_loss: OnLoss) -> "Leader":
        """With `count` processes, this one among them; returns when all are there."""
        leader = cls()
        if count == 1:
            return leader
        # On the loopback interface and nowhere else: nobody is asked who he is. A worker's own settings win.
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
            leader._start_other(meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, on_loss)
        leader._orders = join(meeting | {"RANK": "0", "LOCAL_RANK": "0"}, store)
        return leader

    @contextlib.contextmanager
    def training(self, work: Mapping[str, Any]) -> Iterator[Group]:
        """Gives the order to the others as well; all of them are of no more use when it raises."""
        if self._orders is None:
            yield alone()
            return
        whole = self._orders.group
        if TrainingRecipe.from_work(work).smallest_batch < whole.size:
            yield Group(whole.device)  # no sample for some: the others wait for the next order
            return
        self._at_work = True
        try:
            yield self._orders.tell(next(self._numbers), json.dumps(work))
        except BaseException as error:
            if isinstance(error, Exception) and (lost := as_lost(error)):
                # Whoever is lost is known in a moment, and then this process ends.
                time.sleep(_TELLING_S if self._others else 0)
                raise lost from error
            self.abandon()
            raise
        finally:
            self._at_work = False

    def abandon(self) -> None:
        """Kills the others, whatever they do."""
        with self._lock:
            self._closed = True
        for other in self._others:
            other.kill()
            other.wait()

    def dismiss(self) -> None:
        """Sends the others home: there are no more orders."""
        if self._orders is None or self._closed:
            return
        with self._lock:
            self._closed = True
        self._orders.tell(next(self._numbers), "")
        dist.destroy_process_group()
        with contextlib.suppress(subprocess.TimeoutExpired):
            for other in self._others:
                other.wait(_TELLING_S)
        self.abandon()

    def _start_other(self, meeting: Mapping[str, str], on_loss: OnLoss) -> None:
        read_fd, write_fd = os.pipe()
        other = subprocess.Popen(
            _PROGRAM,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **meeting, EVENT_FD: str(write_fd)},
            pass_fds=(write_fd,),
            preexec_fn=DieWithParent(),  # noqa: PLW1509 - docs/decisions/0013
        )
        os.close(write_fd)
        self._others.append(other)
        who = f"process {meeting['RANK']} of the {meeting['WORLD_SIZE']} of this training"

        def watch() -> None:
            with os.fdopen(read_fd, "rb") as events:
                for line in events:
                    told = json.loads(line)
                    self._lost(_RelayedFault(told, who), on_loss)
            how = _ended(other.wait())
            lost = InfrastructureFault(
                "PROCESS_LOST", f"{who} ended {how}", f"本次训练的一个进程意外结束（{who} ended {how}）"
            )
            self._lost(lost, on_loss)

        threading.Thread(target=watch, name=f"rank {meeting['RANK']}", daemon=True).start()

    def _lost(self, fault: Fault, on_loss: OnLoss) -> None:
        with self._lock:
            if not self._closed:
                on_loss(fault, self._at_work)


class _RelayedFault(Fault):
    """A fault of another process, as that one saw it."""

    def __init__(self, told: Mapping[str, Any], process: str) -> None:
        super().__init__(told["code"], f"{process}: {told['message']}", told["message_zh"])
        self.user_fault, self.retryable = told["user_fault"], told["retryable"]


def _ended(returncode: int) -> str:
    if returncode == -signal.SIGKILL:
        return "by signal 9; the system may have run out of memory"
    return f"by signal {-returncode}" if returncode < 0 else f"with exit code {returncode}"


def follow(orders: Orders, train: Train) -> int:
    """The life of every process but rank 0, which may have started it or not; returns its exit code."""
    # Rank 0 is asked to stop, and the others end with it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    link = ParentLink.from_environ() if EVENT_FD in os.environ else None
    try:
        for number in itertools.count():
            order, group = orders.hear(number)
            if not order:
                break
            train(json.loads(order), group)
        dist.destroy_process_group()
    except Exception as error:  # noqa: BLE001 - the boundary of a process
        traceback.print_exc()
        if link and not as_lost(error):
            link.emit({"event": "failed", **as_fault(error).to_json()})
        sys.stderr.flush()
        os._exit(1)  # what waits in the group's threads must not hold it back
    return 0


class Silence:
    """The channel of a process whose events nobody hears."""

    stopping = False

    def emit(self, event: str, /, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """Told by rank 0."""

    def stop_if_asked(self) -> None:
        """Rank 0 is asked."""
