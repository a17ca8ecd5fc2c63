"""Mutual TLS for machines (A1): a gateway process in front of a gRPC server, certificates on both sides."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio
import trustme
from loupe.client import AsyncLoupe
from loupe.errors import Unavailable
from loupe.profile import NotConfigured, load_profile
from loupe.registry.v1 import identity_service_pb2
from loupe.rpc.channel import connect
from loupe.rpc.tls import TlsSettings
from loupe.settings import SettingsError, load

from gateway.events import StreamLimits
from tests.integration.gateway.installation import Installation, installation
from tests.support.services import service_process
from tests.support.waiting import DEADLINE_S


@dataclass
class Fab:
    """Certificates of one installation's authority, and of somebody else's."""

    folder: Path
    ours: trustme.CA = field(default_factory=trustme.CA)
    others: trustme.CA = field(default_factory=trustme.CA)

    def machine(self, name: str, authority: trustme.CA | None = None) -> dict[str, str]:
        """The settings of a machine whose certificate `authority` signed, ours if none is named."""
        signer = authority or self.ours
        issued = signer.issue_cert("127.0.0.1", "localhost", common_name=name)
        chain, key, root = (self.folder / f"{name}.{kind}" for kind in ("crt", "key", "ca"))
        issued.cert_chain_pems[0].write_to_path(chain)
        issued.private_key_pem.write_to_path(key)
        self.ours.cert_pem.write_to_path(root)
        return {
            "LOUPE_TLS_CERTIFICATE": str(chain),
            "LOUPE_TLS_KEY": str(key),
            "LOUPE_TLS_AUTHORITY": str(root),
        }


def settings_of(environment: dict[str, str]) -> TlsSettings:
    return load(TlsSettings, environment)


@pytest.fixture(scope="module")
def fab(tmp_path_factory: pytest.TempPathFactory) -> Fab:
    return Fab(tmp_path_factory.mktemp("certificates"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def behind(fab: Fab) -> AsyncIterator[Installation]:
    async with installation(StreamLimits(), settings_of(fab.machine("scheduler"))) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway_address(fab: Fab, behind: Installation) -> AsyncIterator[str]:
    own = fab.machine("gateway")
    environment = {
        **{
            f"LOUPE_{name}_ADDRESS": f"127.0.0.1:{behind.backend.port}"
            for name in ("REGISTRY", "SCHEDULER", "EVALUATOR")
        },
        **own,
        "LOUPE_HTTPS_CERTIFICATE": own["LOUPE_TLS_CERTIFICATE"],
        "LOUPE_HTTPS_KEY": own["LOUPE_TLS_KEY"],
        "LOUPE_HTTPS_CLIENT_AUTHORITY": own["LOUPE_TLS_AUTHORITY"],
    }
    async with service_process("gateway", environment, fab.folder / "gateway.log") as (_, address):
        yield address


def _context(machine: dict[str, str], *, shows: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=machine["LOUPE_TLS_AUTHORITY"])
    if shows:
        context.load_cert_chain(machine["LOUPE_TLS_CERTIFICATE"], machine["LOUPE_TLS_KEY"])
    return context


async def test_a1_a_machine_with_our_certificate_gets_through_both_hops(
    fab: Fab, gateway_address: str
) -> None:
    """HTTPS to the gateway, gRPC behind it; and who acts is still said by the token."""
    context = _context(fab.machine("dashboard"))
    async with httpx.AsyncClient(
        base_url=f"https://{gateway_address}", verify=context, timeout=DEADLINE_S
    ) as http:
        ready = await http.get("/readyz")
        assert ready.status_code == 200
        # Whoever connects sees the certificate anyhow; an operator sees when it ends.
        assert ready.json()["certificates"].keys() == {"tls", "https"}
        assert (await http.get("/v1/tasks")).json()["reason"] == "TOKEN_MISSING"
        me = await http.get("/v1/whoami", headers={"Authorization": "Bearer viewer-token"})
        assert me.json()["name"] == "users/vera"


@pytest.mark.parametrize("who", ["nobody", "stranger", "plain"])
async def test_a1_the_gateway_refuses_who_has_none(fab: Fab, gateway_address: str, who: str) -> None:
    """No certificate, somebody else's, or no TLS at all: refused before any of ours reads a request."""
    machine = fab.machine(who, fab.others if who == "stranger" else None)
    scheme = "http" if who == "plain" else "https"
    context = _context(machine, shows=who == "stranger")
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        async with httpx.AsyncClient(verify=context, timeout=DEADLINE_S) as http:
            await http.get(f"{scheme}://{gateway_address}/healthz")


