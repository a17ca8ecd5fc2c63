"""Keys of the object store that end and are renewed: from a file, and from the real STS of SeaweedFS."""

import asyncio
import base64
import contextlib
import http.server
import json
import threading
import time
import traceback
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from loupe.errors import Internal, Unavailable
from loupe.settings import SettingsError, load
from minio.credentials.credentials import Credentials

from deploy.embedded.credentials import load_or_create
from deploy.embedded.ports import assign
from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.seaweed import ObjectStoreSettings as Embedded
from deploy.embedded.seaweed import Seaweed
from deploy.embedded.supervisor import Supervisor
from services.kit.object_store import ObjectStore, ObjectStoreSettings
from services.kit.store_keys import StoreKeys
from tests.support.waiting import DEADLINE_S, eventually

ROLE = "arn:aws:iam::role/Loupe"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PORTS = ("seaweed_s3", "seaweed_master", "seaweed_filer", "seaweed_volume", "seaweed_admin")


def environment_of(store: Embedded) -> dict[str, str]:
    """Without the keys."""
    given = store.environment() | {"LOUPE_S3_KEYS": "aws"}
    return {name: value for name, value in given.items() if not name.endswith("_KEY")}


def profile(access_key: str, secret_key: str, token: str = "") -> str:
    """A file as AWS's clients read it."""
    lines = [f"aws_access_key_id = {access_key}", f"aws_secret_access_key = {secret_key}"]
    return "\n".join(["[default]", *lines, *([f"aws_session_token = {token}"] if token else []), ""])


async def test_keys_in_a_file_are_replaced_without_a_restart(
    object_store_settings: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vault's agent and orchestrators renew a file; keys that were read once would end the service's work."""
    file = tmp_path / "credentials"
    file.write_text(profile("nobody", "wrong"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    async with ObjectStore(load(ObjectStoreSettings, environment_of(object_store_settings))) as store:
        with pytest.raises(Internal, match="refused"):
            await store.put_bytes("a", b"x")
        renewed = tmp_path / "renewed"
        renewed.write_text(profile(object_store_settings.access_key, object_store_settings.secret_key))
        renewed.replace(file)
        await store.put_bytes("a", b"x")
        link = store.presign_get("a", expires_s=60, content_type="image/png")
        assert await asyncio.to_thread(_read, link) == b"x"
        # Half a file, as an editor leaves it: the keys before it stay in force.
        file.write_text("aws_secret_access_key")
        assert await store.exists("a")


def _read(link: str) -> bytes:
    with DIRECT.open(link) as answer:
        content: bytes = answer.read()
        return content


class IdentityProvider:
    """Signs who a process is, as Kubernetes does for a service account; stores ask it for its public key."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        provider = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """The key."""
                body = json.dumps(provider.published()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def serving(self) -> Iterator["IdentityProvider"]:
        """Until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def published(self) -> dict[str, object]:
        """The public key, and where it is, at once."""
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1"}
        key |= {"n": _part(numbers.n.to_bytes(256)), "e": _part(numbers.e.to_bytes(3))}
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", "keys": [key]}

    def token(self) -> str:
        """Of the process `loupe`, for five minutes."""
        head = {"alg": "RS256", "typ": "JWT", "kid": "1"}
        now = int(time.time())
        claims = {"iss": self.url, "sub": "loupe", "aud": "loupe", "iat": now, "exp": now + 300}
        signed = f"{_part(json.dumps(head).encode())}.{_part(json.dumps(claims).encode())}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_part(signature)}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _roles(provider: IdentityProvider) -> dict[str, Any]:
    """SeaweedFS's settings: who shows a token of the provider may use the role, which may do everything."""
    trust = {"Effect": "Allow", "Principal": {"Federated": "fab"}}
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "loupe-test",
            "signingKey": base64.b64encode(b"k" * 32).decode(),
            "providers": [
                {
                    "name": "fab",
                    "type": "oidc",
                    "enabled": True,
                    "config": {
                        "issuer": provider.url,
                        "clientId": "loupe",
                        "jwksUri": f"{provider.url}/keys",
                    },
                }
            ],
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [
            {
                "roleName": "Loupe",
                "roleArn": ROLE,
                "trustPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [{**trust, "Action": ["sts:AssumeRoleWithWebIdentity"]}],
                },
                "attachedPolicies": ["Objects"],
            }
        ],
        "policies": [
            {
                "name": "Objects",
                "document": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "sts:*"], "Resource": ["*"]}],
                },
            }
        ],
    }


