"""The submission of the wizard: ask the registry, examine, pin the data, store the task (rule W)."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from loupe.errors import AlreadyExists, InvalidArgument, NotFound, Violation
from sqlalchemy.ext.asyncio import AsyncSession

from services.caller import Caller
from services.scheduler.application.dependencies import Dependencies, queue_first_job, record_transition
from services.scheduler.application.ids import new_id
from services.scheduler.application.summaries import Summaries
from services.scheduler.domain.amounts import NOTHING, ComputeResource
from services.scheduler.domain.spec import (
    PredictionRequest,
    PredictionSpec,
    TrainingOverlap,
    TrainingRequest,
    TrainingSpec,
)
from services.scheduler.domain.task import Task, TaskKind, TaskNotFound, TaskState
from services.scheduler.domain.wizard.findings import ALL_STEPS, Examination, no_version
from services.scheduler.domain.wizard.prediction import (
    check_training_overlap,
    examine_prediction,
    judged_by,
)
from services.scheduler.domain.wizard.registry_data import Judged, ModelVersionFacts, RegistryData
from services.scheduler.domain.wizard.summary import codes_to_judge, examine_training, retraining_of
from services.scheduler.domain.wizard.training_summary import TrainingSummary
from services.scheduler.storage.tasks import ModelNameTaken, Tasks, digest

MAX_REQUEST_ID_CHARACTERS = 64
_SEED_BITS = 31
# Of a prediction, whose data is examined there.
_DATA_STEP = 2


class RequestIdReused(AlreadyExists):
    """The request id belongs to a request with other content (W12)."""

    reason = "REQUEST_ID_REUSED"


@dataclass(frozen=True, slots=True)
class Validated:
    """The findings by step; of a training without an error, of which all steps were examined, its summary."""

    by_step: Mapping[int, tuple[Violation, ...]]
    summary: TrainingSummary | None


class Submissions:
    """Creates and validates tasks."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._summaries = Summaries(dependencies)

    async def validate(self, request: TrainingRequest | PredictionRequest, step: int) -> Validated:
        """All findings about one step, or about all steps (ALL_STEPS). Submits nothing."""
        examination, facts = await self._examine(request, step)
        summary = None
        if step == ALL_STEPS and isinstance(examination.spec, TrainingSpec):
            summary = await self._summaries.of(examination.spec, facts)
        return Validated(examination.by_step, summary)

    async def draft_retraining(self, parent_version: str) -> TrainingRequest:
        """The answers that a version was trained with, as the start of a retraining (W13)."""
        registry = self._dependencies.registry
        known = await registry.training_facts(TrainingRequest(parent_version=parent_version))
        parent = known.version
        if parent is None:
            raise NotFound(f"{no_version(parent_version).message}; list the model's versions")
        facts = await registry.training_facts(
            TrainingRequest(algorithm_image_version=parent.algorithm_image_version)
        )
        async with self._dependencies.sessions.begin() as session:
            training = await _training_of(session, parent)
        if not isinstance(training.spec, TrainingSpec):  # pragma: no cover -- only trainings are released
            raise TypeError(f"{training.name} is no training")
        trainable = tuple(path for path in parent.data_paths if not known.banks_of(path))
        return retraining_of(replace(parent, data_paths=trainable), training.spec, facts.image)

    async def create(
        self,
        request: TrainingRequest | PredictionRequest,
        caller: Caller,
        *,
        request_id: str = "",
        validate_only: bool = False,
    ) -> Task:
        """The new task; if the request is a repetition, the task that it created before (W12)."""
        if len(request_id) > MAX_REQUEST_ID_CHARACTERS:
            raise InvalidArgument(
                f"request_id has {len(request_id)} characters, more than {MAX_REQUEST_ID_CHARACTERS}"
            )
        content = digest(json.dumps(asdict(request), sort_keys=True))
        if validate_only or not request_id:
            return await self._submit(request, caller, "", content, validate_only=validate_only)
        existing = await self._of_request(caller, request_id, content)
        if existing is not None:
            return existing
        try:
            return await self._submit(request, caller, request_id, content, validate_only=False)
        except (AlreadyExists, InvalidArgument):
            # The same request may have been sent twice at once, and the other one took the name or the id.
            existing = await self._of_request(caller, request_id, content)
            if existing is None:
                raise
            return existing

    async def _submit(
        self,
        request: TrainingRequest | PredictionRequest,
        caller: Caller,
        request_id: str,
        content: bytes,
        *,
        validate_only: bool,
    ) -> Task:
        examination, facts = await self._examine(request, ALL_STEPS)
        _refuse_errors(examination)
        spec = examination.spec
        if spec is None:
            raise InvalidArgument("the submission is incomplete; validate it step by step")
        resource = ComputeResource(NOTHING)
        if not validate_only:
            # Before the transaction, which must not wait for another service. A superfluous pin does no harm.
            registry = self._dependencies.registry
            resource = await registry.resource(spec.compute_resource)
            if not spec.pinned:
                pinned = await asyncio.gather(*(registry.pin(path) for path in spec.data_paths))
                spec = replace(spec, pinned=tuple(pinned))
            if isinstance(spec, PredictionSpec) and isinstance(request, PredictionRequest):
                judged = spec.model_version or judged_by(request, facts.training)
                spec = await self._with_overlap(request, spec, judged)
        now = await self._dependencies.sessions.time()
        task = Task(
            id=new_id(now),
            kind=TaskKind.TRAINING if isinstance(spec, TrainingSpec) else TaskKind.PREDICTION,
            state=TaskState.WAITING,
            spec=spec,
            creator=caller.name,
            create_time=now,
            priority=request.priority,
            takes=resource.takes,
            nodes=resource.nodes,
        )
        if not validate_only:
            async with self._dependencies.sessions.begin() as session:
                await Tasks(session).add(task, request_id=request_id, request_digest=content)
                await queue_first_job(session, task, now)
                await record_transition(session, task, task.submitted())
        return task

    async def _with_overlap(
        self, request: PredictionRequest, spec: PredictionSpec, judged: Judged
    ) -> PredictionSpec:
        """Measure the overlap of the pinned data: the paths may have changed since the examination (P7)."""
        registry = self._dependencies.registry
        snapshots = [pinned.snapshot for pinned in spec.pinned]
        overlap = await registry.training_overlap(judged, snapshots)
        _refuse_errors(Examination({_DATA_STEP: tuple(check_training_overlap(request, overlap))}, spec))
        if overlap is None or not (spec.exclude_training_overlap and overlap.affected_sample_count):
            return replace(spec, training_overlap=overlap)
        pinned, overlap = await registry.exclude_training_overlap(judged, snapshots)
        return replace(
            spec,
            pinned=pinned,
            # Of what is left.
            training_overlap=TrainingOverlap(overlap.sample_count - overlap.affected_sample_count, 0, 0, 0),
            excluded_sample_count=overlap.affected_sample_count,
        )

    async def _of_request(self, caller: Caller, request_id: str, content: bytes) -> Task | None:
        async with self._dependencies.sessions.begin() as session:
            found = await Tasks(session).of_request(caller.name, request_id)
        if found is None:
            return None
        task, task_content = found
        if task_content != content:
            raise RequestIdReused(
                f"request_id {request_id} made {task.name} from another submission; choose a new one",
                task=task.name,
            )
        return task

    async def _examine(
        self, request: TrainingRequest | PredictionRequest, step: int
    ) -> tuple[Examination[TrainingSpec] | Examination[PredictionSpec], RegistryData]:
        """The findings, and the facts that they are about."""
        registry = self._dependencies.registry
        if isinstance(request, PredictionRequest):
            training = await self._task(request.training_task)
            facts = await registry.prediction_facts(request, judged_by(request, training))
            facts = replace(facts, training=training)
            return examine_prediction(request, facts, step), facts
        facts = await registry.training_facts(request)
        if judged := codes_to_judge(request, facts, step):
            paths = [path for path in dict.fromkeys(request.data_paths) if facts.paths.get(path)]
            facts = replace(facts, parts=await registry.part_counts(paths, judged))
        async with self._dependencies.sessions.begin() as session:
            taken = await Tasks(session).is_name_held(request.model_name)
            prior_split = (await _training_of(session, facts.version)).split_sha256 if facts.version else ""
        # From 1 on: 0 means that the server chooses.
        seed = secrets.randbits(_SEED_BITS) + 1
        facts = replace(facts, name_taken=taken, prior_split_sha256=prior_split)
        return examine_training(request, facts, seed, step), facts

    async def _task(self, name: str) -> Task | None:
        collection, _, task_id = name.partition("/")
        if collection != "tasks" or not task_id:
            return None
        with contextlib.suppress(TaskNotFound):
            async with self._dependencies.sessions.begin() as session:
                return await Tasks(session).get(task_id)
        return None


async def _training_of(session: AsyncSession, version: ModelVersionFacts) -> Task:
    """The training task that a version was released from; it cannot be deleted (T7)."""
    return await Tasks(session).get(version.task.removeprefix("tasks/"))


def _refuse_errors(examination: Examination[TrainingSpec] | Examination[PredictionSpec]) -> None:
    errors = examination.errors
    if not errors:
        return
    if len(errors) == 1 and errors[0].reason == ModelNameTaken.reason:
        raise ModelNameTaken(errors[0].message, field=errors[0].field, message_zh=errors[0].message_zh)
    raise InvalidArgument.of(*examination.findings)
