"""The state machine of tasks: which transitions and which operations of users are allowed (rule T)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from loupe.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from loupe.translation import Sentence

from services.caller import Caller
from services.failure_codes import remedy_of
from services.kit.etag import EtagMismatch, require_etag
from services.looks import TrainingLooks
from services.scheduler.domain.amounts import NOTHING, Amounts
from services.scheduler.domain.progress import Phase, Progress, Stage
from services.scheduler.domain.spec import Spec


class TaskKind(enum.StrEnum):
    """What a task makes: weights, a report of a question bank (P1), or the package of a version (X)."""

    TRAINING = "TRAINING"
    PREDICTION = "PREDICTION"
    EXPORT = "EXPORT"


class TaskState(enum.StrEnum):
    """The states of rule T; a prediction is PREDICTING where a training is TRAINING, an export PACKAGING."""

    WAITING = "WAITING"
    TRAINING = "TRAINING"
    PREDICTING = "PREDICTING"
    PACKAGING = "PACKAGING"
    TERMINATED = "TERMINATED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    RELEASED = "RELEASED"


# State and phase in which a task of each kind starts to run.
_RUNS_AS: Mapping[TaskKind, tuple[TaskState, Phase]] = {
    TaskKind.TRAINING: (TaskState.TRAINING, Phase.PREPROCESSING),
    TaskKind.PREDICTION: (TaskState.PREDICTING, Phase.PREDICTING),
    TaskKind.EXPORT: (TaskState.PACKAGING, Phase.PACKAGING),
}
RUNNING = frozenset(state for state, _ in _RUNS_AS.values())
FINAL = frozenset({TaskState.TERMINATED, TaskState.COMPLETED, TaskState.FAILED, TaskState.RELEASED})


def _following(kind: TaskKind) -> dict[TaskState, frozenset[TaskState]]:
    running, _ = _RUNS_AS[kind]
    return {
        TaskState.WAITING: frozenset({running}),
        running: frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.TERMINATED}),
        TaskState.TERMINATED: frozenset({TaskState.WAITING}),
        TaskState.FAILED: frozenset({TaskState.WAITING}),
        TaskState.COMPLETED: frozenset(),
    }


# T1. An infrastructure fault does not change the state (T5): the task stays TRAINING, its job is requeued.
_NEXT: Mapping[TaskKind, Mapping[TaskState, frozenset[TaskState]]] = {
    **{kind: _following(kind) for kind in TaskKind},
    # Only a training can be released.
    TaskKind.TRAINING: {
        **_following(TaskKind.TRAINING),
        TaskState.COMPLETED: frozenset({TaskState.RELEASED}),
        TaskState.RELEASED: frozenset(),
    },
}


class TaskOperation(enum.StrEnum):
    """What a user may do with a task."""

    START = "start"
    TERMINATE = "terminate"
    DELETE = "delete"
    RELEASE = "release"


# The table of rule T, for the operations that change a task.
_ALLOWED: Mapping[TaskState, frozenset[TaskOperation]] = {
    TaskState.WAITING: frozenset({TaskOperation.DELETE}),
    TaskState.TRAINING: frozenset({TaskOperation.TERMINATE}),
    TaskState.PREDICTING: frozenset({TaskOperation.TERMINATE}),
    TaskState.PACKAGING: frozenset({TaskOperation.TERMINATE}),
    TaskState.TERMINATED: frozenset({TaskOperation.START, TaskOperation.DELETE}),
    TaskState.COMPLETED: frozenset({TaskOperation.RELEASE, TaskOperation.DELETE}),
    TaskState.FAILED: frozenset({TaskOperation.START, TaskOperation.DELETE}),
    TaskState.RELEASED: frozenset(),
}

_REASONS: Mapping[TaskOperation, str] = {
    TaskOperation.START: "NOT_STARTABLE",
    TaskOperation.TERMINATE: "NOT_TERMINABLE",
    TaskOperation.DELETE: "NOT_DELETABLE",
    TaskOperation.RELEASE: "NOT_RELEASABLE",
}

_PAST: Mapping[TaskOperation, str] = {
    TaskOperation.START: "started",
    TaskOperation.TERMINATE: "terminated",
    TaskOperation.DELETE: "deleted",
    TaskOperation.RELEASE: "released",
}


class IllegalTransition(FailedPrecondition):
    """The task's state does not allow the operation; the reason names it, such as NOT_RELEASABLE."""

    reason = "ILLEGAL_TRANSITION"


class NotOwner(PermissionDenied):
    """The task belongs to another user."""

    reason = "NOT_OWNER"


class TaskNotFound(NotFound):
    """No such task, or it was deleted."""

    reason = "TASK_NOT_FOUND"


def task_not_found(task_id: str) -> TaskNotFound:
    """The error for a task that is not there."""
    return TaskNotFound(f"there is no tasks/{task_id[:64]}; it may have been deleted", task=task_id[:64])


