"""Who a process is at NATS, and whom it believes: on the real server, by TLS, nkeys and credentials files."""

import base64
import binascii
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loupe.errors import Unavailable
from loupe.settings import SettingsError, load

from deploy.embedded.credentials import load_or_create
from deploy.embedded.nats import Nats
from deploy.embedded.ports import HOST, assign
from services.kit.messaging import Messaging
from services.kit.nats_access import NatsAccess, NatsSettings, UserKey
from services.kit.streams import StreamSettings, ensure_stream
from tests.support.nats_servers import nats_servers, spec_of
from tests.support.waiting import eventually

HOUR_S = 3600.0
SUBJECTS = ("kit.things.*.state",)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@contextlib.asynccontextmanager
async def nats_with(root: Path, **changes: object) -> AsyncIterator[str]:
    """The URL of a server with these settings, without a user."""
    server = Nats(
        root, port=assign(["nats"], {})["nats"], credentials=load_or_create(root / "credentials.json")
    )
    async with nats_servers([spec_of(server, root, **changes)], root):
        yield server.url


def tls_of(root: Path, authority: trustme.CA) -> dict[str, object]:
    """A server's settings: it shows a certificate, and asks for one."""
    issued = authority.issue_cert(HOST)
    files = {name: str(root / f"server.{name}") for name in ("cert", "key", "ca")}
    issued.cert_chain_pems[0].write_to_path(files["cert"])
    issued.private_key_pem.write_to_path(files["key"])
    authority.cert_pem.write_to_path(files["ca"])
    return {"cert_file": files["cert"], "key_file": files["key"], "ca_file": files["ca"], "verify": True}


def shown(root: Path, authority: trustme.CA, **more: str) -> NatsAccess:
    """The settings of a client that the server knows."""
    issued, files = (
        authority.issue_cert("registry"),
        [str(root / f"client.{name}") for name in ("cert", "key")],
    )
    issued.cert_chain_pems[0].write_to_path(files[0])
    issued.private_key_pem.write_to_path(files[1])
    return NatsAccess(authority=str(root / "server.ca"), certificate=files[0], key=files[1], **more)


async def works(url: str, access: NatsAccess) -> None:
    """A stream is made, and keeps a message."""
    async with await Messaging.connect(url, access=access, timeout_s=10) as messaging:
        await ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S)
        await messaging.publish("kit.things.1.state", b"x", message_id="1")


async def test_events_go_through_mutual_tls(tmp_path: Path, authority: trustme.CA) -> None:
    async with nats_with(tmp_path, tls=tls_of(tmp_path, authority)) as url:
        await works(url, shown(tmp_path, authority))
        stranger = tmp_path / "other.ca"
        trustme.CA().cert_pem.write_to_path(stranger)
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await Messaging.connect(url, timeout_s=2, access=NatsAccess(authority=str(stranger)))


async def test_no_password_goes_to_a_server_without_tls(nats_url: str) -> None:
    """nats-py goes on in plain, and with `tls://` too: whoever is in between gets the password."""
    with pytest.raises(Unavailable, match="does not offer TLS"):
        await Messaging.connect(nats_url.replace("nats://", "tls://"), timeout_s=2)


