"""One job in the child: gives the order, buffers its events for the scheduler, and returns the outcome."""

import asyncio
import contextlib
from collections import deque
from pathlib import Path

from loupe.errors import FailedPrecondition, InvalidArgument, LoupeError
from loupe.scheduler.v1 import task_pb2
from loupe.translation import sentence
from loupe.worker.v1 import event_pb2

from services.failure_codes import FailureCode
from services.kit import machine
from services.kit.clock import Clock, timestamp
from services.kit.metrics import Counter, Gauge, Reading
from services.worker import outcomes
from services.worker.handler import JobHandler, JobRun
from services.worker.held_job import HeldJob
from services.worker.jobs import LeaseLost
from services.worker.outcomes import Outcome
from services.worker.warm_child import Child, UnreadableEvent, WarmChild

_STEPS = Counter(
    "loupe_training_steps_total", "steps", "Batches that children trained, by network", "network"
)
_IMAGES_PER_S = Gauge(
    "loupe_training_images_per_second",
    "images/s",
    "How fast the child trains now; absent without a training",
)

_LOG_TAIL_LINES = 40
_EXIT_GRACE_S = 2.0


class JobExecution:
    """Executes one job; `run` once."""

    def __init__(  # noqa: PLR0913 -- a job, and the parts of a worker that execute it
        self,
        job: HeldJob,
        handler: JobHandler,
        warm_child: WarmChild,
        *,
        folder: Path,
        clock: Clock,
        max_silence_s: float,
    ) -> None:
        """`folder` is the job's own; a child without an event for `max_silence_s` is killed."""
        self._job = job
        self._handler = handler
        self._warm_child = warm_child
        self._folder = folder
        self._clock = clock
        self._max_silence_s = max_silence_s
        self._child: Child | None = None
        self._log: deque[str] = deque(maxlen=_LOG_TAIL_LINES)
        self._images_per_s = 0.0

    async def run(self) -> Outcome:
        """Give the order, handle the events, store the result. Kills the child when cancelled."""
        try:
            run = self._handler.start(self._job.lease, self._folder)
        except (KeyError, TypeError, ValueError) as error:
            return outcomes.bad_order(error)
        child = await self._warm_child.take()
        self._child = child
        clean = False
        try:
            await self._job.started()
            await run.prepare()
            with _IMAGES_PER_S.read_by(self._speed):
                outcome, clean = await self._until_outcome(run, child)
        except LeaseLost:
            raise
        except LoupeError as error:
            # Storage or the evaluator refused the result.
            retryable = not isinstance(error, InvalidArgument | FailedPrecondition)
            outcome = outcomes.failed(
                FailureCode.RESULT_NOT_STORED,
                *sentence(
                    "the result could not be stored ({reason}): {message}",
                    reason=error.reason,
                    message=error.message,
                ),
                retryable=retryable,
                log_tail=self._log_tail,
            )
        except TimeoutError:
            outcome = outcomes.child_hung(self._max_silence_s, self._log_tail)
        except (KeyError, TypeError, ValueError, OSError) as error:
            outcome = outcomes.child_protocol(error, self._log_tail)
        finally:
            self._child = None
            await asyncio.shield(self._warm_child.give_back(child, keep=clean))
        return outcome

    async def stop(self, grace_s: float) -> bool:
        """SIGTERM to the child, SIGKILL after `grace_s`; `run` then handles the events that are left.

        False if the child does not work on the job.
        """
        if self._child is None:
            return False
        await self._child.process.terminate(grace_s)
        return True

    async def _until_outcome(self, run: JobRun, child: Child) -> tuple[Outcome, bool]:
        """The outcome, and whether the child ended the order cleanly and can be kept."""
        kills = machine.out_of_memory_kills()
        with contextlib.suppress(FailedPrecondition):  # it is gone; its exit code, below, says more
            await child.send(run.order)
        while (event := await self._next_event(child)) is not None:
            match event.WhichOneof("event"):
                case "trained" | "measured" | "packaged":
                    return await run.conclude(event, self._job), True
                case "failed":
                    event.failed.failure.log_tail = self._log_tail
                    return Outcome(failed=event.failed), False
                case "sample_results":
                    await run.add_sample_results(event.sample_results, self._job)
                case _:
                    self._buffer(event)
            await self._job.schedule_heartbeat()
        # The child closed its pipe; if it still lives, it is of no use.
        returncode = await child.process.terminate(_EXIT_GRACE_S)
        out_of_memory = machine.out_of_memory_kills() > kills
        return outcomes.child_died(returncode, self._log_tail, out_of_memory=out_of_memory), False

    async def _next_event(self, child: Child) -> event_pb2.Event | None:
        async with asyncio.timeout(self._max_silence_s):
            return await anext(child.events, None)

    def _buffer(self, event: event_pb2.Event) -> None:
        """Complete an event's message and hand it on to the scheduler."""
        now, buffer = self._clock.now(), self._job.buffer
        match event.WhichOneof("event"):
            case "loss_points":
                event.loss_points.step_time.FromDatetime(now)
                buffer.add_loss_points(event.loss_points)
                network = task_pb2.Network.Name(event.loss_points.network).removeprefix("NETWORK_").lower()
                _STEPS.add(len(event.loss_points.losses), network=network)
            case "progress":
                buffer.set_phase(event.progress.phase)
                buffer.set_progress(event.progress.progress)
                self._images_per_s = event.progress.progress.images_per_s
            case "log":
                self._log.append(event.log.text)
                lines = [f"{timestamp(now)} {line}" for line in event.log.text.splitlines() or [""]]
                buffer.add_lines(event.log.network, lines)
            case "stage":
                buffer.set_stage(event.stage.stage)
                if event.stage.contact_sheet_path:
                    self._job.keep_contact_sheet(Path(event.stage.contact_sheet_path), event.stage.stage)
            case "nonconforming":
                buffer.add_nonconforming(event.nonconforming.samples)
            case "validation":
                buffer.add_validation(event.validation)
            case "checkpoint":
                self._job.keep_checkpoint(Path(event.checkpoint.path), event.checkpoint.checkpoint)
            case kind:
                raise UnreadableEvent(f"event {kind!r} during a job")

    def _speed(self) -> list[Reading]:
        return [(self._images_per_s, {})] if self._images_per_s else []

    @property
    def _log_tail(self) -> str:
        """The end of the task's log. What the child wrote to stderr is only in the operator's log (M6)."""
        return "\n".join(self._log)
