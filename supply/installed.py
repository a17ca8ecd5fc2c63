"""Whether what is installed here is what the lock names: all but torch and what torch brings."""

from collections.abc import Collection, Iterator, Mapping
from importlib import metadata

from packaging.requirements import Requirement

from supply.licences import UNLOCKED
from supply.lock import Locked, normalised

_OWN = ("loupe", "loupe-client")
_SETUP = "loupe[embedded,train,dev]"
"""What `make setup` installs."""


def required(of: str = _SETUP, *, without: Collection[str] = ()) -> dict[str, str]:
    """What is installed of a distribution's requirements; not what those in `without` require."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    ahead = [Requirement(of)]
    while ahead:
        one = ahead.pop()
        name = normalised(one.name)
        for extra in {"", *one.extras} if name not in without else ():
            if (name, extra) not in seen:
                seen.add((name, extra))
                ahead += _requirements(name, extra)
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def faults(lock: Mapping[str, Locked], installed: Mapping[str, str]) -> Iterator[str]:
    """What is there and is not that of the lock; `installed` is without what torch brings."""
    for name, version in sorted(installed.items()):
        if name in lock and lock[name].version != version:
            yield f"{name} {version} is installed; the lock names {lock[name].version}"
        elif name not in lock and name not in (*_OWN, *UNLOCKED):
            yield f"{name} {version} is installed, and the lock does not name it"


def summary(lock: Mapping[str, Locked], installed: Mapping[str, str]) -> str:
    """One line for whoever installs; `installed` is all."""
    beside = [
        f"{name} {version}" for name, version in sorted(installed.items()) if name not in (*lock, *_OWN)
    ]
    locked = len(set(lock) & set(installed))
    return f"{locked} distributions are of the lock; beside it: {', '.join(beside)}"


def _requirements(name: str, extra: str) -> Iterator[Requirement]:
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, texts):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement
