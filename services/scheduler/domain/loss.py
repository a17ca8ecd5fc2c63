"""A loss curve as chunks of points: which points a heartbeat may append, and into which chunks (M3, M5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.kit.errors import OutOfRange

# 480 float32 are 1,920 bytes: near the limit up to which PostgreSQL stores a value uncompressed in its row.
POINTS_PER_CHUNK = 480
POINT_BYTES = 4


class LossGap(OutOfRange):
    """Points or log lines between the stored ones and the reported ones are missing."""

    reason = "LOSS_GAP"


@dataclass(frozen=True, slots=True)
class ChunkSlice:
    """Points `start` to `end` of a heartbeat belong into `chunk`, from position `offset` on."""

    chunk: int
    offset: int
    start: int
    end: int


def require_contiguous(network: str, first_iteration: int, expected: int) -> None:
    """Raise LossGap if a point before `first_iteration` is missing. An overlap is a repeated heartbeat."""
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
    """The next point and the next validation that a watch needs."""

    attempt: int
    iteration: int = 0
    validation: int = 0

    def __str__(self) -> str:
        return f"{self.attempt}:{self.iteration}:{self.validation}"


@dataclass(frozen=True, slots=True)
class LossNews:
    """Points and validations since the cursor of the previous message."""

    first_iteration: int
    packed: bytes
    validation: list[tuple[int, float]]
    step_time: datetime | None
    cursor: LossCursor


@dataclass(frozen=True, slots=True)
class LogNews:
    """Log lines, and the number of the next one."""

    lines: list[str]
    next_line: int
