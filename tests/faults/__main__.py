"""Faults, many: `make faults`, or one kind of them by `python -m tests.faults KIND [--seed N] …`.

kills     processes are killed while 20 models are trained
power     the power is cut while data are imported and models are trained and released
suspend   each process in turn does nothing for a while, and goes on
clocks    the clock of all services is ahead or behind for a while
full      nothing can be written to the disk for a while
small     a small disk: the stack is stopped and started, and each process is killed
network   packets are lost, and each server in turn is out of reach for a while
few       some of each, as `make test` does
"""

import argparse
import contextlib
import json
import random
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from deploy.embedded.ports import SERVICE_PORTS
from tests.faults import clocks, disks, disturbed, killing, scenario
from tests.faults.disturbances import (
    ClockStep,
    Disturbance,
    FullDisk,
    Kill,
    Loss,
    Partition,
    PowerCut,
    Restart,
    Suspension,
)
from tests.support import network

NOT_DONE = 77
"""As other test programs exit that skip."""


def main() -> int:
    """Run it; 1 if anything promised was not kept, NOT_DONE where this machine does not allow it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", nargs="?", choices=("kills", *_DISTURBANCES), default="kills")
    parser.add_argument("--times", type=int, default=20, help="of power, clocks and full (20)")
    parser.add_argument("--gibibytes", type=int, default=None, help="size of the disk (16; small: 5)")
    parser.add_argument("--durability", default="power", help="LOUPE_DURABILITY of the stack (power)")
    parser.add_argument("--seed", type=int, default=None, help="what is killed and when (random)")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--trainings", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between checkpoints (1)")
    parser.add_argument("--seeds", type=int, default=4, help="different trainings among them (4)")
    parser.add_argument("--folder", type=Path, default=None, help="keeps everything there, for looking at")
    arguments = parser.parse_args()
    # Whoever stops it stops the stack too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    size = scenario.Size(
        trainings=arguments.trainings,
        kills=arguments.kills,
        seeds=arguments.seeds,
        iterations=arguments.iterations,
        checkpoint_interval_s=arguments.interval,
    )
    say(f"seed {seed}: run it again with --seed {seed}")
    started = time.monotonic()
    with contextlib.ExitStack() as resources:
        folder = arguments.folder or Path(
            resources.enter_context(tempfile.TemporaryDirectory(prefix="loupe-faults-"))
        )
        if arguments.kind in _DISTURBANCES:
            try:
                figures, violations = disturb(folder, arguments, seed)
            except (disks.NoDisk, network.NoNetwork, clocks.NoClock) as reason:
                say(f"NOT DONE: {type(reason).__name__}: {reason}")
                return NOT_DONE
        else:
            outcome = scenario.run(folder, size, seed, say)
            figures = {**outcome.figures, "kills by process": dict(outcome.kills.most_common())}
            violations = outcome.violations
    took = {"seed": seed, "s in all": round(time.monotonic() - started, 1)}
    say(json.dumps({**took, **figures, "violations": violations}, indent=2))
    return 1 if violations else 0


def disturb(folder: Path, arguments: argparse.Namespace, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Figures and violations of one kind of disturbance. Raises NoDisk, NoNetwork, NoClock."""
    is_small = arguments.kind == "small"
    outcome = disturbed.run(
        folder,
        _DISTURBANCES[arguments.kind](random.Random(seed), arguments.times),
        seed=seed,
        iterations=15 if arguments.kind == "few" else 60,
        durability=arguments.durability,
        gibibytes=arguments.gibibytes or (5 if is_small else 16),
        # Checkpoints of 140 MB every 4 s fill a small disk before the store gives the deleted ones back.
        checkpoint_interval_s=60 if is_small else 4,
        tell=say,
    )
    return {arguments.kind: outcome.disturbances, "compared": dict(outcome.compared)}, outcome.violations


def _power_cuts(_: random.Random, times: int) -> list[Disturbance]:
    return [PowerCut() for _ in range(times)]


def _suspensions(chance: random.Random, _: int) -> list[Disturbance]:
    # Up to six times as long as a lease.
    return [Suspension(name, chance.uniform(5, 60)) for name in _PROCESSES]


def _clock_steps(chance: random.Random, times: int) -> list[Disturbance]:
    return [ClockStep(chance.choice((-60, 60)), chance.uniform(5, 60)) for _ in range(times)]


def _full_disks(chance: random.Random, times: int) -> list[Disturbance]:
    return [FullDisk(chance.uniform(5, 75)) for _ in range(times)]


def _small_disk(_: random.Random, __: int) -> list[Disturbance]:
    return [Restart(), *map(Kill, _PROCESSES), Restart()]


def _network(chance: random.Random, _: int) -> list[Disturbance]:
    network.leave()
    partitions = (Partition(name, chance.uniform(5, 60)) for name in _SERVERS)
    return [Loss(5, 30), *partitions, Loss(20, 30)]


def _few(_: random.Random, __: int) -> list[Disturbance]:
    few: list[Disturbance] = [PowerCut(), Suspension("scheduler", 3), FullDisk(3), PowerCut()]
    try:
        network.leave()
    except network.NoNetwork as reason:
        say(f"NOT DONE: no partition: {reason}")
    else:
        few.insert(1, Partition("postgres", 3))
    if clocks.LIBRARIES:
        few.insert(1, ClockStep(60, 3))
    else:
        say("NOT DONE: no step of a clock: there is no libfaketime")
    return few


_PROCESSES = [name for name in killing.targets(trainers=1, evaluators=1) if "/" not in name]
_SERVERS = ["postgres", "nats", "seaweed", *SERVICE_PORTS]
_DISTURBANCES = {
    "power": _power_cuts,
    "suspend": _suspensions,
    "clocks": _clock_steps,
    "full": _full_disks,
    "small": _small_disk,
    "network": _network,
    "few": _few,
}


def say(line: str) -> None:
    """To whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
