"""Who of Loupe's processes may do what in the object store: a key of its own each, for its prefixes alone.

The gateway, the command line and the child processes of workers have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ObjectRights:
    """The prefixes of keys that a process may read, and those that it may write, delete and list."""

    reads: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    """Read too."""
    stores: tuple[str, ...] = ()
    """Written and read, but not listed."""

    def actions(self, bucket: str) -> list[str]:
        """The rights as SeaweedFS names them. It counts deleting as writing."""
        granted = {
            "Read": (*self.reads, *self.keeps, *self.stores),
            "Write": (*self.keeps, *self.stores),
            "List": self.keeps,
        }
        return [
            f"{action}:{bucket}/{prefix}/*" for action, prefixes in granted.items() for prefix in prefixes
        ]


OBJECT_RIGHTS: Mapping[str, ObjectRights] = {
    "registry": ObjectRights(
        reads=("weights",), keeps=("incoming", "samples", "manifests", "packages", "pictures")
    ),
    "scheduler": ObjectRights(keeps=("weights", "splits", "checkpoints", "contact-sheets")),
    "evaluator": ObjectRights(reads=("samples",), keeps=("masks", "pictures")),
    "trainer": ObjectRights(
        reads=("samples", "manifests"), stores=("weights", "splits", "checkpoints", "contact-sheets")
    ),
    "evaluator-worker": ObjectRights(
        reads=("samples", "manifests", "weights", "splits"), stores=("masks", "packages")
    ),
}
"""By the name of the process. docs/operating/install.md shows them to operators of a store of their own."""