def _with_options(server: Seaweed, **options: object) -> ProcessSpec:
    """The embedded server, with other options."""

    def prepare() -> Launch:
        launch = server.prepare()
        changed = tuple(f"-{name}=" for name in options)
        kept = [word for word in launch.command if not str(word).startswith(changed)]
        return replace(launch, command=(*kept, *(f"-{name}={value}" for name, value in options.items())))

    return replace(server.spec(), prepare=prepare)


@contextlib.asynccontextmanager
async def store_with(root: Path, **options: object) -> AsyncIterator[Embedded]:
    """A store with the bucket `loupe`."""
    server = Seaweed(
        root, ports=assign(list(PORTS), {}), credentials=load_or_create(root / "credentials.json")
    )
    supervisor = Supervisor([_with_options(server, **options)], log_dir=root)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
        await server.create_bucket("loupe")
        yield server.settings
    finally:
        await supervisor.stop(kill=True)


async def test_a_process_gets_keys_for_its_web_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pod's identity opens the bucket: no key is kept in the cluster, and each ends after an hour."""
    with IdentityProvider().serving() as provider:
        roles = tmp_path / "iam.json"
        roles.write_text(json.dumps(_roles(provider)))
        async with store_with(tmp_path, **{"s3.iam": "true", "s3.iam.config": roles}) as endpoint:
            file = tmp_path / "token"
            file.write_text(provider.token())
            for name, value in {
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
                "AWS_ROLE_ARN": ROLE,
                "AWS_ROLE_SESSION_NAME": "registry",
                "AWS_ENDPOINT_URL_STS": f"http://{endpoint.endpoint}",
                # It is for pip, and not for the STS.
                "http_proxy": "http://127.0.0.1:9",
            }.items():
                monkeypatch.setenv(name, value)
            async with ObjectStore(load(ObjectStoreSettings, environment_of(endpoint))) as store:
                await store.put_bytes("a", b"x")
                assert await store.get_bytes("a", max_bytes=1) == b"x"
                link = store.presign_get("a", expires_s=60, content_type="image/png")
                assert "X-Amz-Security-Token" in link
                assert await asyncio.to_thread(_read, link) == b"x"
                upload = store.presign_put("incoming/b", expires_s=60, size_bytes=1)
                assert await asyncio.to_thread(_write, upload, b"y") == 200
            with IdentityProvider().serving() as stranger:
                file.write_text(stranger.token())
            async with ObjectStore(load(ObjectStoreSettings, environment_of(endpoint))) as store:
                with pytest.raises(Unavailable, match=r"cannot be had \(HTTP status code \d+\)") as refused:
                    await store.exists("a")
            told = "".join(traceback.format_exception(refused.value)) + caplog.text
            assert file.read_text() not in told, "who reads the log could be the process for five minutes"


async def test_objects_go_by_tls_of_an_authority_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fab's own authority: `SSL_CERT_FILE` names it; without it nothing is sent."""
    authority, port = trustme.CA(), assign(["https"], {})["https"]
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "s3.pem")
    issued.private_key_pem.write_to_path(tmp_path / "s3.key")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    options = {"port.https": port, "cert.file": tmp_path / "s3.pem", "key.file": tmp_path / "s3.key"}
    async with store_with(tmp_path, **{f"s3.{name}": value for name, value in options.items()}) as plain:
        encrypted = replace(plain, endpoint=f"127.0.0.1:{port}", secure=True)
        settings = load(ObjectStoreSettings, encrypted.environment())
        async with ObjectStore(settings) as store:
            with pytest.raises(Unavailable):
                await store.put_bytes("a", b"x")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        async with ObjectStore(settings) as store:
            await store.put_bytes("a", b"x")
            assert await store.get_bytes("a", max_bytes=1) == b"x"
            assert store.presign_get("a", expires_s=60, content_type="image/png").startswith("https://")


