"""Trainings under fire, large: `make faults`, or `python -m tests.faults [--seed N] [--kills N] …`."""

import argparse
import json
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import scenario


def main() -> int:
    """Run it; 1 if anything promised was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    if arguments.folder is not None:
        outcome = scenario.run(arguments.folder, size, seed, say)
    else:
        with tempfile.TemporaryDirectory(prefix="loupe-faults-") as folder:
            outcome = scenario.run(Path(folder), size, seed, say)
    figures = {
        "seed": seed,
        "s in all": round(time.monotonic() - started, 1),
        **outcome.figures,
        "kills by process": dict(outcome.kills.most_common()),
        "violations": outcome.violations,
    }
    say(json.dumps(figures, indent=2))
    return 1 if outcome.violations else 0


def say(line: str) -> None:
    """To whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
