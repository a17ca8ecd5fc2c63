"""Export tasks: each version is packaged once for each format, however often an export is requested (X)."""

from dataclasses import replace

from loupe.errors import InvalidArgument, NotFound

from services.caller import Caller
from services.kit.database import database_time
from services.scheduler.application.dependencies import (
    Dependencies,
    queue_first_job,
    record_transition,
    start_again,
)
from services.scheduler.application.ids import new_id
from services.scheduler.domain.spec import ExportSpec, PackageFormat, PredictionRequest
from services.scheduler.domain.task import Task, TaskKind, TaskOperation, TaskState
from services.scheduler.domain.wizard.findings import no_version
from services.scheduler.domain.wizard.training import check_resource
from services.scheduler.storage.tasks import Tasks


class ExportTasks:
    """Finds or creates the one task that packages a version in a format."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    async def export(
        self, model_version: str, package_format: PackageFormat, compute_resource: str, caller: Caller
    ) -> Task:
        """The export task: a new one, the existing one, or a new attempt if that failed or was terminated."""
        registry = self._dependencies.registry
        facts = await registry.prediction_facts(
            PredictionRequest(compute_resource=compute_resource), model_version
        )
        version = facts.version
        if version is None:
            raise NotFound(
                f"{no_version(model_version).message}; list the model's versions",
                resource=model_version[:200],
            )
        faults = check_resource(compute_resource, facts) if compute_resource else []
        if faults:
            raise InvalidArgument.of(*faults)
        takes = (await registry.resource(compute_resource)).takes if compute_resource else None
        async with self._dependencies.sessions.begin() as session:
            tasks = Tasks(session)
            # The training task exists as long as its version (T7). Its lock serialises concurrent exports.
            training = await tasks.lock(version.task.removeprefix("tasks/"))
            now = await database_time(session)
            task = await tasks.export_of(version.name, package_format)
            if task is None:
                spec = ExportSpec(
                    model_version=version.name,
                    format=package_format,
                    compute_resource=compute_resource or training.spec.compute_resource,
                    production_environment=version.production_environment,
                    weights_sha256=version.weights_sha256,
                )
                task = Task(
                    id=new_id(now),
                    kind=TaskKind.EXPORT,
                    state=TaskState.WAITING,
                    spec=spec,
                    creator=caller.name,
                    create_time=now,
                    takes=takes or training.takes,
                )
                await tasks.add(task)
                await queue_first_job(session, task, now)
                await record_transition(session, task, task.submitted())
            elif TaskOperation.START in task.allowed:
                # The package belongs to the version, not to the first caller: others may retry it too.
                await start_again(session, task, replace(caller, may_act_for_all=True), now)
        return task
