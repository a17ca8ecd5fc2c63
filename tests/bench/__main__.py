"""Measures and prints one JSON object: `python -m tests.bench [stack] [live] [training] …`.

Besides: admission, drilldown, listing, which take minutes each. By default the first three.
"""

import json
import sys

from tests.bench import admission, drilldown, listing, live, stack, throughput


def main() -> None:
    """Run the benches that are named, or the usual ones."""
    wanted = sys.argv[1:] or ["stack", "live", "training"]
    figures = {}
    if "stack" in wanted:
        figures["stack"] = stack.measure()
    if "live" in wanted:
        figures["live"] = live.measure()
    if "training" in wanted:
        figures["training"] = throughput.measure()
    if "admission" in wanted:
        figures["admission"] = admission.measure()
    if "drilldown" in wanted:
        figures["drilldown"] = drilldown.measure()
    if "listing" in wanted:
        figures["listing"] = listing.measure()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
