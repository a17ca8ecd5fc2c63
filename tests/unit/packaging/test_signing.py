"""X6: a package says which installation made it, and whoever has its key sees every change."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from loupe.signatures import BadKey, BadSignature, PublicKeys, Signed, read_private_key
from loupe.unpacking import copy

from deploy.embedded.errors import ServerUnusable
from deploy.embedded.signing_keys import load_or_create
from services.evaluator.worker.packaging.package import archive
from services.evaluator.worker.packaging.signing import Signer
from tests.support import packages

CONFIG, MODELS, LIBRARY = "config.yaml", "models.xbin", "libCsotArtifact.so"
VERSION, TASK = "panel-surface@v3.01", "tasks/e1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS = PublicKeys([KEY.public_key()])

Check = Callable[..., Signed]


def signed(files: dict[str, bytes], folder: Path, key: Ed25519PrivateKey = KEY) -> dict[str, bytes]:
    """The files of a package as the worker signs them."""
    path = folder / "to-sign.zip"
    path.write_bytes(archive(files))
    Signer(key).sign(path, VERSION, TASK)
    return packages.files(path.read_bytes())


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Checks a package's files with keys, by default its own installation's."""
    number = 0

    def checked(files: dict[str, bytes], keys: PublicKeys = KEYS) -> Signed:
        nonlocal number
        number += 1
        given = tmp_path / f"{number}.zip"
        given.write_bytes(archive(files))
        return keys.require(copy(given, tmp_path / str(number)))

    return checked


def test_a_signed_package_is_the_same_package(small: dict[str, bytes], tmp_path: Path, check: Check) -> None:
    """X1: three files; networks and library stay as they were, and equal keys give equal bytes."""
    package = signed(small, tmp_path)
    assert list(package) == list(small)
    assert {name for name in small if package[name] != small[name]} == {CONFIG}
    assert package == signed(small, tmp_path)
    its = check(package)
    assert (its.signature.version, its.signature.task, its.is_config_changed) == (VERSION, TASK, False)
    assert f"# Signed with the key {its.signature.key}:\n" in package[CONFIG].decode()


@pytest.mark.parametrize("name", [MODELS, LIBRARY])
@pytest.mark.parametrize("at", [0, -1])
def test_a_changed_byte_of_a_program_is_seen(
    small: dict[str, bytes], tmp_path: Path, check: Check, name: str, at: int
) -> None:
    """Networks and library are what runs."""
    package = signed(small, tmp_path)
    data = bytearray(package[name])
    data[at] ^= 1
    with pytest.raises(BadSignature, match="not those that the key"):
        check({**package, name: bytes(data)})


def test_a_changed_byte_of_the_configuration_is_seen(small: dict[str, bytes], tmp_path: Path) -> None:
    """Every byte: it is refused, or, in what an operator may change, told."""
    package = signed(small, tmp_path)
    (tmp_path / "package.zip").write_bytes(archive(package))
    contents = copy(tmp_path / "package.zip", tmp_path / "package")
    config = package[CONFIG]
    told = 0
    for at in range(len(config)):
        changed = bytearray(config)
        changed[at] ^= 1
        (contents.folder / CONFIG).write_bytes(changed)
        try:
            its = KEYS.require(contents)
        except BadSignature:
            continue
        assert its.is_config_changed, f"byte {at}: {config[at - 10 : at + 10]!r}"
        told += 1
    assert 0 < told < len(config) / 2


def test_what_an_operator_may_change_stays_signed(
    small: dict[str, bytes], tmp_path: Path, check: Check
) -> None:
    """X2: thresholds are the machine's business, with an editor of Windows too; that is told."""
    package = signed(small, tmp_path)
    config = package[CONFIG].replace(b"confidence: 0.0", b"confidence: 0.5  # by Li")
    assert config != package[CONFIG]
    for edited in (config, config.replace(b"\n", b"\r\n")):
        assert check({**package, CONFIG: edited}).is_config_changed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"SPOT"', b'"SWAP"'),
        (b"\nmodel:\n", b"\nmodel: # \nmodel:\n"),
        (b"\nmodel:\n", b"\nmore: 1\nmodel:\n"),
        (b"format_version: 1", b"format_version: 2"),
        (b"\nsha256:\n", b"\nthresholds2:\n  x: 1\nsha256:\n"),
        (b'  task: "tasks/e1"', b'  task: "tasks/e2"'),
        (b"\nsignature:\n", b"\nsignature:\nsignature:\n"),
    ],
)
def test_anything_else_in_the_configuration_is_refused(
    small: dict[str, bytes], tmp_path: Path, check: Check, old: bytes, new: bytes
) -> None:
    """People and MES read the codes there."""
    package = signed(small, tmp_path)
    config = package[CONFIG].replace(old, new, 1)
    assert config != package[CONFIG]
    with pytest.raises(BadSignature):
        check({**package, CONFIG: config})


