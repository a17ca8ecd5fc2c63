"""The child's end of the pipe to its worker: orders come as JSON lines on stdin, events go as JSON lines to a descriptor.

stdout and stderr stay free for what libraries print; the worker keeps them as a log.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from services.vision.faults import Fault, InfrastructureFault, UserFault

EVENT_FD = "LOUPE_EVENT_FD"
EXIT_TERMINATED = 143
"""128 + SIGTERM: the order was interrupted by the infrastructure, not ended."""
_PR_SET_PDEATHSIG = 1


class Stopped(BaseException):
    """SIGTERM asked the child to end; not an Exception, so that nothing on the way mistakes it for a fault."""


class Channel:
    """Events out, orders in. `emit` may be called from any thread."""

    def __init__(self) -> None:
        """Claims stdin, the event descriptor and SIGTERM for this process; the main thread only."""
        _die_with_parent()
        self._events = os.fdopen(int(os.environ.get(EVENT_FD, "1")), "w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._busy = False
        self._stopping = threading.Event()
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the worker decides

    def emit(self, event: str, /, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """One event. A worker that no longer reads ends this process: nobody wants the result any more."""
        line = json.dumps({"event": event, **fields}, allow_nan=False, separators=(",", ":"))
        try:
            with self._lock:
                self._events.write(line + "\n")
        except BrokenPipeError:
            os._exit(EXIT_TERMINATED)

    def stop_if_asked(self) -> None:
        """Raises Stopped after a SIGTERM; work calls it where it can end cleanly."""
        if self._stopping.is_set():
            raise Stopped

    @property
    def stopping(self) -> bool:
        """Whether a SIGTERM has come."""
        return self._stopping.is_set()

    def orders(self) -> Iterator[dict[str, Any]]:
        """Orders until the worker closes the pipe."""
        for line in sys.stdin:
            if line.strip():
                self._busy = True
                yield json.loads(line)
                self._busy = False

    def serve(self, handlers: Mapping[str, Callable[[dict[str, Any]], None]]) -> int:
        """Runs one order after another; returns the process's exit code."""
        try:
            self.emit("ready", pid=os.getpid())
            for order in self.orders():
                self._run(handlers, order)
        except Stopped:
            return EXIT_TERMINATED
        return 0

    def _run(self, handlers: Mapping[str, Callable[[dict[str, Any]], None]], order: dict[str, Any]) -> None:
        try:
            if order.get("order") not in handlers:
                raise UserFault("BAD_ORDER", f"unknown order {order.get('order')!r}; known: {sorted(handlers)}")
            handlers[order["order"]](order.get("work") or {})
        except Stopped:
            raise
        except Exception as error:
            fault = as_fault(error)
            traceback.print_exc()
            self.emit(
                "failed",
                code=fault.code,
                message=fault.message,
                user_fault=fault.user_fault,
                retryable=fault.retryable,
            )
            if fault.code == "DEVICE_LOST":
                raise SystemExit(1) from error  # a CUDA context does not recover; the worker starts a fresh child

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        if not self._busy:
            raise Stopped


def as_fault(error: Exception) -> Fault:
    """What any exception of the work means to the scheduler."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, Fault):
        return error
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text:
        return UserFault("OUT_OF_MEMORY", f"the device ran out of memory; lower batch_size ({text[:200]})")
    if "CUDA error" in text or "cuDNN error" in text:
        return InfrastructureFault("DEVICE_LOST", f"the GPU failed: {text[:500]}")
    unexpected = Fault("INTERNAL", f"unexpected {text[:500]}")
    unexpected.user_fault = False
    return unexpected


def _die_with_parent() -> None:
    """Asks Linux to kill this process with its worker, however that one ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:  # it ended before the call took effect
            os._exit(EXIT_TERMINATED)
