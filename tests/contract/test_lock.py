"""What `make setup` and `make demo` install fits what the project asks for."""

import re
import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement

from tests.support.repository import ROOT

_PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)==(?P<version>[^ ]+) \\$", re.MULTILINE)
# The build of the first two is the machine's choice; the third is in this repository.
_FREE = {"torch", "torchvision", "loupe-client"}


def _pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return {pin["name"]: pin["version"] for pin in _PIN.finditer(text)}


def _wanted(*extras: str) -> Iterator[Requirement]:
    server, client = (
        tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]
        for file in ("pyproject.toml", "client/pyproject.toml")
    )
    lists = [server["dependencies"], *(server["optional-dependencies"][extra] for extra in extras)]
    lists += [client["dependencies"]]
    return (Requirement(text) for each in lists for text in each)


def test_the_locks_have_every_requirement_within_its_bounds() -> None:
    """A stale lock installs what was tested before, and pip then changes it. `make lock` renews it."""
    for lock, extras in (
        ("run.lock", ["embedded", "train"]),
        ("dev.lock", ["embedded", "train", "dev"]),
    ):
        pins = _pins(lock)
        unfit = [
            f"{lock}: {wanted}"
            for wanted in _wanted(*extras)
            if wanted.name not in _FREE and not wanted.specifier.contains(pins.get(wanted.name, "0"))
        ]
        assert not unfit


def test_the_locks_agree() -> None:
    """`make demo`, then `make test`: the second must not change what the first has installed."""
    assert _pins("run.lock").items() <= _pins("dev.lock").items()
    assert not _FREE & set(_pins("dev.lock"))
