"""The slow proof of the interface: `python -m tests.probing [--requests 10000] [--seed 1] [--only text]`.

A whole embedded stack, and requests generated from its own OpenAPI document to every operation. Prints the
statuses met; ends with 1 if one was 5xx or is not described, or an answer is not what the document says.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from pathlib import Path

import httpx
from loupe.profile import load_profile

from deploy.embedded import stack
from tests.probing.generated import Outcome, probe
from tests.probing.world import furnish


def main() -> int:
    """Probe, tell, and say whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="operations whose id holds this")
    options = parser.parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="loupe-probing-") as folder:
        data_dir = Path(folder) / "stack"
        try:
            stack.up(data_dir, detach=True)
            profile = load_profile(data_dir, {})
            base_url = f"http://{profile.gateway_address}"
            document = httpx.get(f"{base_url}/openapi.json", timeout=30.0).json()
            outcome = probe(
                document,
                base_url,
                profile.token,
                requests_wanted=options.requests,
                seed=options.seed,
                names=asyncio.run(furnish(data_dir, Path(folder) / "images")),
                choose=lambda name: options.only.lower() in name.lower(),
                on_progress=lambda name, so_far: print(
                    f"{so_far.requests:>6} requests, {len(so_far.faults)} faults: {name}",
                    file=sys.stderr,
                    flush=True,
                ),
            )
            incidents = _incidents(data_dir, outcome)
        finally:
            stack.down(data_dir)
    _tell(outcome, time.monotonic() - started_s)
    print(*incidents, sep="\n")
    return 1 if outcome.faults else 0


def _incidents(data_dir: Path, outcome: Outcome) -> list[str]:
    """What the services logged of the bugs that were met."""
    ids = {found for shown in outcome.faults.values() for found in re.findall(r'"incident":"(\w+)"', shown)}
    return [
        line
        for log in sorted(data_dir.rglob("*.log"))
        for line in log.read_text(errors="replace").splitlines()
        if any(found in line for found in ids)
    ]


def _tell(outcome: Outcome, seconds: float) -> None:
    for (operation, what), shown in sorted(outcome.faults.items()):
        print(f"== {operation}: {what}\n{shown}\n")
    figures = {
        "requests": outcome.requests,
        "operations": outcome.operations,
        "statuses": {str(status): count for status, count in sorted(outcome.statuses.items())},
        "faults": len(outcome.faults),
        "seconds": round(seconds),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    sys.exit(main())