async def test_a1_a_client_with_our_certificate_reaches_the_services(fab: Fab, behind: Installation) -> None:
    """The Python client and the `loupe` command read the same three settings."""
    address = f"127.0.0.1:{behind.backend.port}"
    environment = {
        f"LOUPE_{name}_ADDRESS": address for name in ("REGISTRY", "SCHEDULER", "EVALUATOR", "GATEWAY")
    } | {"LOUPE_TOKEN": "engineer-token"}
    async with AsyncLoupe(load_profile(None, environment | fab.machine("mes"))) as loupe:
        assert (await loupe.identity.WhoAmI(identity_service_pb2.WhoAmIRequest())).name == "users/emil"
    with pytest.raises(NotConfigured, match="LOUPE_TLS_KEY"):
        load_profile(None, environment | {"LOUPE_TLS_CERTIFICATE": "a", "LOUPE_TLS_AUTHORITY": "b"})


@pytest.mark.parametrize("who", ["nobody", "stranger", "plain"])
async def test_a1_the_services_refuse_who_has_none(fab: Fab, behind: Installation, who: str) -> None:
    """An MES machine that the fab's authority does not know gets no answer at all."""
    credentials = {
        "nobody": grpc.ssl_channel_credentials(fab.ours.cert_pem.bytes()),
        "stranger": settings_of(fab.machine("stranger", fab.others)).channel_credentials(),
        "plain": None,
    }[who]
    channel = connect(f"127.0.0.1:{behind.backend.port}", credentials=credentials, retries=False)
    async with channel:
        call = channel.unary_unary("/loupe.registry.v1.IdentityService/WhoAmI")
        with pytest.raises(Unavailable):
            await call(b"", timeout=DEADLINE_S, metadata=(("authorization", "Bearer viewer-token"),))


async def test_a1_a_client_refuses_a_server_that_is_not_ours(fab: Fab, behind: Installation) -> None:
    """Whoever sits at the address must not collect tokens."""
    machine = fab.machine("mes-2")
    fab.others.cert_pem.write_to_path(machine["LOUPE_TLS_AUTHORITY"])
    channel = connect(
        f"127.0.0.1:{behind.backend.port}",
        credentials=settings_of(machine).channel_credentials(),
        retries=False,
    )
    async with channel:
        call = channel.unary_unary("/loupe.registry.v1.IdentityService/WhoAmI")
        with pytest.raises(Unavailable):
            await call(b"", timeout=DEADLINE_S)


def test_a1_half_of_the_settings_is_a_fault(tmp_path: Path) -> None:
    """A forgotten key must not mean a server that talks in the clear."""
    with pytest.raises(SettingsError, match="LOUPE_TLS_KEY, LOUPE_TLS_AUTHORITY is not set"):
        settings_of({"LOUPE_TLS_CERTIFICATE": "a.pem"})
    missing = {name: str(tmp_path / "none") for name in _NAMES}
    with pytest.raises(SettingsError, match="there is no file LOUPE_TLS_CERTIFICATE="):
        settings_of(missing)
    assert settings_of({}).server_credentials() is None


_NAMES = ("LOUPE_TLS_CERTIFICATE", "LOUPE_TLS_KEY", "LOUPE_TLS_AUTHORITY")
