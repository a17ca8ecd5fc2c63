"""The queue as metrics: what KEDA scales workers by, and alerts watch."""

import itertools
from collections.abc import Mapping, Sequence

from loupe.errors import LoupeError

from services.kit.metrics import Gauge, Reading
from services.kit.operations import Operations
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.domain.job import JobKind
from services.scheduler.storage.queue_metrics import job_figures, worker_figures

_BY = ("compute_resource", "kind")
_WAITING = Gauge("loupe_jobs_waiting", "jobs", "Jobs that wait for a worker (T4); 0 is told, too", *_BY)
_RUNNING = Gauge("loupe_jobs_running", "jobs", "Jobs that a worker holds; 0 is told, too", *_BY)
_OLDEST = Gauge(
    "loupe_jobs_oldest_waiting_seconds", "seconds", "How long the first of the waiting jobs has waited", *_BY
)
_SILENCE = Gauge(
    "loupe_lease_oldest_heartbeat_seconds",
    "seconds",
    "How long ago the most silent of the running jobs prolonged its lease (T6)",
    *_BY,
)
_WORKERS = Gauge(
    "loupe_workers",
    "workers",
    "Workers that are present, not drained, and take such jobs (T4); 0 is told, too",
    *_BY,
)
_GAUGES = (_WAITING, _RUNNING, _OLDEST, _SILENCE, _WORKERS)


class QueueMetrics:
    """Reads the queue when it is asked for."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        # What the registry said last: it may be away.
        self._resources: frozenset[str] = frozenset()

    def watch(self, operations: Operations) -> None:
        """Tell the queue's figures."""
        operations.sample("queue", _GAUGES, self.read)

    async def read(self) -> Mapping[Gauge, Sequence[Reading]]:
        """The figures of every compute resource that is defined, or that jobs or workers name."""
        try:
            self._resources = frozenset(await self._dependencies.registry.compute_resources())
        except LoupeError:
            if not self._resources:
                raise
        kinds = [kind.value for kind in JobKind]
        async with self._dependencies.sessions.reading() as session:
            jobs = {(row.compute_resource, row.kind): row for row in await job_figures(session)}
            workers = {(row.resource, row.kind): row.present for row in await worker_figures(session, kinds)}
        resources = sorted(self._resources | {resource for resource, _ in (*jobs, *workers)})
        found: dict[Gauge, list[Reading]] = {gauge: [] for gauge in _GAUGES}
        for key in itertools.product(resources, kinds):
            labels = {"compute_resource": key[0].removeprefix("computeResources/"), "kind": key[1]}
            row = jobs.get(key)
            # A heartbeat prolongs a lease from its own time on.
            silence_s = 0.0
            if row is not None and row.running:
                silence_s = max(0.0, float(row.since_oldest_expiry_s) + self._dependencies.scheduling.lease_s)
            found[_WAITING].append((row.waiting if row else 0, labels))
            found[_RUNNING].append((row.running if row else 0, labels))
            found[_OLDEST].append((float(row.oldest_waiting_s) if row else 0.0, labels))
            found[_SILENCE].append((silence_s, labels))
            found[_WORKERS].append((workers.get(key, 0), labels))
        return found
