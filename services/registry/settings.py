"""Settings of the registry's process."""

from dataclasses import dataclass
from pathlib import Path

from loupe.rpc.tls import TlsSettings
from loupe.settings import setting

from services.kit.backups import BackupRecordSettings
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
from services.vision.decoders import DecoderSettings

_MAX_BIN_DAYS = 36_500


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the registry reads from its environment."""

    database: DatabaseSettings
    nats: NatsSettings
    objects: ObjectStoreSettings
    tokens: ServiceTokenSettings
    bootstrap_admin_token: str | None = setting(
        "LOUPE_BOOTSTRAP_ADMIN_TOKEN",
        default=None,
        secret=True,
        doc="loupe_<id>_<secret>: becomes a token of user `admin` at start; unset = none is made",
    )
    tls: TlsSettings
    public: PublicListen
    calls: CallLimits
    operations: OperationsSettings
    clock: ClockSettings
    streams: StreamSettings
    decoders: DecoderSettings
    listen: str = setting(
        "LOUPE_LISTEN",
        default="127.0.0.1:7101",
        doc="host:port to serve at: HTTP of the gateway, gRPC of the others",
    )
    signing_public_keys: Path | None = setting(  # noqa: RUF009 -- a field
        "LOUPE_SIGNING_PUBLIC_KEYS",
        default=None,
        doc="PEM file of the public keys that packages are known by, the newest last; empty: none is known",
    )
    password_memory_kib: int = setting(
        "LOUPE_PASSWORD_MEMORY_KIB",
        default=64 * 1024,
        doc="Memory that one guess at a stored password costs (Argon2id)",
    )
    data_bin_days: int = setting(
        "LOUPE_DATA_BIN_DAYS",
        default=30,
        doc="How many days a deleted data path can be restored; then it is purged",
    )
    audit_keep_days: int = setting(
        "LOUPE_AUDIT_KEEP_DAYS",
        default=0,
        doc="After how many days an entry of the audit log is deleted; 0 = never",
    )
    retention: RetentionSettings
    backup_record: BackupRecordSettings
    log_level: str = setting("LOUPE_LOG_LEVEL", default="INFO", doc="DEBUG, INFO, WARNING or ERROR")

    def __post_init__(self) -> None:
        if self.password_memory_kib < 1024:
            raise ValueError("LOUPE_PASSWORD_MEMORY_KIB must be at least 1024")
        if not 1 <= self.data_bin_days <= _MAX_BIN_DAYS:
            raise ValueError(f"LOUPE_DATA_BIN_DAYS must be 1 to {_MAX_BIN_DAYS}")
        require_days("LOUPE_AUDIT_KEEP_DAYS", self.audit_keep_days)
