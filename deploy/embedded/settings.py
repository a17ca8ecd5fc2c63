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


class ProgramCheck(enum.StrEnum):
    """Which programs of PostgreSQL, NATS and SeaweedFS are started."""

    PINNED = "pinned"
    """Those of the tested wheels, by their SHA-256."""
    ANY = "any"
    """Whatever is installed: for people who bring their own builds, or a platform without a pinned digest."""


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What `loupe up` reads from its environment."""

    durability: Durability = setting(  # noqa: RUF009 -- a field, as all others
        "LOUPE_DURABILITY",
        default=Durability.POWER,
        doc="`power`: what was acknowledged survives a power loss; "
        "`process`: only the death of processes, which is faster",
    )
    dumps_kept: int = setting(
        "LOUPE_DUMPS_KEPT",
        default=3,
        doc="How many dumps of the database are kept that `loupe up` makes before a new version changes its "
        "tables; 0 = none is made",
    )
    programs: ProgramCheck = setting(  # noqa: RUF009 -- as above
        "LOUPE_EMBEDDED_PROGRAMS",
        default=ProgramCheck.PINNED,
        doc="`pinned`: PostgreSQL, NATS and SeaweedFS start only as the tested wheels hold them, by SHA-256; "
        "`any`: whatever is installed, for builds of your own",
    )

    def __post_init__(self) -> None:
        if self.dumps_kept < 0:
            raise ValueError("LOUPE_DUMPS_KEPT must be at least 0")
