"""Commands for what Loupe is made of; the Makefile calls them.

python -m supply write      renews NOTICE and the bills of materials
python -m supply check      refuses stale ones, licences that are unknown or not allowed, and other versions
                            than the lock's
python -m supply installed  says what an installation has taken from the lock
python -m supply audit      asks for known vulnerabilities
"""

import argparse
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from supply import audit, installed, licences, notice, sbom
from supply.licences import UNLOCKED, Licences
from supply.lock import DEV_LOCK, ROOT, RUN_LOCK, npm_packages, python_lock, python_of

_CHOSEN_BY_PIP = Path(sys.prefix) / ".unlocked"
"""Made by the Makefile where pip has chosen the versions."""


def _documents() -> Iterator[tuple[Path, str]]:
    record, npm = Licences.read(), npm_packages()
    yield notice.NOTICE, notice.document(record, npm)
    yield from sbom.documents(record, python_lock(RUN_LOCK), npm)


def _write() -> Iterator[str]:
    yield from licences.faults(Licences.read(), python_lock(RUN_LOCK), npm_packages())
    for place, text in _documents():
        place.write_text(text, encoding="utf-8")


def _check() -> Iterator[str]:
    record, lock = Licences.read(), python_lock(RUN_LOCK)
    found = [*licences.faults(record, lock, npm_packages()), *licences.installed_faults(record, lock)]
    yield from found
    if not found:  # else there may be no document
        for place, text in _documents():
            if not place.exists() or place.read_text(encoding="utf-8") != text:
                yield f"{place.relative_to(ROOT)} is stale: `make sbom`"
    yield from _other_versions()


def _other_versions() -> Iterator[str]:
    there = installed.required(without=UNLOCKED)
    faults = list(installed.faults(python_lock(DEV_LOCK), there))
    if _CHOSEN_BY_PIP.exists():
        _say(f"pip chose the versions here: {'; '.join(faults) or 'all are those of the lock'}")
    elif platform.python_version().rpartition(".")[0] != python_of(DEV_LOCK):
        _say(f"the lock is for Python {python_of(DEV_LOCK)}: {'; '.join(faults) or 'all fits here too'}")
    else:
        yield from (f"{fault}: `make setup`, or `make lock`" for fault in faults)


def _installed() -> Iterator[str]:
    _say(installed.summary(python_lock(DEV_LOCK), installed.required()))
    return iter(())


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """1 with a line for each fault on the error output, 0 where there is none."""
    commands = {"write": _write, "check": _check, "installed": _installed, "audit": audit.faults}
    parser = argparse.ArgumentParser(
        prog="python -m supply", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=commands)
    found = list(commands[parser.parse_args().command]())
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