class Identity:
    """An operator, an account or a user of NATS, with its key."""

    _KINDS = {"O": 14 << 3, "A": 0, "U": 20 << 3}  # noqa: RUF012 -- a constant

    def __init__(self, kind: str) -> None:
        self._kind = self._KINDS[kind]
        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """By which others know it."""
        return self._text(bytes([self._kind]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        """As `nk -gen` writes it: what it is stands in the second byte, too."""
        head = bytes([18 << 3 | self._kind >> 5, (self._kind & 31) << 3])
        return self._text(head + self._key.private_bytes_raw())

    @staticmethod
    def _text(body: bytes) -> str:
        return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).decode().rstrip("=")

    def says(self, of: "Identity", **claims: object) -> str:
        """A token that this one signs."""

        def part(content: object) -> str:
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            return base64.urlsafe_b64encode(text).decode().rstrip("=")

        payload = {
            "jti": secrets.token_hex(16),
            "iat": int(time.time()),
            "iss": self.public,
            "sub": of.public,
            "name": "loupe",
            "nats": {"version": 2, **claims},
        }
        signed = f"{part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{part(payload)}"
        return f"{signed}.{part(self._key.sign(signed.encode()))}"


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_user_is_known_by_an_nkey(tmp_path: Path, authority: trustme.CA, encrypted: bool) -> None:  # noqa: FBT001 -- a case
    """The server keeps no password that could be stolen from it."""
    user = Identity("U")
    changes: dict[str, Any] = {"tls": tls_of(tmp_path, authority)} if encrypted else {}
    authorization = {"users": [{"nkey": user.public}]}
    async with nats_with(tmp_path, accounts=None, authorization=authorization, **changes) as url:
        bare = without_user(url)

        def access(seed: str) -> NatsAccess:
            return shown(tmp_path, authority, nkey_seed=seed) if encrypted else NatsAccess(nkey_seed=seed)

        await works(bare, access(user.seed))
        with pytest.raises(Unavailable, match="Authorization Violation"):
            await Messaging.connect(bare, timeout_s=2, access=access(Identity("U").seed))


def without_user(url: str) -> str:
    return f"nats://{url.rpartition('@')[2]}"


def credentials_file(path: Path, token: str, user: Identity) -> str:
    """As `nsc generate creds` writes it."""
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        "************************* IMPORTANT *************************\n"
        "NKEY Seed printed below can be used to sign and prove identity.\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return str(path)


class Operated:
    """What an operator signs: an account with JetStream, and that of the system."""

    def __init__(self) -> None:
        self._operator, self._account, self._system = Identity("O"), Identity("A"), Identity("A")

    def settings(self) -> dict[str, object]:
        """Of a server that the operator set up."""
        unlimited = dict.fromkeys(
            [
                *("subs", "data", "payload", "imports", "exports", "conn", "leaf"),
                *("mem_storage", "disk_storage", "streams", "consumer"),
            ],
            -1,
        )
        limits = {**unlimited, "wildcards": True}
        off = {**limits, "mem_storage": 0, "disk_storage": 0}
        return {
            "accounts": None,
            "operator": self._operator.says(self._operator, type="operator"),
            "system_account": self._system.public,
            "resolver": "MEMORY",
            "resolver_preload": {
                self._account.public: self._operator.says(self._account, type="account", limits=limits),
                self._system.public: self._operator.says(self._system, type="account", limits=off),
            },
        }

    def admits(self, user: Identity) -> str:
        """The account's word for a user who may do anything in it."""
        return self._account.says(user, type="user", pub={}, sub={}, subs=-1, data=-1, payload=-1)


async def test_a_user_is_known_by_a_credentials_file_which_may_change(
    tmp_path: Path, authority: trustme.CA
) -> None:
    """An operator's tokens expire: the file is renewed, and the next connection shows what it holds then."""
    operated, first, second = Operated(), Identity("U"), Identity("U")
    file = credentials_file(tmp_path / "registry.creds", operated.admits(first), first)
    settings = operated.settings()
    async with nats_with(tmp_path, tls=tls_of(tmp_path, authority), **settings) as url:
        bare, access = without_user(url), shown(tmp_path, authority, credentials=file)
        async with await Messaging.connect(bare, access=access) as messaging:
            await ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S)
            credentials_file(Path(file), operated.admits(second), second)
            # As a network does that breaks.
            messaging.client._transport.close()
            await eventually(lambda: messaging.client.stats["reconnects"] == 1 and messaging.connected)
            await messaging.publish("kit.things.1.state", b"x", message_id="1")
        stranger = Operated()
        credentials_file(Path(file), stranger.admits(first), first)
        with pytest.raises(Unavailable, match="Authorization Violation"):
            await Messaging.connect(bare, timeout_s=2, access=access)


async def test_nobody_goes_on_without_the_signature_that_was_asked_for(nats_url: str) -> None:
    """A server that knows no keys takes whoever comes: it is another one than was meant."""
    access = NatsAccess(nkey_seed=Identity("U").seed)
    with pytest.raises(Unavailable, match="asks for no signature"):
        await Messaging.connect(without_user(nats_url), timeout_s=2, access=access)


def test_a_seed_is_known_by_its_public_key() -> None:
    user = Identity("U")
    assert user.seed.startswith("SU")
    assert UserKey(user.seed).public == user.public


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        ({"LOUPE_NATS_TLS_KEY": "x"}, "LOUPE_NATS_TLS_CERTIFICATE and LOUPE_NATS_TLS_KEY are set together"),
        ({"LOUPE_NATS_TLS_AUTHORITY": "/none"}, "there is no file LOUPE_NATS_TLS_AUTHORITY=/none"),
        ({"LOUPE_NATS_NKEY_SEED": "SUABC"}, "LOUPE_NATS_NKEY_SEED: it is no nkey seed, or it is cut short"),
        ({"LOUPE_NATS_NKEY_SEED": Identity("A").seed}, "it is not the seed of a user, which begins with SU"),
        ({"LOUPE_NATS_CREDENTIALS": "/none"}, "LOUPE_NATS_CREDENTIALS: /none cannot be read"),
        ({"LOUPE_NATS_CREDENTIALS": __file__}, "is no credentials file of NATS"),
        (
            {"LOUPE_NATS_URL": "nats://loupe:secret@host", "LOUPE_NATS_NKEY_SEED": Identity("U").seed},
            "LOUPE_NATS_URL names a user, and so does",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(environment: dict[str, str], fault: str) -> None:
    """Found at the first connection it would look like a NATS that is away."""
    with pytest.raises(SettingsError, match=fault) as refused:
        load(NatsSettings, {"LOUPE_NATS_URL": "nats://host", **environment})
    assert environment.get("LOUPE_NATS_NKEY_SEED", "secret") not in str(refused.value)


def test_the_user_of_copies_has_credentials_of_its_own(tmp_path: Path) -> None:
    user = Identity("U")
    file = credentials_file(tmp_path / "mirrors.creds", Operated().admits(user), user)
    given = {"LOUPE_NATS_MIRRORS_CREDENTIALS": file}
    with pytest.raises(SettingsError, match="needs LOUPE_NATS_MIRRORS_URL"):
        load(StreamSettings, given)
    with pytest.raises(SettingsError, match="names a user"):
        load(StreamSettings, {**given, "LOUPE_NATS_MIRRORS_URL": "nats://a:b@host"})
    assert (
        load(StreamSettings, {**given, "LOUPE_NATS_MIRRORS_URL": "nats://host"}).mirrors_credentials == file
    )
