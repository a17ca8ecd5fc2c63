"""Measures and prints one JSON object: `python -m tests.bench [stack] [live] [training]`; by default all."""

import json
import sys

from tests.bench import live, stack, training


def main() -> None:
    """Run the benches that are named, or all of them."""
    wanted = sys.argv[1:] or ["stack", "live", "training"]
    figures = {}
    if "stack" in wanted:
        figures["stack"] = stack.measure()
    if "live" in wanted:
        figures["live"] = live.measure()
    if "training" in wanted:
        figures["training"] = training.measure_overhead()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
