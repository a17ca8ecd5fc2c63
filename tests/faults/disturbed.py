"""An installation on a disk of its own works while it is disturbed; nothing acknowledged may be lost.

`python -m tests.faults power|suspend|clocks|full|small|network` runs much, `make test` a little.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loupe.client import Loupe

from deploy.embedded import stack
from tests.faults.acknowledged import Acknowledged, missing, prepare, work
from tests.faults.clocks import Clock
from tests.faults.disks import Disk
from tests.faults.disturbances import ClockStep, Disturbance, Installation
from tests.faults.scenario import environment

_SETTINGS = {
    "LOUPE_TORCH_THREADS": "1",
    "LOUPE_CHECKPOINT_GRACE_S": "5",
}
_MOST_IMPORTS = 12


@dataclass
class Outcome:
    """What came of it. `violations` is empty unless something was lost, or work did not go on."""

    seed: int
    durability: str
    disturbances: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def run(
    folder: Path,
    disturbances: Sequence[Disturbance],
    *,
    seed: int,
    iterations: int = 60,
    durability: str = "power",
    gibibytes: int = 16,
    checkpoint_interval_s: int = 4,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """One disturbance after the other, each while the stack works. Raises NoDisk, NoClock."""
    outcome = Outcome(seed, durability)
    disk = Disk(folder, gibibytes=gibibytes)
    clock = Clock(folder / "clock") if any(isinstance(one, ClockStep) for one in disturbances) else None
    installation = Installation(disk, clock)
    data_dir = installation.data_dir
    settings = {
        **_SETTINGS,
        "LOUPE_CHECKPOINT_INTERVAL_S": str(checkpoint_interval_s),
        "LOUPE_DURABILITY": durability,
        **(clock.environment() if clock else {}),
    }
    chance = random.Random(seed)
    acknowledged = Acknowledged()
    try:
        disk.make()
        with environment(settings):
            try:
                stack.up(data_dir, detach=True)
                prepare(data_dir, folder / "images", iterations=iterations)
                for number, disturbance in enumerate(disturbances, start=1):
                    found = _disturb(installation, disturbance, acknowledged, chance, number)
                    stack.up(data_dir, detach=True)
                    found += missing(data_dir, acknowledged, outcome.compared)
                    acknowledged.failures.clear()
                    outcome.disturbances = number
                    outcome.violations += [f"after {number}, {disturbance}: {what}" for what in found]
                    tell(
                        f"{number} of {len(disturbances)}, {disturbance}: {acknowledged}, "
                        f"{len(found)} violations"
                    )
            finally:
                stack.down(data_dir)
    finally:
        disk.remove()
    return outcome


def _disturb(
    installation: Installation,
    disturbance: Disturbance,
    acknowledged: Acknowledged,
    chance: random.Random,
    number: int,
) -> list[str]:
    new = installation.disk.place.parent / f"new-{number}"
    with Loupe.connect(installation.data_dir) as loupe, work(loupe, new, acknowledged, number):
        if number % 2:
            acknowledged.wait_for(imports=chance.randint(1, _MOST_IMPORTS))
        else:
            acknowledged.wait_for(steps=(number // 2 + 1) % 3 + 1)
        # Not a wait for anything: the moment is chance.
        time.sleep(chance.uniform(0, 0.4))
        disturbance.happen(installation)
        if disturbance.survived:
            try:
                acknowledged.wait_for(imports=1, steps=1)
            except TimeoutError as error:
                return [str(error)]
    return []
