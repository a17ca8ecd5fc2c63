"""How many workers a stack has: kept in its data folder, where `loupe scale` changes it at any time."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.embedded.errors import ServerUnusable
from deploy.embedded.files import write_atomically

MOST = 64
"""Of one kind."""


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The number of workers of each kind."""

    trainers: int = 1
    evaluators: int = 1

    def __post_init__(self) -> None:
        """ValueError for a number that no stack has."""
        for kind, number in asdict(self).items():
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MOST:
                raise ValueError(f"{kind} is a number from 0 to {MOST}, not {number!r}")

    def with_given(self, trainers: int | None, evaluators: int | None) -> "Workers":
        """These, but for the numbers that are given."""
        return Workers(
            trainers=self.trainers if trainers is None else trainers,
            evaluators=self.evaluators if evaluators is None else evaluators,
        )


def read(path: Path) -> Workers:
    """What is kept at `path`: one of each kind if there is nothing."""
    try:
        return Workers(**json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return Workers()
    except (ValueError, TypeError) as error:
        raise ServerUnusable(
            f"{path} cannot be read ({error}); remove it, and say the numbers again (`loupe scale`)"
        ) from error


def keep(path: Path, workers: Workers) -> None:
    """Write the numbers for the stack that runs, and for the next start."""
    write_atomically(path, json.dumps(asdict(workers), indent=2) + "\n", mode=0o600)
