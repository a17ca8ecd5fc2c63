"""Settings of the evaluator."""

from dataclasses import dataclass

from loupe.rpc.tls import TlsSettings
from loupe.settings import setting

from services.kit.clock_watch import ClockSettings
from services.kit.limits import CallLimits
from services.kit.nats_access import NatsSettings
from services.kit.object_store import ObjectStoreSettings
from services.kit.operations import OperationsSettings
from services.kit.postgresql import DatabaseSettings
from services.kit.public_listen import PublicListen
from services.kit.retention import RetentionSettings
from services.service_tokens import ServiceTokenSettings
from services.vision.decoders import DecoderSettings


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the evaluator reads from the environment."""

    listen: str = setting("LOUPE_LISTEN", doc="host:port to serve at")
    database: DatabaseSettings
    nats: NatsSettings
    objects: ObjectStoreSettings
    decoders: DecoderSettings
    tls: TlsSettings
    public: PublicListen
    calls: CallLimits
    operations: OperationsSettings
    clock: ClockSettings
    retention: RetentionSettings
    registry_address: str = setting("LOUPE_REGISTRY_ADDRESS", doc="host:port of the registry")
    tokens: ServiceTokenSettings
    log_level: str = setting("LOUPE_LOG_LEVEL", default="INFO", doc="DEBUG, INFO, WARNING or ERROR")
