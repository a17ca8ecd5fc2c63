"""Kill -9 at random: which process of a running stack, and when, is decided by a seed beforehand."""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.embedded.data_folder import DataFolder
from deploy.embedded.state import read_state

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill as it is planned."""

    after: float
    """How many trainings' worth of work must have been done, by all of them together."""
    delay_s: float
    """How long after that."""
    choice: tuple[str, ...]
    """What it hits: the first of these that runs then."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill as it came."""

    time: float
    """Unix time."""
    target: str
    pid: int


def targets(trainers: int, evaluators: int) -> list[str]:
    """Every kind of process of a stack but its supervisor: whoever kills that one has stopped the stack."""
    servers = ["postgres", "postgres/any", "nats", "seaweed", "registry", "scheduler", "evaluator", "gateway"]
    workers = [f"trainer-{number + 1}" for number in range(trainers)]
    workers += [f"evaluator-worker-{number + 1}" for number in range(evaluators)]
    return [*servers, *workers, *(f"{worker}/any" for worker in workers)]


def plan(seed: int, *, kills: int, trainings: int, among: list[str]) -> list[Blow]:
    """So many kills, spread over the trainings; every kind of process before any comes again."""
    chance = random.Random(seed)
    moments = sorted(chance.uniform(0, 0.95 * trainings) for _ in range(kills))
    firsts = itertools.chain.from_iterable(chance.sample(among, len(among)) for _ in itertools.count())
    return [
        Blow(moment, chance.uniform(0, 1), (first, *chance.sample(among, len(among))))
        for moment, first in zip(moments, firsts, strict=False)
    ]


def processes(data_dir: Path) -> dict[str, psutil.Process]:
    """What the supervisor runs now, by name."""
    state = read_state(DataFolder(data_dir).state_file)
    found = {}
    for process in state.processes if state is not None else ():
        if process.pid is not None and psutil.pid_exists(process.pid):
            found[process.name] = psutil.Process(process.pid)
    return found


def strike(data_dir: Path, blow: Blow, chance: random.Random) -> Kill | None:
    """Kill what the blow says; None if nothing runs at all."""
    running = processes(data_dir)
    for target in blow.choice:
        name, _, below = target.partition("/")
        try:
            process = running[name]
            victims = process.children(recursive=True) if below else [process]
            victim = chance.choice(victims)
            os.kill(victim.pid, signal.SIGKILL)
        except (KeyError, IndexError, psutil.NoSuchProcess, ProcessLookupError):
            continue
        return Kill(time.time(), target, victim.pid)
    return None


def strikes(
    data_dir: Path, blows: list[Blow], work_done: Callable[[], float], seed: int, deadline_s: float
) -> Iterator[Kill]:
    """Kill by the plan, as the work goes on; TimeoutError if it does not."""
    chance = random.Random(seed)
    for number, blow in enumerate(blows, start=1):
        until = time.monotonic() + deadline_s
        while (done := work_done()) < blow.after:
            if time.monotonic() > until:
                told = f"from {done:.2f} to {blow.after:.2f} for {deadline_s:g} s"
                raise TimeoutError(f"before kill {number} the work did not go on {told}")
            time.sleep(_POLL_S)
        time.sleep(blow.delay_s)
        kill = strike(data_dir, blow, chance)
        if kill is not None:
            yield kill
