"""Settings of the stack itself, read by whoever starts it."""

import enum
from dataclasses import dataclass

from loupe.settings import setting


class Durability(enum.StrEnum):
    """What acknowledged data survives."""

    POWER = "power"
    """A power loss: objects are flushed before a row names them, events before the outbox forgets them."""
    PROCESS = "process"
    """The death of every process. A power loss takes what the kernel has not written yet, about 30 s."""


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What `loupe up` reads from its environment."""

    durability: Durability = setting(  # noqa: RUF009 -- a field, as all others
        "LOUPE_DURABILITY",
        default=Durability.POWER,
        doc="`power`: what was acknowledged survives a power loss; "
        "`process`: only the death of processes, which is faster",
    )
