"""The last page of the wizard: what a training resolves to, how long it may take, who could do it (W14)."""

from services.kit.database import database_time
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.workers import present
from services.scheduler.domain.job import JobKind, taken_by
from services.scheduler.domain.spec import TrainingSpec
from services.scheduler.domain.wizard.registry_data import RegistryData
from services.scheduler.domain.wizard.training_summary import (
    TrainingSummary,
    code_samples,
    network_plans,
    workers_there,
)
from services.scheduler.storage.throughputs import Throughputs
from services.scheduler.storage.workers import Workers


class Summaries:
    """Puts together what registry and scheduler know of a training that is not submitted yet."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    async def of(self, spec: TrainingSpec, facts: RegistryData) -> TrainingSummary:
        """The summary of a spec that the examination of these facts resolved to."""
        resource = spec.compute_resource
        amounts = await self._dependencies.registry.resource(resource)
        async with self._dependencies.sessions.reading() as session:
            measured = await Throughputs(session).latest(spec)
            now, rows = await database_time(session), Workers(session)
            workers = present(await rows.page(self._dependencies.scheduling.lease_s), now)
            waiting = await rows.waiting()
        counts = facts.code_counts(spec.data_paths)
        return TrainingSummary(
            spec=spec,
            codes=code_samples(spec, facts),
            unlisted=sum(c.samples for code, c in counts.items() if code not in spec.code_list),
            paths=tuple(
                (path, sum(count.samples for count in facts.code_counts([path]).values()))
                for path in spec.data_paths
            ),
            networks=network_plans(spec, facts, measured),
            takes=amounts.takes,
            nodes=amounts.nodes,
            workers=tuple(
                workers_there(resource, kind, taken_by(kind, amounts.takes, amounts.nodes), workers)
                for kind in (JobKind.TRAIN, JobKind.EVALUATE)
            ),
            waiting=sum(one.count for one in waiting if one.compute_resource == resource),
        )
