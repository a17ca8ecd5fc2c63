"""What became of the test of a training or a version with a question bank (P8)."""

from dataclasses import dataclass
from datetime import datetime

from loupe.errors import InvalidArgument, LoupeError

from services.scheduler.domain.task import TaskState


@dataclass(frozen=True, slots=True)
class Refusal:
    """One fault of a submission."""

    reason: str
    message: str
    message_zh: str


@dataclass(frozen=True, slots=True)
class BankRun:
    """The task that was submitted, or why none was."""

    # `questionBanks/{bank}/revisions/{number}`.
    question_bank: str
    # `tasks/{task}` of a training, or `models/{model}/versions/{version}`.
    judged: str
    # `tasks/{task}`; empty: refused.
    task: str = ""
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptBankRun:
    """A run as it is kept; the newest has the largest id."""

    id: int
    run: BankRun
    time: datetime
    # Of the task now; None: refused, or the task was deleted since.
    task_state: TaskState | None
    # Of a judged training: the id of its model, and its version if it was released since.
    model: str = ""
    model_version: str = ""


def refusals_of(error: LoupeError) -> tuple[Refusal, ...]:
    """What an error tells; of a submission with several faults each of them, without the warnings."""
    violations = error.violations if isinstance(error, InvalidArgument) else ()
    faults = tuple(
        Refusal(one.reason, one.message, one.message_zh) for one in violations if one.severity == "error"
    )
    return faults or (Refusal(error.reason, error.message, error.facts.get("message_zh", "")),)
