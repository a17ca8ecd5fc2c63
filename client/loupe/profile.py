"""Where the servers are and which token to show: the environment, or the profile that `loupe up` left."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loupe.rpc.tls import TlsSettings
from loupe.settings import SettingsError, load

if TYPE_CHECKING:
    import grpc

SERVICES = ("registry", "scheduler", "evaluator", "gateway")


class NotConfigured(Exception):
    """No address of the servers is configured; the message says how to set one."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One installation of Loupe as a client sees it."""

    registry_address: str
    scheduler_address: str
    evaluator_address: str
    token: str = field(repr=False)
    gateway_address: str = ""
    gateway_url: str = ""
    nats_url: str = field(default="", repr=False)
    """With user and password; empty where NATS cannot be reached."""
    tls: TlsSettings = field(default_factory=TlsSettings)
    """The certificates of this machine, where the servers ask for one."""
    authority: str = ""
    """PEM file by which the certificates of links are checked; empty: as this machine checks others."""
    servers_have_certificates: bool = False
    """Whether the servers show such certificates too, and ask for none."""
    source: str = "given"
    """Where it was read from, for messages."""

    def channel_credentials(self) -> "grpc.ChannelCredentials | None":
        """For channels to the servers; None for plain ones."""
        if self.tls.certificate or not self.servers_have_certificates:
            return self.tls.channel_credentials()
        import grpc  # noqa: PLC0415 -- `loupe --help` must not wait for it

        return grpc.ssl_channel_credentials(Path(self.authority).read_bytes())


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The data folder of the embedded stack where none is named."""
    if named := environ.get("LOUPE_DATA_DIR"):
        return Path(named).expanduser()
    share = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(share).expanduser() / "loupe"


def load_profile(data_dir: Path | None = None, environ: Mapping[str, str] = os.environ) -> Profile:
    """The profile in `data_dir`; without one, the environment's addresses, else the default folder's.

    A variable such as LOUPE_TOKEN overrides what the profile says, so that one can act as somebody else.
    """
    given = {service: environ.get(f"LOUPE_{service.upper()}_ADDRESS", "") for service in SERVICES}
    token, nats_url = environ.get("LOUPE_TOKEN", ""), environ.get("LOUPE_NATS_URL", "")
    folder = data_dir or default_data_dir(environ)
    if data_dir is None and all(given[service] for service in SERVICES[:3]) and token:
        authority = _authority(environ)
        return replace(
            _profile(given, _sendable(token), nats_url, "the environment"),
            tls=_tls(environ),
            authority=authority,
            servers_have_certificates=bool(authority),
        )
    path = folder / "client.json"
    try:
        stored: dict[str, Any] = json.loads(path.read_text())
        addresses = {service: str(stored.get(service, "")) for service in SERVICES}
        stored_token = str(stored["token"])
    except FileNotFoundError:
        raise NotConfigured(
            f"no stack has been started in {folder}: start one with `loupe up --detach"
            f"{f' --data-dir {folder}' if folder != default_data_dir({}) else ''}`, or set LOUPE_TOKEN and "
            f"{', '.join(f'LOUPE_{service.upper()}_ADDRESS' for service in SERVICES[:3])}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotConfigured(f"{path} cannot be read ({error}); `loupe up` writes it anew") from error
    if data_dir is None:
        addresses |= {service: address for service, address in given.items() if address}
    nats = nats_url if nats_url and data_dir is None else str(stored.get("nats_url", ""))
    return replace(
        _profile(addresses, _sendable(token) or stored_token, nats, str(path)),
        gateway_url=str(stored.get("gateway_url", "")),
        authority=_authority(environ) or str(stored.get("https_authority", "")),
    )


def _sendable(token: str) -> str:
    """The token of the environment; NotConfigured if it is none, without telling it."""
    for place, character in enumerate(token, start=1):
        if not "!" <= character <= "~":
            raise NotConfigured(
                f"LOUPE_TOKEN holds a character that no token has (U+{ord(character):04X}, the "
                f"{place}. of {len(token)}); set it to the token alone, without line end or space"
            )
    return token


def _authority(environ: Mapping[str, str]) -> str:
    """LOUPE_HTTPS_AUTHORITY; NotConfigured if there is no such file."""
    named = environ.get("LOUPE_HTTPS_AUTHORITY", "")
    if named and not Path(named).is_file():
        raise NotConfigured(f"there is no file LOUPE_HTTPS_AUTHORITY={named}; copy the certificate there")
    return named


def _tls(environ: Mapping[str, str]) -> TlsSettings:
    try:
        return load(TlsSettings, environ)
    except SettingsError as error:
        raise NotConfigured(str(error)) from None


def _profile(addresses: Mapping[str, str], token: str, nats_url: str, source: str) -> Profile:
    lacking = [service for service in SERVICES[:3] if not addresses.get(service)]
    if lacking:
        raise NotConfigured(f"{source} names no address of {', '.join(lacking)}; `loupe up` writes it anew")
    gateway = addresses.get("gateway", "")
    return Profile(
        registry_address=addresses["registry"],
        scheduler_address=addresses["scheduler"],
        evaluator_address=addresses["evaluator"],
        gateway_address=gateway,
        gateway_url=f"http://{gateway}" if gateway else "",
        token=token,
        nats_url=nats_url,
        source=source,
    )
