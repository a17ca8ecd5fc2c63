"""How fast networks were trained, for estimates (W14)."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.domain.job import Network
from services.scheduler.domain.spec import TrainingSpec
from services.scheduler.domain.task import Task
from services.scheduler.domain.throughput import InputSize, MeasuredThroughput, nearest_size
from services.scheduler.storage import sql
from services.scheduler.storage.codec import NETWORK_NUMBERS, NETWORKS
from services.scheduler.storage.tables import throughputs

# Drivers, clocks and neighbours of a machine change: older trainings say little.
_LATEST = 5

_MEASURED_SIZES = sa.text(sql.load("measured_sizes")).bindparams(
    sa.bindparam("compute_resource", type_=sa.Text()), sa.bindparam("network", type_=sa.SmallInteger())
)


class Throughputs:
    """The measured throughputs of one transaction. They go with their tasks (T7)."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self, task: Task, spec: TrainingSpec, measured: Mapping[Network, float], now: datetime
    ) -> None:
        """Keep what an attempt measured, in images/s; of two leases of one attempt the later one's."""
        for network, images_per_s in measured.items():
            values = {
                "compute_resource": spec.compute_resource,
                **asdict(InputSize.of(spec.input)),
                "images_per_s": images_per_s,
                "measure_time": now,
            }
            row = insert(throughputs).values(
                task=task.id, attempt=task.attempt, network=NETWORK_NUMBERS[network], **values
            )
            await self._session.execute(
                row.on_conflict_do_update(index_elements=["task", "attempt", "network"], set_=values)
            )

    async def latest(self, spec: TrainingSpec) -> dict[Network, MeasuredThroughput]:
        """What the latest trainings with the same resource and input measured, by network.

        Where none had this input, of those with the nearest one; nothing of a network where that is far.
        """
        wanted = InputSize.of(spec.input)
        found: dict[Network, MeasuredThroughput] = {}
        for network in NETWORKS.values():
            measured = await self._with_size(spec.compute_resource, network, wanted)
            if not measured.images_per_s:
                rows = await self._session.execute(
                    _MEASURED_SIZES,
                    {"compute_resource": spec.compute_resource, "network": NETWORK_NUMBERS[network]},
                )
                size = nearest_size([InputSize(*row) for row in rows], wanted, network)
                if size is None:
                    continue
                measured = await self._with_size(spec.compute_resource, network, size)
            found[network] = measured
        return found

    async def _with_size(self, resource: str, network: Network, size: InputSize) -> MeasuredThroughput:
        same = {"compute_resource": resource, "network": NETWORK_NUMBERS[network], **asdict(size)}
        rows = await self._session.scalars(
            sa.select(throughputs.c.images_per_s)
            .where(*(throughputs.c[name] == value for name, value in same.items()))
            .order_by(throughputs.c.measure_time.desc())
            .limit(_LATEST)
        )
        return MeasuredThroughput(network, size, tuple(rows))
