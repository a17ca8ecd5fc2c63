"""How fast networks were trained, for estimates (W14)."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.scheduler.domain.job import Network
from services.scheduler.domain.spec import TrainingSpec
from services.scheduler.domain.task import Task
from services.scheduler.storage.codec import NETWORK_NUMBERS, NETWORKS
from services.scheduler.storage.tables import throughputs

# Drivers, clocks and neighbours of a machine change: older trainings say little.
_LATEST = 5


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
                **_input(spec),
                "images_per_s": images_per_s,
                "measure_time": now,
            }
            row = insert(throughputs).values(
                task=task.id, attempt=task.attempt, network=NETWORK_NUMBERS[network], **values
            )
            await self._session.execute(
                row.on_conflict_do_update(index_elements=["task", "attempt", "network"], set_=values)
            )

    async def latest(self, spec: TrainingSpec) -> dict[Network, tuple[float, ...]]:
        """Images/s of the latest trainings with the same resource and input, by network."""
        found: defaultdict[Network, tuple[float, ...]] = defaultdict(tuple)
        for number, network in NETWORKS.items():
            same = {"compute_resource": spec.compute_resource, "network": number, **_input(spec)}
            rows = await self._session.scalars(
                sa.select(throughputs.c.images_per_s)
                .where(*(throughputs.c[name] == value for name, value in same.items()))
                .order_by(throughputs.c.measure_time.desc())
                .limit(_LATEST)
            )
            if paces := tuple(rows):
                found[network] = paces
        return dict(found)


def _input(spec: TrainingSpec) -> dict[str, int]:
    """What of the input specification decides how long an image takes."""
    return {"width": spec.input.width, "height": spec.input.height, "detail": spec.input.detail}
