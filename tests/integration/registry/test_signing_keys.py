"""X6: the registry shows by which keys its installation's packages are known."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loupe.access.v1 import access_pb2
from loupe.registry.v1 import model_service_pb2
from loupe.settings import SettingsError, load
from loupe.signatures import PublicKeys

from services.kit.lifecycle import Process
from services.registry.__main__ import serve
from services.registry.settings import Settings

from .conftest import run_registry


async def test_everybody_may_see_the_keys_the_newest_first(
    module_service_environment: dict[str, str], tmp_path: Path
) -> None:
    """After a rotation the old key still stands there, for the packages that it signed."""
    keys = PublicKeys(
        Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32).public_key() for n in (1, 2)
    ).pem()
    path = tmp_path / "public.pem"
    path.write_text("".join(keys.values()))
    environment = {**module_service_environment, "LOUPE_SIGNING_PUBLIC_KEYS": str(path)}
    async for registry in run_registry(environment):
        viewer = await registry.with_role(access_pb2.ROLE_VIEWER)
        told = await viewer.models.GetSigningKeys(model_service_pb2.GetSigningKeysRequest())
        assert [(key.fingerprint, key.public_key) for key in told.keys] == list(reversed(keys.items()))


async def test_a_file_that_holds_no_key_is_refused_at_the_start(
    module_service_environment: dict[str, str], tmp_path: Path
) -> None:
    """Without keys every signed package would be refused, and nobody would know why."""
    (tmp_path / "public.pem").write_text("")
    environment = {**module_service_environment, "LOUPE_SIGNING_PUBLIC_KEYS": str(tmp_path / "public.pem")}
    with pytest.raises(SettingsError, match="has no public key in PEM"):
        await serve(Process(), load(Settings, environment))
