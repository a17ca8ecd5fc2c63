"""The state machine of rule T: every state and every operation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.caller import Caller
from services.kit.etag import EtagMismatch
from services.scheduler.domain import task as module
from services.scheduler.domain.progress import Phase
from services.scheduler.domain.spec import ExportSpec, PackageFormat, PredictionSpec
from services.scheduler.domain.task import (
    RUNNING,
    Failure,
    IllegalTransition,
    NotOwner,
    Task,
    TaskKind,
    TaskOperation,
    TaskState,
)
from tests.support.specs import training_spec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = Caller("users/owner")
STRANGER = Caller("users/stranger")
ADMIN = Caller("users/admin", may_act_for_all=True)

TRAINING = training_spec()
PREDICTION = PredictionSpec(
    model_version="models/m/versions/v3.01",
    data_paths=("datasets/d/paths/p",),
    compute_resource="computeResources/cpu",
    batch_size=32,
    confidence_threshold=0.0,
    filter_resolution=False,
    production_environment="productionEnvironments/e",
    weights_sha256="0" * 64,
    code_list=("A", "B"),
    num_of_classes=2,
)
SPECS = {
    TaskKind.TRAINING: TRAINING,
    TaskKind.PREDICTION: PREDICTION,
    TaskKind.EXPORT: ExportSpec(
        model_version="models/m/versions/v3.01",
        format=PackageFormat.CSOT_ARTIFACT,
        compute_resource="computeResources/cpu",
        production_environment="productionEnvironments/e",
        weights_sha256="0" * 64,
    ),
}
RUNS_AS = {
    TaskKind.TRAINING: TaskState.TRAINING,
    TaskKind.PREDICTION: TaskState.PREDICTING,
    TaskKind.EXPORT: TaskState.PACKAGING,
}
STATES = {
    kind: tuple(
        state
        for state in TaskState
        if (state is running or state not in RUNS_AS.values())
        and (state is not TaskState.RELEASED or kind is TaskKind.TRAINING)
    )
    for kind, running in RUNS_AS.items()
}
EVERY = [(kind, state) for kind, states in STATES.items() for state in states]

# The table of domain.md, "may" and "not", written a second time on purpose.
MAY = {
    TaskState.WAITING: {"delete"},
    TaskState.TRAINING: {"terminate"},
    TaskState.PREDICTING: {"terminate"},
    TaskState.PACKAGING: {"terminate"},
    TaskState.TERMINATED: {"start", "delete"},
    TaskState.COMPLETED: {"release", "delete"},
    TaskState.FAILED: {"start", "delete"},
    TaskState.RELEASED: set(),
}
AFTER = {
    "start": TaskState.WAITING,
    "terminate": None,  # stays, terminating
    "delete": None,
    "release": TaskState.RELEASED,
}
REASONS = {
    TaskOperation.START: "NOT_STARTABLE",
    TaskOperation.TERMINATE: "NOT_TERMINABLE",
    TaskOperation.DELETE: "NOT_DELETABLE",
    TaskOperation.RELEASE: "NOT_RELEASABLE",
}
NEXT = {
    TaskState.WAITING: {TaskState.TRAINING},
    TaskState.TRAINING: {TaskState.COMPLETED, TaskState.FAILED, TaskState.TERMINATED},
    TaskState.TERMINATED: {TaskState.WAITING},
    TaskState.FAILED: {TaskState.WAITING},
    TaskState.COMPLETED: {TaskState.RELEASED},
    TaskState.RELEASED: set(),
}


def a_task(kind: TaskKind = TaskKind.TRAINING, state: TaskState = TaskState.WAITING, **changes: Any) -> Task:
    return Task(
        id="t",
        kind=kind,
        state=state,
        spec=SPECS[kind],
        creator=OWNER.name,
        create_time=NOW,
        revision=7,
        state_revision=5,
        **changes,
    )


def apply(task: Task, operation: TaskOperation, caller: Caller = OWNER) -> Any:
    match operation:
        case TaskOperation.START:
            return task.started(caller, NOW)
        case TaskOperation.TERMINATE:
            return task.termination_requested(caller, NOW)
        case TaskOperation.DELETE:
            return task.deleted(caller, NOW)
        case TaskOperation.RELEASE:
            return task.released(caller, NOW)


def test_the_table_covers_every_state() -> None:
    """A state that is missing in a table would be a KeyError in production."""
    for kind, states in STATES.items():
        assert set(module._NEXT[kind]) == set(states)
    assert set(module._ALLOWED) == set(TaskState)


@pytest.mark.parametrize("operation", TaskOperation)
@pytest.mark.parametrize(("kind", "state"), EVERY)
def test_t1_every_operation_in_every_state(
    kind: TaskKind, state: TaskState, operation: TaskOperation
) -> None:
    """T: the table decides; other operations are FAILED_PRECONDITION with the reason."""
    task = a_task(kind, state)
    allowed = MAY[state] - (set() if kind is TaskKind.TRAINING else {"release"})
    assert {one.value for one in task.allowed} == allowed
    if operation.value in allowed:
        result = apply(task, operation)
        if AFTER[operation.value] is not None:
            after, transition = result
            assert after.state is AFTER[operation.value]
            assert (transition.from_state, transition.to_state) == (state, after.state)
            assert transition.revision == after.revision == task.revision + 1
            assert after.etag != task.etag
        return
    with pytest.raises(IllegalTransition) as refused:
        apply(task, operation)
    assert refused.value.status == "FAILED_PRECONDITION"
    assert refused.value.reason == REASONS[operation]
    assert state.value in refused.value.message
    for one in allowed:
        assert one in refused.value.message


@pytest.mark.parametrize("to", TaskState)
@pytest.mark.parametrize(("kind", "state"), EVERY)
def test_t1_every_pair_of_states(kind: TaskKind, state: TaskState, to: TaskState) -> None:
    """T1: no other transition exists, whoever the caller is."""
    expected = {
        RUNS_AS[kind] if one is TaskState.TRAINING else one
        for one in NEXT[TaskState.TRAINING if state in RUNNING else state]
    }
    if kind is not TaskKind.TRAINING:
        expected -= {TaskState.RELEASED}
    if to in expected:
        after, _ = module._entered(a_task(kind, state), to, NOW, "x")
        assert after.state is to
    else:
        with pytest.raises(IllegalTransition):
            module._entered(a_task(kind, state), to, NOW, "x")


@pytest.mark.parametrize(("kind", "state"), EVERY)
def test_workers_words_in_every_state(kind: TaskKind, state: TaskState) -> None:
    """A task that is not running cannot complete, fail, be terminated or recover."""
    task = a_task(kind, state)
    for word in (
        lambda: task.completed("reports/r", NOW, "w"),
        lambda: task.failed(Failure("X", "x"), NOW, "w"),
        lambda: task.terminated(NOW, "w"),
        task.recovering,
        task.handed_back,
        lambda: task.trained("a", "b"),
    ):
        if state in RUNNING:
            word()
        else:
            with pytest.raises(IllegalTransition):
                word()


def test_t1_training_begins_when_it_is_first_taken() -> None:
    task, transition = a_task().taken_up("workers/w", NOW)
    assert (task.state, task.phase, task.start_time) == (TaskState.TRAINING, Phase.PREPROCESSING, NOW)
    assert transition is not None
    assert transition.cause == "workers/w"
    predicting, _ = a_task(TaskKind.PREDICTION).taken_up("workers/w", NOW)
    assert (predicting.state, predicting.phase) == (TaskState.PREDICTING, Phase.PREDICTING)
    packaging, _ = a_task(TaskKind.EXPORT).taken_up("workers/w", NOW)
    assert (packaging.state, packaging.phase) == (TaskState.PACKAGING, Phase.PACKAGING)


def test_t5_a_recovery_is_no_change_of_state() -> None:
    """T1, T5: the task stays TRAINING, and its start time stays that of the attempt."""
    task, _ = a_task().taken_up("workers/w", NOW)
    recovering = task.recovering()
    again, transition = recovering.taken_up("workers/v", NOW + timedelta(minutes=1))
    assert transition is None
    assert (again.state, again.recoveries, again.start_time) == (TaskState.TRAINING, 1, NOW)
    assert again.revision == task.revision + 2
    assert again.etag == task.etag


def test_t1_start_begins_from_zero() -> None:
    failed = a_task(
        state=TaskState.FAILED,
        failure=Failure("X", "x"),
        weights_sha256="w",
        split_sha256="s",
        recoveries=3,
        start_time=NOW,
        end_time=NOW,
        phase=Phase.EVALUATING,
    )
    task, transition = failed.started(OWNER, NOW)
    assert task.attempt == transition.attempt == 2
    assert (task.failure, task.weights_sha256, task.split_sha256, task.recoveries) == (None, "", "", 0)
    assert (task.start_time, task.end_time, task.phase, task.progress) == (None, None, None, None)


def test_t2_a_second_request_to_terminate_is_refused() -> None:
    task, request = a_task(state=TaskState.TRAINING).termination_requested(OWNER, NOW)
    assert task.terminating
    assert request.is_termination_request
    assert (request.to_state, request.cause, request.time) == (TaskState.TRAINING, OWNER.name, NOW)
    assert (request.revision, request.attempt) == (task.revision, task.attempt)
    for operation in TaskOperation:
        with pytest.raises(IllegalTransition, match="terminating already"):
            apply(task, operation)
    ended, transition = task.terminated(NOW, "workers/w")
    assert not transition.is_termination_request
    assert not ended.terminating
    assert ended.end_time == NOW


@pytest.mark.parametrize("operation", [TaskOperation.START, TaskOperation.TERMINATE, TaskOperation.DELETE])
def test_a2_only_creator_or_administrator(operation: TaskOperation) -> None:
    state = {TaskOperation.START: TaskState.FAILED, TaskOperation.TERMINATE: TaskState.TRAINING}.get(
        operation, TaskState.WAITING
    )
    with pytest.raises(NotOwner):
        apply(a_task(state=state), operation, STRANGER)
    apply(a_task(state=state), operation, ADMIN)


def test_an_etag_changes_with_state_not_with_progress() -> None:
    """Progress changes ten times a second: an etag that follows it is always stale."""
    task = a_task(state=TaskState.TRAINING)
    replace(task, revision=99).require_etag(task.etag)
    task.require_etag("")
    with pytest.raises(EtagMismatch):
        task.termination_requested(OWNER, NOW)[0].require_etag(task.etag)


def test_r1_a_version_is_written_once_and_only_on_a_release() -> None:
    released = a_task(state=TaskState.RELEASED)
    numbered = released.numbered("models/m/versions/v3.01")
    assert numbered.numbered("models/m/versions/v3.01") is numbered
    with pytest.raises(IllegalTransition):
        a_task(state=TaskState.COMPLETED).numbered("models/m/versions/v3.01")
