"""The child's side of the protocol with its worker: orders in turn, events, faults as events, SIGTERM."""

import errno
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from google.protobuf import json_format
from loupe.scheduler.v1 import job_service_pb2, task_pb2
from loupe.translation import sentence
from loupe.worker.v1 import event_pb2, order_pb2

from services.failure_codes import FailureCode
from services.kit.child_process import ParentLink
from services.vision.faults import BadOrder, Fault, InfrastructureFault, UserFault

EXIT_TERMINATED = 143
"""128 + SIGTERM: the infrastructure interrupted the order."""

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Handler = Callable[[order_pb2.Order], None]


class Stopped(BaseException):
    """SIGTERM asked the child to end.

    Not an Exception: a handler of faults must not catch it.
    """


class Channel:
    """Events out, orders in. `emit` may be called from any thread."""

    def __init__(self, link: ParentLink) -> None:
        """Claims SIGTERM for this process; the main thread only."""
        self._link = link
        self._stopping = self._waiting = self._retired = False
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def emit(self, event: event_pb2.Event) -> None:
        """Sends one event. Raises Stopped if the worker no longer reads: nobody needs the result."""
        try:
            self._link.emit(json_format.MessageToDict(event))
        except BrokenPipeError as error:
            raise Stopped from error

    def stop_if_asked(self) -> None:
        """Raises Stopped after a SIGTERM; called where the work can end cleanly."""
        if self._stopping:
            raise Stopped

    @property
    def stopping(self) -> bool:
        """Whether a SIGTERM has come."""
        return self._stopping

    def retire(self) -> None:
        """The present order, if it fails, is the last: its leftovers could spoil the next."""
        self._retired = True

    def serve(self, handlers: Mapping[str, Handler]) -> int:
        """Executes orders until the worker closes the pipe; returns the process's exit code.

        `handlers` by the name of the order's work, as in `loupe.worker.v1.Order`.
        """
        orders = self._link.orders()
        try:
            self.emit(event_pb2.Event(ready=event_pb2.Ready()))
            while (order := self._next(orders)) is not None:
                self._execute(handlers, order)
        except Stopped:
            return EXIT_TERMINATED
        return 0

    def _next(self, orders: Iterator[dict[str, Any]]) -> dict[str, Any] | None:
        self._waiting = True
        try:
            self.stop_if_asked()
            return next(orders, None)
        finally:
            self._waiting = False

    def _execute(self, handlers: Mapping[str, Handler], line: dict[str, Any]) -> None:
        try:
            order = _order(line)
            handlers.get(order.WhichOneof("work") or "", _refuse)(order)
        except Exception as error:
            traceback.print_exc()
            fault = as_fault(error)
            self.emit(failed(fault))
            if fault.code is FailureCode.DEVICE_LOST or self._retired:
                # A CUDA context does not recover; the worker starts a fresh child.
                raise SystemExit(1) from error

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        # Not a threading.Event: its `set` takes a lock, and a second signal would wait for it for ever.
        self._stopping = True
        # Raise only during the wait for an order: elsewhere an exception could tear a line.
        if self._waiting:
            self._waiting = False
            raise Stopped


def failed(fault: Fault) -> event_pb2.Event:
    """The event that ends an order with a fault."""
    failure = task_pb2.Failure(code=fault.code, message=fault.message, message_zh=fault.message_zh)
    return event_pb2.Event(
        failed=job_service_pb2.FinishJobRequest.JobFailed(failure=failure, retryable=fault.retryable)
    )


def _order(line: dict[str, Any]) -> order_pb2.Order:
    try:
        return json_format.ParseDict(line, order_pb2.Order())
    except json_format.ParseError as error:
        raise BadOrder(f"the order cannot be read: {error}") from error


def _refuse(_order: order_pb2.Order) -> None:
    raise BadOrder("this child does not know that order")


def as_fault(error: Exception) -> Fault:
    """The fault that an exception of the work is reported as."""
    if isinstance(error, Fault):
        return error
    text = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text:
        return UserFault(
            FailureCode.OUT_OF_MEMORY,
            *sentence("the device ran out of memory ({error})", error=text),
        )
    # Libraries in Rust, as safetensors, say it in their text only.
    if getattr(error, "errno", None) in _DISK_FULL or any(
        f"(os error {code})" in text for code in _DISK_FULL
    ):
        return InfrastructureFault(
            FailureCode.DISK_FULL, *sentence("the worker's disk is full ({error})", error=text)
        )
    if "CUDA error" in text or "cuDNN error" in text:
        return InfrastructureFault(FailureCode.DEVICE_LOST, *sentence("the GPU failed: {error}", error=text))
    return Fault(
        FailureCode.INTERNAL,
        *sentence("the work ended with an unexpected error ({error}); the worker's log has more", error=text),
    )
