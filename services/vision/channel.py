"""What the children of trainer and evaluator share: orders in turn, faults as events, SIGTERM as a wish."""

import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from services.kit.child_process import ParentLink
from services.vision.faults import BadOrder, Fault, InfrastructureFault, UserFault

EXIT_TERMINATED = 143
"""128 + SIGTERM: the order was interrupted by the infrastructure, not ended."""

Handler = Callable[[dict[str, Any]], None]


class Stopped(BaseException):
    """SIGTERM asked the child to end.

    Not an Exception, so that nothing on the way mistakes it for a fault.
    """


class Channel:
    """Events out, orders in. `emit` may be called from any thread."""

    def __init__(self, link: ParentLink) -> None:
        """Claims SIGTERM for this process; the main thread only."""
        self._link = link
        self._stopping = self._waiting = self._retired = False
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def emit(self, event: str, /, **fields: Any) -> None:  # noqa: ANN401 - JSON
        """One event. A worker that no longer reads ends the work: nobody wants the result any more."""
        try:
            self._link.emit({"event": event, **fields})
        except BrokenPipeError as error:
            raise Stopped from error

    def stop_if_asked(self) -> None:
        """Raises Stopped after a SIGTERM; work calls it where it can end cleanly."""
        if self._stopping:
            raise Stopped

    @property
    def stopping(self) -> bool:
        """Whether a SIGTERM has come."""
        return self._stopping

    def retire(self) -> None:
        """An order that fails is the last: what it leaves behind would spoil the next."""
        self._retired = True

    def serve(self, handlers: Mapping[str, Handler]) -> int:
        """Carries out orders until the worker closes the pipe; returns the process's exit code."""
        orders = self._link.orders()
        try:
            self.emit("ready")
            while (order := self._next(orders)) is not None:
                self._carry_out(handlers, order)
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

    def _carry_out(self, handlers: Mapping[str, Handler], order: Mapping[str, Any]) -> None:
        try:
            handler = handlers.get(str(order.get("order")), _refuse)
            handler(order.get("work") or {})
        except Exception as error:
            traceback.print_exc()
            fault = as_fault(error)
            self.emit("failed", **fault.to_json())
            if fault.code == "DEVICE_LOST" or self._retired:
                # A CUDA context does not recover; the worker starts a fresh child.
                raise SystemExit(1) from error

    def _on_sigterm(self, _signal: int, _frame: FrameType | None) -> None:
        # Not a threading.Event: its `set` takes a lock, for which a second signal would wait for ever.
        self._stopping = True
        # Raise only to end the wait for an order: anywhere else an exception could break a line in two.
        if self._waiting:
            self._waiting = False
            raise Stopped


def _refuse(_work: Mapping[str, Any]) -> None:
    raise BadOrder("this child does not know that order")


def as_fault(error: Exception) -> Fault:
    """What any exception of the work means to the scheduler."""
    if isinstance(error, Fault):
        return error
    text = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text:
        return UserFault(
            "OUT_OF_MEMORY",
            f"the device ran out of memory; lower batch_size ({text})",
            f"设备内存不足；请减小 batch_size（{text}）",
        )
    if "CUDA error" in text or "cuDNN error" in text:
        return InfrastructureFault("DEVICE_LOST", f"the GPU failed: {text}", f"GPU 故障：{text}")
    unexpected = Fault(
        "INTERNAL",
        f"the work ended with an unexpected error ({text}); start the task again, "
        "and if it fails again, give the operator its name: the worker's log has more",
        f"任务因意外错误结束（{text}）；请重新启动，若再次失败，请将任务名称交给运维人员：工作节点的日志中有详细信息",
    )
    unexpected.user_fault = False
    return unexpected
