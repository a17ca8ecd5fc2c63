"""Measures and prints one JSON object: `python -m tests.bench [stack] [live] [throughput] …`.

By default these three; the others are named below and take minutes each. Options that follow go to every
bench that is named: `python -m tests.bench prediction --samples 2000`.
"""

import importlib
import json
import sys
from itertools import takewhile

BENCHES = (
    "admission",
    "backup",
    "console",
    "drilldown",
    "durability",
    "export",
    "hostile",
    "importing",
    "listing",
    "live",
    "look_alikes",
    "prediction",
    "readers",
    "special",
    "stack",
    "throughput",
)
"""Modules of this package that have a function `measure`."""


def main() -> None:
    """Run the benches that are named, or the usual ones."""
    names = list(takewhile(lambda word: not word.startswith("-"), sys.argv[1:]))
    options = sys.argv[1 + len(names) :]
    unknown = sorted(set(names) - set(BENCHES))
    if unknown:
        sys.exit(f"there is no bench {unknown[0]}; there are {', '.join(BENCHES)}")
    wanted = names or ["stack", "live", "throughput"]
    # One that is not wanted is not imported: not every one needs torch, or a stack.
    figures = {name: importlib.import_module(f"tests.bench.{name}").measure(*options) for name in wanted}
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
