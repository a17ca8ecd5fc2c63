"""Settings of the registry's process."""

from dataclasses import dataclass

from loupe.rpc.tls import TlsSettings
from loupe.settings import setting

from services.kit.clock_watch import ClockSettings
from services.kit.limits import CallLimits
from services.kit.object_store import ObjectStoreSettings
from services.kit.streams import StreamSettings
from services.vision.decoders import DecoderSettings


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the registry reads from its environment."""

    database_url: str = setting(
        "LOUPE_DATABASE_URL",
        secret=True,
        doc="postgresql+asyncpg:// URL; the tables are in a schema with the name of the service",
    )
    nats_url: str = setting("LOUPE_NATS_URL", secret=True, doc="nats:// URL of a server with JetStream")
    objects: ObjectStoreSettings
    service_token: str = setting(
        "LOUPE_SERVICE_TOKEN",
        secret=True,
        doc="What the services and workers of this installation show each other",
    )
    bootstrap_admin_token: str | None = setting(
        "LOUPE_BOOTSTRAP_ADMIN_TOKEN",
        default=None,
        secret=True,
        doc="loupe_<id>_<secret>: becomes a token of user `admin` at start; unset = none is made",
    )
    tls: TlsSettings
    calls: CallLimits
    clock: ClockSettings
    streams: StreamSettings
    decoders: DecoderSettings
    listen: str = setting(
        "LOUPE_LISTEN",
        default="127.0.0.1:7101",
        doc="host:port to serve at: HTTP of the gateway, gRPC of the others",
    )
    password_memory_kib: int = setting(
        "LOUPE_PASSWORD_MEMORY_KIB",
        default=64 * 1024,
        doc="Memory that one guess at a stored password costs (Argon2id)",
    )
    log_level: str = setting("LOUPE_LOG_LEVEL", default="INFO", doc="DEBUG, INFO, WARNING or ERROR")

    def __post_init__(self) -> None:
        if self.password_memory_kib < 1024:
            raise ValueError("LOUPE_PASSWORD_MEMORY_KIB must be at least 1024")
