"""Trainings under fire, large: `make faults`, or `python -m tests.faults [--seed N] [--kills N] …`.

Power cuts: `python -m tests.faults power [--seed N] [--cuts N]`.
"""

import argparse
import contextlib
import json
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults import power, scenario


def main() -> int:
    """Run it; 1 if anything promised was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", nargs="?", choices=("kills", "power"), default="kills")
    parser.add_argument("--cuts", type=int, default=20, help="of power (20)")
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
        if arguments.mode == "power":
            figures, violations = cut_power(folder, arguments, seed)
        else:
            outcome = scenario.run(folder, size, seed, say)
            figures = {**outcome.figures, "kills by process": dict(outcome.kills.most_common())}
            violations = outcome.violations
    took = {"seed": seed, "s in all": round(time.monotonic() - started, 1)}
    say(json.dumps({**took, **figures, "violations": violations}, indent=2))
    return 1 if violations else 0


def cut_power(folder: Path, arguments: argparse.Namespace, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Figures and violations of power cuts."""
    outcome = power.run(folder, cuts=arguments.cuts, seed=seed, durability=arguments.durability, tell=say)
    return {"cuts": outcome.cuts, "compared": dict(outcome.compared)}, outcome.violations


def say(line: str) -> None:
    """To whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
