"""Settings of the gateway."""

from dataclasses import dataclass
from ssl import CERT_REQUIRED
from typing import Any
from urllib.parse import urlsplit

from loupe.rpc.tls import TlsSettings
from loupe.settings import setting

from services.kit.http_serving import address_of
from services.kit.limits import check_positive, check_proxies, proxies_setting
from services.kit.operations import OperationsSettings


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """Towards browsers and machines: TLS, and how long a request may take to arrive."""

    certificate: str = setting(
        "LOUPE_HTTPS_CERTIFICATE", default="", doc="PEM file of the gateway's chain; empty: plain HTTP"
    )
    key: str = setting("LOUPE_HTTPS_KEY", default="", doc="PEM file of its key")
    client_authority: str = setting(
        "LOUPE_HTTPS_CLIENT_AUTHORITY",
        default="",
        doc="PEM file of the authorities whose certificates clients must show; empty: none is asked for",
    )
    head_deadline_s: float = setting(
        "LOUPE_GATEWAY_HEAD_DEADLINE_S",
        default=20.0,
        doc="How long the head of a request may take; its connection is closed then",
    )
    body_deadline_s: float = setting(
        "LOUPE_GATEWAY_BODY_DEADLINE_S", default=30.0, doc="How long the body of a request may take"
    )
    max_connections_per_address: int = setting(
        "LOUPE_GATEWAY_MAX_CONNECTIONS_PER_ADDRESS",
        default=1000,
        doc="Connections of one address at once; those of trusted proxies are not counted",
    )
    max_pending_per_address: int = setting(
        "LOUPE_GATEWAY_MAX_PENDING_PER_ADDRESS",
        default=128,
        doc="Connections of one address whose request has not arrived yet; with more the oldest is closed",
    )
    trusted_proxies: tuple[str, ...] = proxies_setting()

    def __post_init__(self) -> None:
        check_positive(
            LOUPE_GATEWAY_MAX_CONNECTIONS_PER_ADDRESS=self.max_connections_per_address,
            LOUPE_GATEWAY_MAX_PENDING_PER_ADDRESS=self.max_pending_per_address,
        )
        check_proxies(self.trusted_proxies)
        if bool(self.certificate) != bool(self.key):
            raise ValueError("LOUPE_HTTPS_CERTIFICATE and LOUPE_HTTPS_KEY are set together or not at all")
        if self.client_authority and not self.certificate:
            raise ValueError("LOUPE_HTTPS_CLIENT_AUTHORITY needs LOUPE_HTTPS_CERTIFICATE")

    def uvicorn_options(self) -> dict[str, Any]:
        """As arguments of uvicorn.Config."""
        options: dict[str, Any] = {
            "proxy_headers": bool(self.trusted_proxies),
            "forwarded_allow_ips": list(self.trusted_proxies),
        }
        if not self.certificate:
            return options
        options |= {"ssl_certfile": self.certificate, "ssl_keyfile": self.key}
        if self.client_authority:
            options |= {"ssl_ca_certs": self.client_authority, "ssl_cert_reqs": CERT_REQUIRED}
        return options


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of the gateway."""

    listen: str = setting("LOUPE_LISTEN", default="127.0.0.1:8080", doc="host:port to serve HTTP at")
    registry_address: str = setting("LOUPE_REGISTRY_ADDRESS", doc="host:port of the registry")
    scheduler_address: str = setting("LOUPE_SCHEDULER_ADDRESS", doc="host:port of the scheduler")
    evaluator_address: str = setting("LOUPE_EVALUATOR_ADDRESS", doc="host:port of the evaluator")
    public_store: str = setting(
        "LOUPE_S3_PUBLIC_ENDPOINT",
        default="",
        doc="As of the servers, whose links lead there: the console's pages may use those",
    )
    store: str = setting(
        "LOUPE_S3_ENDPOINT",
        default="",
        doc="host:port of the object storage that pictures come from; the console's pages may show those",
    )
    objects: str = setting(
        "LOUPE_GATEWAY_OBJECTS",
        default="",
        doc="http:// URL of the bucket, for an object store that only the gateway reaches: it passes on "
        "links that name itself (LOUPE_S3_PUBLIC_ENDPOINT of the servers); empty: links lead to the store",
    )
    public_url: str = setting(
        "LOUPE_GATEWAY_PUBLIC_URL",
        default="",
        doc="Where browsers open the console; another name of this host is sent there, because the links to "
        "objects lead there. Empty: the console answers under every name",
    )
    tls: TlsSettings
    http: HttpSettings
    operations: OperationsSettings
    log_level: str = setting("LOUPE_LOG_LEVEL", default="INFO", doc="Least level that is logged")
    deadline_s: float = setting(
        "LOUPE_GATEWAY_DEADLINE_S", default=30.0, doc="How long a request may take, streams apart"
    )
    stream_lifetime_s: float = setting(
        "LOUPE_GATEWAY_STREAM_LIFETIME_S",
        default=3600.0,
        doc="After it a stream ends and its reader opens it again",
    )
    slow_reader_s: float = setting(
        "LOUPE_GATEWAY_SLOW_READER_S", default=30.0, doc="A reader that reads nothing for so long is dropped"
    )
    max_streams: int = setting(
        "LOUPE_GATEWAY_MAX_STREAMS", default=2000, doc="How many streams may be open at once"
    )
    max_streams_per_principal: int = setting(
        "LOUPE_GATEWAY_MAX_STREAMS_PER_PRINCIPAL",
        default=600,
        doc="How many of them may be one user's",
    )
    stream_check_s: float = setting(
        "LOUPE_STREAM_CHECK_S", default=30.0, doc="How often a stream looks at its caller's token again"
    )

    def __post_init__(self) -> None:
        check_positive(
            LOUPE_GATEWAY_MAX_STREAMS=self.max_streams,
            LOUPE_GATEWAY_MAX_STREAMS_PER_PRINCIPAL=self.max_streams_per_principal,
            LOUPE_STREAM_CHECK_S=self.stream_check_s,
        )
        try:
            address_of(self.listen)
        except ValueError as error:
            raise ValueError(f"LOUPE_LISTEN {error}") from None
        objects = urlsplit(self.objects)
        if self.objects and not (objects.scheme == "http" and objects.hostname and objects.path.strip("/")):
            raise ValueError("LOUPE_GATEWAY_OBJECTS must be http://host:port/bucket")

    @property
    def picture_origin(self) -> str:
        """From where the console's pages may load pictures, and where they may send uploads."""
        return self.public_store or self.store

    @property
    def addresses(self) -> dict[str, str]:
        """The address of every backend, by the name of its contracts' package."""
        return {
            "registry": self.registry_address,
            "scheduler": self.scheduler_address,
            "evaluator": self.evaluator_address,
        }