def test_another_installations_key_signs_nothing_here(
    small: dict[str, bytes], tmp_path: Path, check: Check
) -> None:
    """Whoever has a Loupe can sign; only the keys that are trusted count, under their own name too."""
    theirs = signed(small, tmp_path, OTHER)
    with pytest.raises(BadSignature, match="none of the keys that are trusted"):
        check(theirs)
    ours = signed(small, tmp_path)
    named = theirs[CONFIG].replace(name(OTHER).encode(), name(KEY).encode())
    with pytest.raises(BadSignature, match="not those that the key"):
        check({**ours, CONFIG: named})


def name(key: Ed25519PrivateKey) -> str:
    return next(iter(PublicKeys([key.public_key()]).pem()))


def test_a_stripped_signature_and_a_swapped_configuration_are_refused(
    small: dict[str, bytes], tmp_path: Path, check: Check
) -> None:
    """The first would pass for an old package, the second has a signature that is right for other files."""
    with pytest.raises(BadSignature, match="it is not signed"):
        check(small)
    package = signed(small, tmp_path)
    other = signed({**small, MODELS: small[MODELS] + b"x"}, tmp_path)
    with pytest.raises(BadSignature, match="not those that the key"):
        check({**package, CONFIG: other[CONFIG]})


def test_a_rotated_key_keeps_old_packages_and_signs_new_ones(
    small: dict[str, bytes], tmp_path: Path, check: Check
) -> None:
    """What an older key signed runs on machines for years."""
    folder = tmp_path / "signing"
    first = load_or_create(folder)
    assert stat.S_IMODE(first.private.stat().st_mode) == 0o600
    old = signed(small, tmp_path, read_private_key(first.private))
    assert load_or_create(folder) == first
    assert len(PublicKeys.read(first.public).pem()) == 1
    first.private.unlink()
    new = signed(small, tmp_path, read_private_key(load_or_create(folder).private))
    assert old[CONFIG] != new[CONFIG]
    keys = PublicKeys.read(first.public)
    newest = check(new, keys).signature.key
    assert list(keys.pem()) == [check(old, keys).signature.key, newest]


def test_a_key_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A worker that signs with another key, or not at all, would be found out on the machines."""
    path = tmp_path / "private.pem"
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o604)
    with pytest.raises(BadKey, match="chmod 600"):
        read_private_key(path)
    path.chmod(0o600)
    assert read_private_key(path).private_bytes_raw() == KEY.private_bytes_raw()
    path.write_text("no key")
    with pytest.raises(BadKey, match="no Ed25519 key"):
        read_private_key(path)
    with pytest.raises(BadKey, match="no public key"):
        PublicKeys.read(path)
    whole = PublicKeys([KEY.public_key(), OTHER.public_key()]).pem().values()
    for text, told in (
        ("".join(whole)[:-20], "key 2 of"),
        ("".join(whole).replace("MCow", "MCox", 1), "key 1 of"),
        ("x" * (2**20 + 1), "longer than"),
    ):
        (tmp_path / "public.pem").write_text(text)
        with pytest.raises(BadKey, match=told):
            PublicKeys.read(tmp_path / "public.pem")
    with pytest.raises(ServerUnusable, match="restore"):
        load_or_create(tmp_path)


def test_only_the_version_of_the_job_is_signed(small: dict[str, bytes], tmp_path: Path) -> None:
    """A child that was taken over must not get a signature for another version."""
    path = tmp_path / "package.zip"
    path.write_bytes(archive(small))
    with pytest.raises(ValueError, match="the package is of panel-surface"):
        Signer(KEY).sign(path, "panel-surface@v3.02", TASK)
