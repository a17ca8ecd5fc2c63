"""Settings of the scheduler's process."""

from dataclasses import dataclass
from pathlib import Path

from loupe.rpc.tls import TlsSettings
from loupe.settings import setting

from services.kit.clock_watch import ClockSettings
from services.kit.limits import CallLimits
from services.kit.nats_access import NatsSettings
from services.kit.object_store import ObjectStoreSettings
from services.kit.operations import OperationsSettings
from services.kit.postgresql import DatabaseSettings
from services.kit.public_listen import PublicListen
from services.kit.retention import RetentionSettings, require_days
from services.kit.streams import StreamSettings
from services.service_tokens import ServiceTokenSettings

_MIN_LOSS_STREAM_BYTES = 1024**2


@dataclass(frozen=True, kw_only=True)
class SchedulingSettings:
    """Leases, recovery, ageing and garbage collection."""

    lease_s: float = setting("LOUPE_LEASE_S", default=10.0, doc="How long a lease lasts without a heartbeat")
    infrastructure_retries: int = setting(
        "LOUPE_INFRASTRUCTURE_RETRIES",
        default=5,
        doc="How often a job is taken up again without getting further before its task fails",
    )
    ageing_s: float = setting(
        "LOUPE_PRIORITY_AGING_S",
        default=1800.0,
        doc="A waiting job gains one priority for every so many seconds, so that none starves",
    )
    checkpoint_grace_s: float = setting(
        "LOUPE_CHECKPOINT_GRACE_S",
        default=300.0,
        doc="How long a superseded checkpoint is kept for a worker that may still read it",
    )

    orphan_grace_s: float = setting(
        "LOUPE_ORPHAN_GRACE_S",
        default=86_400.0,
        doc="How old an object that no row names must be to be deleted; a younger one may be on its way",
    )

    watched_folder: Path | None = setting(  # noqa: RUF009 -- a field, as all others
        "LOUPE_WATCHED_FOLDER",
        default=None,
        doc="A folder on the disk of the stores, where they are on this machine: while less than 5 % of it "
        "is free, trainings wait. The embedded stack sets it; unset = none is watched",
    )

    def __post_init__(self) -> None:
        if self.lease_s <= 0 or self.ageing_s <= 0:
            raise ValueError("LOUPE_LEASE_S and LOUPE_PRIORITY_AGING_S must be above 0")


@dataclass(frozen=True, kw_only=True)
class KeepingSettings:
    """What ended tasks keep whole; those of released versions keep it for ever."""

    log_days: int = setting(
        "LOUPE_LOGS_KEEP_DAYS",
        default=0,
        doc="How many days after its end a task that is not released keeps its logs whole; then their last "
        "200 lines. 0 = for ever",
    )
    curve_days: int = setting(
        "LOUPE_CURVES_KEEP_DAYS",
        default=0,
        doc="How many days after its end a training that is not released keeps every point of its curves; "
        "then 2,000 of each. 0 = for ever",
    )

    def __post_init__(self) -> None:
        require_days("LOUPE_LOGS_KEEP_DAYS", self.log_days)
        require_days("LOUPE_CURVES_KEEP_DAYS", self.curve_days)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the scheduler reads from its environment."""

    listen: str = setting("LOUPE_LISTEN", default="127.0.0.1:7102", doc="host:port to serve at")
    database: DatabaseSettings
    nats: NatsSettings
    registry_address: str = setting("LOUPE_REGISTRY_ADDRESS", doc="host:port of the registry")
    log_level: str = setting("LOUPE_LOG_LEVEL", default="INFO", doc="DEBUG, INFO, WARNING or ERROR")
    loss_stream_bytes: int = setting(
        "LOUPE_LOSS_STREAM_BYTES",
        default=1024**3,
        doc="What NATS reserves for the last seven days of loss events; when full the oldest go. "
        "Counts when the stream LOSS is made; later `nats stream edit LOSS --max-bytes` changes it",
    )
    objects: ObjectStoreSettings
    tokens: ServiceTokenSettings
    tls: TlsSettings
    public: PublicListen
    calls: CallLimits
    operations: OperationsSettings
    streams: StreamSettings
    clock: ClockSettings
    scheduling: SchedulingSettings
    retention: RetentionSettings
    keeping: KeepingSettings

    def __post_init__(self) -> None:
        if self.loss_stream_bytes < _MIN_LOSS_STREAM_BYTES:
            raise ValueError(f"LOUPE_LOSS_STREAM_BYTES must be at least {_MIN_LOSS_STREAM_BYTES}")