class TaskChanged(EtagMismatch):
    """Somebody else changed the task in the meantime: read it again."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed: a stable code, a sentence, and the last lines of the log (T5, M6)."""

    code: str
    message: str
    message_zh: str = ""
    log_tail: str = ""

    @property
    def remedy(self) -> Sentence:
        """What to do about it."""
        return remedy_of(self.code)


@dataclass(frozen=True, slots=True)
class TaskTransition:
    """A task entered a state. `from_state` None: it was submitted; `to_state` None: it was deleted.

    Or, with both alike, a user asked for its end, and it stays in its state until the process has ended (T2).
    """

    task: str
    revision: int
    from_state: TaskState | None
    to_state: TaskState | None
    time: datetime
    cause: str
    attempt: int

    @property
    def is_termination_request(self) -> bool:
        """Whether the state is left as it was."""
        return self.from_state is self.to_state


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHead:
    """The fields that a single task and a listed task have in common."""

    id: str
    kind: TaskKind
    state: TaskState
    creator: str
    create_time: datetime
    priority: int = 0
    # Amounts of its compute resource at submission.
    # Of each host, and how many hosts train together.
    takes: Amounts = NOTHING
    nodes: int = 1
    revision: int = 1
    # The revision of the last change of the state or of `terminating`. Progress is left out: it changes ten
    # times a second and would make every etag stale before it is used.
    state_revision: int = 1
    attempt: int = 1
    terminating: bool = False
    # Who asked for its termination, while it is terminating or TERMINATED.
    terminator: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
    phase: Phase | None = None
    progress: Progress | None = None
    recoveries: int = 0
    failure: Failure | None = None
    report: str = ""
    model_version: str = ""

    @property
    def name(self) -> str:
        """The resource name."""
        return f"tasks/{self.id}"

    @property
    def etag(self) -> str:
        """Changes whenever the allowed operations change."""
        return f"{self.attempt}-{self.state_revision}"

    @property
    def may_wait(self) -> bool:
        """Whether a job of the task can be in the queue."""
        return self.state is TaskState.WAITING or self.state in RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(TaskHead):
    """One wizard submission, question-bank run or export. Every change returns a new value."""

    spec: Spec
    stages: tuple[Stage, ...] = field(default=())
    weights_sha256: str = ""
    split_sha256: str = ""
    looks: TrainingLooks | None = None

    @property
    def contact_sheet_sha256(self) -> str:
        """The contact sheet of its stages; empty while there is none (M1)."""
        return next((stage.contact_sheet_sha256 for stage in self.stages if stage.contact_sheet_sha256), "")

    @property
    def allowed(self) -> tuple[TaskOperation, ...]:
        """What a user may do now; nothing while the task is terminating."""
        operations = frozenset() if self.terminating else _ALLOWED[self.state]
        if self.kind is not TaskKind.TRAINING:
            operations -= {TaskOperation.RELEASE}
        return tuple(operation for operation in TaskOperation if operation in operations)

    @property
    def has_model(self) -> bool:
        """Whether it is a training with stored weights and report: its model can be judged (P8)."""
        done = self.state in {TaskState.COMPLETED, TaskState.RELEASED}
        return done and self.kind is TaskKind.TRAINING

    def attempt_of(self, number: int) -> int:
        """The attempt that a request names; 0 is the current one."""
        if not 0 <= number <= self.attempt:
            raise InvalidArgument(f"{self.name} has attempts 1 to {self.attempt}, not {number}")
        return number or self.attempt

    def submitted(self) -> TaskTransition:
        """The transition of the submission."""
        return TaskTransition(
            task=self.id,
            revision=self.revision,
            from_state=None,
            to_state=self.state,
            time=self.create_time,
            cause=self.creator,
            attempt=self.attempt,
        )

    def require_etag(self, etag: str) -> None:
        """Raise EtagMismatch if the caller names another etag; an empty one is not compared."""
        require_etag(self.name, etag, self.etag, state=self.state, task=self.name)

    def require_owner(self, caller: Caller) -> None:
        """Raise NotOwner unless the caller may act on this task."""
        if not caller.may_act_for_all and caller.name != self.creator:
            raise NotOwner(
                f"{self.name} is {self.creator}'s; only its creator or an administrator may do this",
                task=self.name,
                creator=self.creator,
            )

    # Operations of users.

    def started(self, caller: Caller, now: datetime) -> tuple["Task", TaskTransition]:
        """A new attempt from 0."""
        self.require_owner(caller)
        self._require(TaskOperation.START)
        blank = replace(
            self,
            attempt=self.attempt + 1,
            start_time=None,
            end_time=None,
            phase=None,
            progress=None,
            stages=(),
            recoveries=0,
            failure=None,
            report="",
            weights_sha256="",
            split_sha256="",
            looks=None,
        )
        return _entered(blank, TaskState.WAITING, now, caller.name)

    def termination_requested(self, caller: Caller, now: datetime) -> tuple["Task", TaskTransition]:
        """Terminating, until the worker confirms that its process has ended (T2); and who asked when (M6)."""
        self.require_owner(caller)
        self._require(TaskOperation.TERMINATE)
        revision = self.revision + 1
        asked = replace(
            self, terminating=True, terminator=caller.name, revision=revision, state_revision=revision
        )
        return asked, TaskTransition(
            task=self.id,
            revision=revision,
            from_state=self.state,
            to_state=self.state,
            time=now,
            cause=caller.name,
            attempt=self.attempt,
        )

    def released(self, caller: Caller, now: datetime) -> tuple["Task", TaskTransition]:
        """Released, which is final (R1). Everyone with the role may release any user's task."""
        self._require(TaskOperation.RELEASE)
        return _entered(self, TaskState.RELEASED, now, caller.name)

    def deleted(self, caller: Caller, now: datetime) -> TaskTransition:
        """The transition of the deletion."""
        self.require_owner(caller)
        self._require(TaskOperation.DELETE)
        return TaskTransition(
            task=self.id,
            revision=self.revision + 1,
            from_state=self.state,
            to_state=None,
            time=now,
            cause=caller.name,
            attempt=self.attempt,
        )

    # Results of jobs.

    def taken_up(self, worker: str, now: datetime) -> tuple["Task", TaskTransition | None]:
        """A worker got a job of the task. No transition if the task runs already (T5, or its evaluation)."""
        if self.state in RUNNING:
            return _changed(self), None
        running, phase = _RUNS_AS[self.kind]
        return _entered(replace(self, start_time=now, phase=phase), running, now, worker)

    def recovering(self) -> "Task":
        """Its worker was lost; another worker will resume (T5)."""
        self._require_running()
        return _changed(replace(self, recoveries=self.recoveries + 1))

    def handed_back(self) -> "Task":
        """Its worker gave the job back; another worker will resume. Not a fault, so it is not counted."""
        self._require_running()
        return _changed(self)

    def trained(self, weights_sha256: str, split_sha256: str, looks: TrainingLooks | None = None) -> "Task":
        """The weights are stored; the evaluation follows."""
        self._require_running()
        return _changed(
            replace(
                self,
                weights_sha256=weights_sha256,
                split_sha256=split_sha256,
                looks=looks,
                phase=Phase.EVALUATING,
                progress=None,
            )
        )

    def completed(self, report: str, now: datetime, cause: str) -> tuple["Task", TaskTransition]:
        """The results are stored. `report` is empty for a package."""
        return _entered(replace(self, report=report, progress=None), TaskState.COMPLETED, now, cause)

    def failed(self, failure: Failure, now: datetime, cause: str) -> tuple["Task", TaskTransition]:
        """Failed by a user fault, or by more infrastructure faults than the limit."""
        return _entered(replace(self, failure=failure), TaskState.FAILED, now, cause)

    def terminated(self, now: datetime, worker: str = "") -> tuple["Task", TaskTransition]:
        """Its process has ended: on request of a user, who is the cause, or else of its worker."""
        return _entered(self, TaskState.TERMINATED, now, self.terminator or worker)

    def numbered(self, model_version: str) -> "Task":
        """The registry numbered the release. Returns the same value if the number is known already (R1)."""
        if self.model_version == model_version:
            return self
        if self.state is not TaskState.RELEASED:
            raise IllegalTransition(
                f"{self.name} is {self.state}; only a released task has a version",
                task=self.name,
                state=self.state,
            )
        return _changed(replace(self, model_version=model_version))

    def _require(self, operation: TaskOperation) -> None:
        if operation in self.allowed:
            return
        allowed = " or ".join(self.allowed) or "nothing"
        state = f"{self.state} and terminating already" if self.terminating else self.state
        raise IllegalTransition(
            f"{self.name} is {state}; it cannot be {_PAST[operation]}. What is allowed now: {allowed}",
            reason=_REASONS[operation],
            task=self.name,
            state=self.state,
            allowed=",".join(self.allowed),
        )

    def _require_running(self) -> None:
        if self.state not in RUNNING:
            raise IllegalTransition(
                f"{self.name} is {self.state}; it has no running job", task=self.name, state=self.state
            )


def _changed(task: Task) -> Task:
    return replace(task, revision=task.revision + 1)


def _entered(task: Task, to: TaskState, now: datetime, cause: str) -> tuple[Task, TaskTransition]:
    if to not in _NEXT[task.kind][task.state]:
        following = ", ".join(sorted(_NEXT[task.kind][task.state])) or "nothing"
        raise IllegalTransition(
            f"{task.name} is {task.state}; {following} may follow, {to} may not",
            task=task.name,
            state=task.state,
            to=to,
        )
    revision = task.revision + 1
    after = replace(
        task,
        state=to,
        revision=revision,
        state_revision=revision,
        terminating=False,
        terminator=cause if to is TaskState.TERMINATED else "",
        end_time=now if task.state in RUNNING else task.end_time,
    )
    transition = TaskTransition(
        task=task.id,
        revision=revision,
        from_state=task.state,
        to_state=to,
        time=now,
        cause=cause,
        attempt=task.attempt,
    )
    return after, transition
