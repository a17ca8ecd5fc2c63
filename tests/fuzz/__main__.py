"""Fuzzing: `python -m tests.fuzz [TARGET…] [--seconds 600 | --inputs N] [--seed 1]`, `TARGET --input FILE`.

The seconds are shared out among the targets, which are all unless some are named. Tells how many inputs each
took, what the product made of them, and the slowest; ends with 1 if an input broke something. Such an input
is kept in out/fuzz, and the command that repeats it is printed. `servers` and `folders` start a stack;
`library` needs a C++ compiler, and uses libFuzzer where there is clang++.
"""

import argparse
import contextlib
import hashlib
import math
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from loupe.profile import SERVICES, load_profile

from tests.fuzz.running import MANY, ROOT, Outcome, run, run_one

TARGETS = {
    "images": "tests.fuzz.images:Images",
    "annotations": "tests.fuzz.annotations:Annotations",
    "page-tokens": "tests.fuzz.page_tokens:PageTokensOfLists",
    "requests": "tests.fuzz.requests:Requests",
    "packages": "tests.fuzz.packages:Packages",
    "servers": "tests.fuzz.servers:Servers",
    "folders": "tests.fuzz.folders:Folders",
}
LIBRARY = "library"
_OF_SERVERS = {"servers", "folders"}
_KEPT = ROOT / "out" / "fuzz"
_RUNS_AT_ONCE = 3000


def main() -> int:
    """Fuzz, tell, and say whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join((*TARGETS, LIBRARY))}")
    parser.add_argument("--seconds", type=float, help="in all; 600 where no inputs are counted")
    parser.add_argument("--inputs", type=int, help="for each target but the library")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--input", type=Path, help="repeat this one")
    options = parser.parse_args()
    targets = options.targets or [*TARGETS, LIBRARY]
    if unknown := set(targets) - {*TARGETS, LIBRARY}:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if options.input and (len(targets) > 1 or targets == [LIBRARY]):
        parser.error("--input goes with one target, not the library, whose harness takes a folder of inputs")
    seconds = (options.seconds or (math.inf if options.inputs else 600)) / len(targets)
    if math.isinf(seconds) and LIBRARY in targets:
        parser.error("the library needs --seconds")
    broken = 0
    print(f"seed {options.seed}", flush=True)
    for target in targets:
        if target == LIBRARY:
            broken += fuzz_library(seconds, options.seed) != 0
            continue
        with _servers() if target in _OF_SERVERS else contextlib.nullcontext():
            if options.input:
                outcome = run_one(TARGETS[target], options.input.read_bytes())
            else:
                outcome = run(
                    TARGETS[target],
                    options.seed,
                    inputs=options.inputs or MANY,
                    seconds=seconds,
                    first=options.first,
                )
        tell(target, outcome)
        broken += bool(outcome.findings)
    return 1 if broken else 0


def tell(target: str, outcome: Outcome) -> None:
    """Print what came of a target, and keep what broke it."""
    rate = outcome.inputs / outcome.seconds if outcome.seconds else 0
    print(
        f"== {target}: {outcome.inputs:,} inputs, {rate:,.0f} a second; {outcome.broken} broke something. "
        f"The slowest took {outcome.slowest_s:.2f} s of a processor; the process grew {outcome.most_mib} MiB."
    )
    for verdict, count in outcome.verdicts.most_common():
        print(f"{count:>10,} {verdict}")
    for finding in outcome.findings.values():
        _KEPT.mkdir(parents=True, exist_ok=True)
        kept = _KEPT / f"{target}-{hashlib.sha256(finding.data).hexdigest()[:12]}"
        kept.write_bytes(finding.data)
        command = f".venv/bin/python -m tests.fuzz {target} --input {kept.relative_to(ROOT)}"
        print(f"-- {finding.kind}\n{finding.told}\ninput {finding.number}; repeat it: {command}")
    sys.stdout.flush()


@contextlib.contextmanager
def _servers() -> Iterator[None]:
    """A whole stack, whose addresses are in the environment."""
    from deploy.embedded import stack  # noqa: PLC0415 -- the other targets need none
    from tests.fuzz.servers import ADDRESSES, TOKEN  # noqa: PLC0415 -- as above

    with tempfile.TemporaryDirectory(prefix="loupe-fuzz-") as folder:
        data_dir = Path(folder) / "stack"
        try:
            stack.up(data_dir, detach=True, trainers=0, evaluators=0)
            profile = load_profile(data_dir, {})
            addresses = {name: getattr(profile, f"{name}_address") for name in SERVICES if name != "gateway"}
            os.environ[ADDRESSES] = ",".join(f"{name}={address}" for name, address in addresses.items())
            os.environ[TOKEN] = profile.token
            yield
        finally:
            stack.down(data_dir)


def fuzz_library(seconds: float, seed: int) -> int:
    """models.xbin and config.yaml in the library of packages, under ASan and UBSan; 0 if nothing broke."""
    from tests.native import harness  # noqa: PLC0415 -- it loads torch
    from tests.native.__main__ import fuzz  # noqa: PLC0415 -- as above

    if harness.find_clang():
        return fuzz(max(1, int(seconds)), seed % 2**31, renews=False)
    print("== library: there is no clang++ for libFuzzer; the harness mutates by itself")
    program = harness.build_harness("fuzz", "address,undefined")
    until_s = time.monotonic() + seconds
    runs = 0
    with tempfile.TemporaryDirectory(prefix="loupe-fuzz-") as folder:
        inputs = harness.fuzz_inputs(Path(folder))
        while time.monotonic() < until_s:
            number = (seed + runs) % 2**31
            command = [str(program), str(inputs), str(_RUNS_AT_ONCE), str(number)]
            if returncode := subprocess.run(command, check=False).returncode:
                command_line = f".venv/bin/python -m tests.fuzz library --seconds 1 --seed {number}"
                print(f"== library: exit code {returncode}; repeat it: {command_line}")
                return returncode
            runs += _RUNS_AT_ONCE
    print(f"== library: {runs:,} inputs, {runs / seconds:,.0f} a second; none broke something")
    return 0


if __name__ == "__main__":
    sys.exit(main())
