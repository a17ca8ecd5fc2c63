"""How a job ends, as FinishJob takes it: the lease's names are set when it is sent."""

import signal
from typing import TypeAlias

from loupe.scheduler.v1 import job_service_pb2, task_pb2
from loupe.translation import Sentence, sentence

from services.failure_codes import FailureCode

Outcome: TypeAlias = job_service_pb2.FinishJobRequest

_COMPLETED = frozenset({"trained", "reported", "packaged"})


def is_complete(outcome: Outcome) -> bool:
    """Whether the job's result is stored."""
    return outcome.WhichOneof("outcome") in _COMPLETED


def may_resume(outcome: Outcome) -> bool:
    """Whether the job is taken up again from its last checkpoint (T5)."""
    return outcome.HasField("failed") and outcome.failed.retryable


def described(outcome: Outcome | None) -> str:
    """For the operator's log."""
    if outcome is None:
        return "given back"
    kind = str(outcome.WhichOneof("outcome"))
    return f"failed {outcome.failed.failure.code}" if kind == "failed" else kind


def terminated() -> Outcome:
    """The user ended the job, and its process is gone (T2)."""
    return Outcome(terminated=Outcome.Terminated())


def failed(
    code: FailureCode, message: str, message_zh: str, *, retryable: bool, log_tail: str = ""
) -> Outcome:
    """The job cannot go on. Retryable: an infrastructure fault, not the user's (T5)."""
    failure = task_pb2.Failure(code=code, message=message, message_zh=message_zh, log_tail=log_tail)
    return Outcome(failed=Outcome.JobFailed(failure=failure, retryable=retryable))


def bad_order(error: Exception) -> Outcome:
    """The worker cannot read the lease's work."""
    return failed(
        FailureCode.BAD_ORDER,
        *sentence("this worker cannot read the job ({error!r})", error=error),
        retryable=False,
    )


def child_hung(silence_s: float, log_tail: str) -> Outcome:
    """The child sent no event for so long and was killed."""
    return failed(
        FailureCode.CHILD_HUNG,
        *sentence("the process reported nothing for {silence_s:g} s and was killed", silence_s=silence_s),
        retryable=True,
        log_tail=log_tail,
    )


def child_protocol(error: Exception, log_tail: str) -> Outcome:
    """The child sent an event that the worker cannot use."""
    return failed(
        FailureCode.CHILD_PROTOCOL,
        *sentence("the worker does not understand what its process reported: {error!r}", error=error),
        retryable=True,
        log_tail=log_tail,
    )


def child_died(returncode: int, log_tail: str, *, out_of_memory: bool) -> Outcome:
    """The child ended without an outcome (T5).

    Not the user's fault and to be resumed, unless the kernel killed for want of memory (`out_of_memory`):
    the same job would take as much again.
    """
    if returncode == -signal.SIGKILL and out_of_memory:
        return failed(
            FailureCode.OUT_OF_MEMORY,
            *sentence("the machine ran out of memory"),
            retryable=False,
            log_tail=log_tail,
        )
    how, how_zh = (
        sentence("by signal {number}", number=-returncode)
        if returncode < 0
        else sentence("with exit code {code}", code=returncode)
    )
    return failed(
        FailureCode.CHILD_DIED,
        *sentence(
            "the process ended unexpectedly {how}; the worker's log has more", how=Sentence(how, how_zh)
        ),
        retryable=True,
        log_tail=log_tail,
    )
