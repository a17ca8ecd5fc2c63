"""Exports: a version is packaged once a format, whoever asks and however often (X)."""

from dataclasses import replace

from loupe.errors import InvalidArgument, NotFound

from services.scheduler.application.ids import new_id
from services.scheduler.application.parts import Parts, announce, queue_first_job, start_again
from services.scheduler.domain.spec import ExportSpec, PackageFormat, PredictionRequest
from services.scheduler.domain.task import Caller, Operation, Task, TaskKind, TaskState
from services.scheduler.domain.wizard import check_resource
from services.scheduler.storage.tasks import Tasks


class Exports:
    """Makes the one task that packages a version, or finds it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def export(
        self, model_version: str, wanted: PackageFormat, compute_resource: str, caller: Caller
    ) -> Task:
        """The task: new, or as it is, or a new attempt of one that failed or was terminated."""
        library = self._parts.library
        facts = await library.prediction_facts(
            PredictionRequest(model_version=model_version, compute_resource=compute_resource)
        )
        version = facts.version
        if version is None:
            raise NotFound(
                f"there is no model version {model_version[:200]}; list the model's versions",
                resource=model_version[:200],
            )
        faults = check_resource(compute_resource, facts) if compute_resource else []
        if faults:
            raise InvalidArgument.of(*faults)
        takes = await library.amounts(compute_resource) if compute_resource else None
        now = self._parts.clock.now()
        async with self._parts.sessions.begin() as session:
            tasks = Tasks(session)
            # Its task is there as long as the version (T7), and its lock lets one export after another look.
            made_by = await tasks.lock(version.task.removeprefix("tasks/"))
            known = await tasks.export_of(version.name, wanted)
            if known is None:
                spec = ExportSpec(
                    model_version=version.name,
                    format=wanted,
                    compute_resource=compute_resource or made_by.spec.compute_resource,
                    production_environment=version.production_environment,
                    weights_sha256=version.weights_sha256,
                )
                known = Task(
                    id=new_id(now),
                    kind=TaskKind.EXPORT,
                    state=TaskState.WAITING,
                    spec=spec,
                    creator=caller.name,
                    create_time=now,
                    takes=takes or made_by.takes,
                )
                await tasks.add(known)
                await queue_first_job(session, known, now)
                await announce(session, known, known.submitted())
            elif Operation.START in known.allowed:
                # The package is the version's, not its first asker's: whoever has the role may try again.
                await start_again(session, known, replace(caller, may_act_for_all=True), now)
        return known
