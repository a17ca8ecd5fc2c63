"""Settings of a trainer worker, and of a follower, with which it trains together."""

import ipaddress
from dataclasses import dataclass, field

from loupe.settings import setting

from services.kit.http_serving import address_of
from services.kit.shared_secret import LEAST_CHARACTERS
from services.worker.settings import ChildHostSettings, WorkerSettings

_SECRET = "LOUPE_MEETING_SECRET"  # noqa: S105 -- its name
_SECRET_DOC = "What the hosts that train together prove to each other; 32 random characters or more"  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class MeetingSettings:
    """Of the trainer that leads: where it meets its followers."""

    nodes: int = setting(
        "LOUPE_NODES", default=1, doc="Hosts that train one network together, this one and its followers"
    )
    listen: str = setting(
        "LOUPE_MEETING_LISTEN",
        default="127.0.0.1:7105",
        doc="host:port at which followers meet this trainer: an address of the network between the hosts; "
        "used with LOUPE_NODES above 1",
    )
    secret: str = setting(_SECRET, default="", secret=True, doc=_SECRET_DOC)

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise ValueError("LOUPE_NODES must be 1 or more")
        if self.nodes == 1:
            return
        _require_secret(self.secret, f"LOUPE_NODES={self.nodes} needs")
        try:
            _, host, _ = address_of(self.listen)
            address = ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(
                f"LOUPE_MEETING_LISTEN must be an IPv4 address and a port, not {self.listen!r}"
            ) from None
        if address.is_unspecified:
            raise ValueError(
                "LOUPE_MEETING_LISTEN must name the address of one network, the one between the hosts; "
                f"{self.listen} is all of them"
            )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        _, host, port = address_of(self.listen)
        return host, port


@dataclass(frozen=True, kw_only=True)
class Settings(WorkerSettings):
    """What a trainer worker reads from the environment beside what every worker reads."""

    checkpoint_interval_s: float = setting(
        "LOUPE_CHECKPOINT_INTERVAL_S",
        default=60.0,
        doc="How often a running training is kept; what a fault costs at most (T5)",
    )
    processes: int = setting(
        "LOUPE_TRAINER_PROCESSES",
        default=0,
        doc="Processes that train one network together, on each host; 0: one for every GPU, else one",
    )
    meeting: MeetingSettings = field()

    @property
    def nodes(self) -> int:
        """Those that train together."""
        return self.meeting.nodes


@dataclass(frozen=True, kw_only=True)
class FollowerSettings(ChildHostSettings):
    """What a follower reads from the environment."""

    leader_address: str = setting(
        "LOUPE_LEADER_ADDRESS", doc="host:port of LOUPE_MEETING_LISTEN of the trainer that leads"
    )
    secret: str = setting(_SECRET, secret=True, doc=_SECRET_DOC)

    def __post_init__(self) -> None:
        _require_secret(self.secret, "A follower needs")
        try:
            address_of(self.leader_address)
        except ValueError as error:
            raise ValueError(f"LOUPE_LEADER_ADDRESS {error}") from None

    @property
    def leader(self) -> tuple[str, int]:
        """Host and port."""
        _, host, port = address_of(self.leader_address)
        return host, port


def _require_secret(secret: str, who: str) -> None:
    if len(secret) < LEAST_CHARACTERS:
        raise ValueError(
            f"{who} {_SECRET} or {_SECRET}_FILE of {LEAST_CHARACTERS} random characters or more, "
            f"not of {len(secret)}; `openssl rand -base64 48` makes one"
        )