def _write(link: str, body: bytes) -> int:
    with DIRECT.open(urllib.request.Request(link, data=body, method="PUT")) as answer:  # noqa: S310 -- a link of our own
        return int(answer.status)


class Source:
    """Gives keys for so long, or fails."""

    def __init__(self, lasting: timedelta) -> None:
        self.lasting = lasting
        self.asked = 0
        self.away = False

    def __call__(self) -> Credentials:
        """As STS, for instance."""
        self.asked += 1
        if self.away:
            raise ConnectionError("away")
        return Credentials(str(self.asked), "secret", "token", datetime.now(UTC) + self.lasting)


def test_keys_that_last_are_asked_for_once() -> None:
    source = Source(timedelta(hours=1))
    keys = StoreKeys(source)
    assert [keys.retrieve().access_key, keys.at_hand().access_key, keys.retrieve().access_key] == ["1"] * 3


async def test_keys_that_end_soon_are_renewed_before_and_go_on_while_their_source_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A source that is restarted for a minute must not end uploads whose keys are good for ten."""
    monkeypatch.setattr("services.kit.store_keys._PAUSE_S", 0.0)
    source = Source(timedelta(minutes=10))
    keys = StoreKeys(source)
    assert keys.retrieve().access_key == "1"
    source.away = True
    assert keys.retrieve().access_key == "1"
    assert source.asked == 2
    source.away = False
    # A link does not wait for it.
    assert keys.at_hand().access_key == "1"
    await eventually(lambda: source.asked >= 3)
    await eventually(lambda: int(keys.at_hand().access_key) >= 3)


def test_keys_that_have_ended_are_told() -> None:
    source = Source(timedelta(seconds=-1))
    keys = StoreKeys(source)
    keys.retrieve()
    source.away = True
    with pytest.raises(Unavailable) as told:
        keys.retrieve()
    assert told.value.reason == "OBJECT_STORE_KEYS_UNAVAILABLE"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "LOUPE_S3_ACCESS_KEY and LOUPE_S3_SECRET_KEY must be set, unless LOUPE_S3_KEYS=aws"),
        ({"LOUPE_S3_ACCESS_KEY": "a"}, "LOUPE_S3_SECRET_KEY must be set, unless LOUPE_S3_KEYS=aws"),
        (
            {"LOUPE_S3_KEYS": "aws", "LOUPE_S3_ACCESS_KEY": "a"},
            "LOUPE_S3_ACCESS_KEY and LOUPE_S3_KEYS=aws are both set; leave one out",
        ),
        ({"LOUPE_S3_KEYS": "vault"}, "LOUPE_S3_KEYS must be one of settings, aws"),
    ],
)
def test_keys_that_cannot_be_meant_are_refused_by_name(given: Mapping[str, str], fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        load(ObjectStoreSettings, {"LOUPE_S3_ENDPOINT": "host:1", **given})


def test_a_file_of_keys_that_is_no_use_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    given = {"LOUPE_S3_ENDPOINT": "host:1", "LOUPE_S3_KEYS": "aws"}
    with pytest.raises(SettingsError, match=r"AWS_SHARED_CREDENTIALS_FILE: .*No such file"):
        load(ObjectStoreSettings, given)
    (tmp_path / "none").write_text("secret\n")
    with pytest.raises(SettingsError, match="is no credentials file of AWS") as refused:
        load(ObjectStoreSettings, given)
    assert "secret" not in str(refused.value)
