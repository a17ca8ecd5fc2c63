"""A loss curve as chunks of points: what a report may append, and where its points go (rules M3, M5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from loupe.errors import OutOfRange

# 480 float32 are 1,920 bytes: the largest round number that PostgreSQL still keeps in the row, uncompressed.
POINTS_PER_CHUNK = 480
POINT_BYTES = 4


class LossGap(OutOfRange):
    """Points or lines would leave a hole behind them."""

    reason = "LOSS_GAP"


@dataclass(frozen=True, slots=True)
class ChunkSlice:
    """Points `start` to `end` of a report go into `chunk` from `offset` on."""

    chunk: int
    offset: int
    start: int
    end: int


def require_contiguous(network: str, first_iteration: int, expected: int) -> None:
    """Raise LossGap if a point before `first_iteration` is missing; an overlap is a repeated report."""
    if first_iteration < 0:
        raise LossGap("iterations count from 0", network=network, first=first_iteration, expected=expected)
    if first_iteration > expected:
        raise LossGap(
            f"the {network} curve goes on at iteration {expected}, not at {first_iteration}; "
            "report what is between",
            network=network,
            first=first_iteration,
            expected=expected,
        )


def slices(first_iteration: int, count: int) -> Iterator[ChunkSlice]:
    """The chunks that `count` points from `first_iteration` on touch, in order."""
    done = 0
    while done < count:
        chunk, offset = divmod(first_iteration + done, POINTS_PER_CHUNK)
        taken = min(POINTS_PER_CHUNK - offset, count - done)
        yield ChunkSlice(chunk, offset, done, done + taken)
        done += taken


@dataclass(frozen=True, slots=True)
class LossCursor:
    """The next point and the next validation that a watcher wants."""

    attempt: int
    iteration: int = 0
    validation: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}:{self.iteration}:{self.validation}"


@dataclass(frozen=True, slots=True)
class LossNews:
    """What came since the cursor of the message before."""

    first_iteration: int
    packed: bytes
    validation: list[tuple[int, float]]
    step_time: datetime | None
    cursor: LossCursor


@dataclass(frozen=True, slots=True)
class LogNews:
    """Lines, and the number of the next one."""

    lines: list[str]
    next_line: int
