"""X6: libCsotArtifact opens what a trusted key signed, and judges as `loupe verify` does."""

import ctypes as c
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loupe.artifact import Artifact, ArtifactError
from loupe.signatures import BadSignature, PublicKeys
from loupe.unpacking import Contents, copy

from services.evaluator.worker.packaging.native_library import library
from services.evaluator.worker.packaging.package import archive
from services.evaluator.worker.packaging.signing import Signer
from tests.support import packages

pytestmark = pytest.mark.xdist_group("packaging")

CONFIG, MODELS, LIBRARY = "config.yaml", "models.xbin", "libCsotArtifact.so"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))

Open = Callable[..., tuple[str, str, int]]


class Description(c.Structure):
    """csot_description, as a program of this release knows it."""

    _fields_ = [
        ("struct_size", c.c_uint32),
        ("numbers", c.c_uint32 * 9),
        ("confidence_threshold", c.c_float),
        ("filters_resolution", c.c_uint32),
        *((text, c.c_char_p) for text in ("model", "version", "kernels", "signing_key")),
        ("config_changed", c.c_uint32),
    ]


def keys_file(path: Path, *keys: Ed25519PrivateKey) -> Path:
    path.write_text("".join(PublicKeys([key.public_key() for key in keys]).pem().values()))
    return path


def signed(files: dict[str, bytes], folder: Path, key: Ed25519PrivateKey = KEY) -> dict[str, bytes]:
    path = folder / "to-sign.zip"
    path.write_bytes(archive(files))
    Signer(key).sign(path, "panel-surface@v3.01", "tasks/e1")
    return packages.files(path.read_bytes())


@pytest.fixture
def package(small: dict[str, bytes], tmp_path: Path) -> dict[str, bytes]:
    """The files of a package that KEY signed."""
    return signed(small, tmp_path)


@pytest.fixture
def open_signed(tmp_path: Path) -> Open:
    """csot_open_signed of the library of this machine: its status, then who signed and whether it changed."""
    loaded = c.CDLL(str(library()))
    loaded.csot_status_name.restype = c.c_char_p
    trusted = keys_file(tmp_path / "keys.pem", KEY)

    def opened(files: dict[str, bytes] | Path, keys: Path | None = trusted) -> tuple[str, str, int]:
        folder = files if isinstance(files, Path) else tmp_path / "opened"
        if not isinstance(files, Path):
            packages.unpacked(files, folder)
        handle, description = c.c_void_p(), Description(c.sizeof(Description))
        status = loaded.csot_open_signed(
            str(folder).encode(), None if keys is None else str(keys).encode(), None, c.byref(handle)
        )
        if status == 0:
            assert loaded.csot_describe(handle, c.byref(description)) == 0
        told = (description.signing_key or b"").decode(), description.config_changed
        loaded.csot_close(handle)
        return loaded.csot_status_name(status).decode(), *told

    return opened


def test_a_signed_package_opens_and_says_by_whom(package: dict[str, bytes], open_signed: Open) -> None:
    """A program can write down which installation its model is from."""
    (fingerprint,) = PublicKeys([KEY.public_key()]).pem()
    assert open_signed(package) == ("CSOT_OK", fingerprint, 0)
    edited = package[CONFIG].replace(b"confidence: 0.0", b"confidence: 0.5").replace(b"\n", b"\r\n")
    assert open_signed({**package, CONFIG: edited}) == ("CSOT_OK", fingerprint, 1)


@pytest.mark.parametrize("name", [MODELS, LIBRARY, CONFIG])
def test_a_changed_byte_is_refused(package: dict[str, bytes], open_signed: Open, name: str) -> None:
    """In each of the three files, the library too, which is not run."""
    data = bytearray(package[name])
    data[-20] ^= 1
    assert open_signed({**package, name: bytes(data)})[0] == "CSOT_UNTRUSTED"


def test_other_keys_and_no_signature_are_refused(
    small: dict[str, bytes], package: dict[str, bytes], open_signed: Open, tmp_path: Path
) -> None:
    """Another installation's, a stripped one, and that of another package."""
    assert open_signed(signed(small, tmp_path, OTHER))[0] == "CSOT_UNTRUSTED"
    assert open_signed(small)[0] == "CSOT_UNTRUSTED"
    swapped = signed({**small, LIBRARY: small[LIBRARY] + b"x"}, tmp_path)[CONFIG]
    assert open_signed({**package, CONFIG: swapped})[0] == "CSOT_UNTRUSTED"


def test_a_rotated_key_is_one_of_several(
    small: dict[str, bytes], package: dict[str, bytes], open_signed: Open, tmp_path: Path
) -> None:
    """The file has old keys and new ones."""
    both = keys_file(tmp_path / "both.pem", OTHER, KEY)
    assert open_signed(package, both)[0] == "CSOT_OK"
    assert open_signed(signed(small, tmp_path, OTHER), both)[0] == "CSOT_OK"


def test_a_file_of_keys_that_cannot_be_used_is_told(
    package: dict[str, bytes], open_signed: Open, tmp_path: Path
) -> None:
    """Nothing opens for want of keys."""
    broken = tmp_path / "broken.pem"
    broken.write_text((tmp_path / "keys.pem").read_text().replace("MCow", "MCox"))
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    assert open_signed(package, broken)[0] == "CSOT_INVALID_ARGUMENT"
    assert open_signed(package, empty)[0] == "CSOT_INVALID_ARGUMENT"
    assert open_signed(package, None)[0] == "CSOT_INVALID_ARGUMENT"
    assert open_signed(package, tmp_path / "missing.pem")[0] == "CSOT_NOT_FOUND"


def test_library_and_command_judge_every_change_alike(
    package: dict[str, bytes], open_signed: Open, tmp_path: Path
) -> None:
    """Two readers of one text: what one refuses and the other takes is where an attack goes through."""
    folder = packages.unpacked(package, tmp_path / "judged")
    (tmp_path / "given.zip").write_bytes(archive(package))
    hashes = copy(tmp_path / "given.zip", tmp_path / "copied").files
    trusted = PublicKeys([KEY.public_key()])
    config = package[CONFIG]
    lines = config.split(b"\n")
    edits = [
        *(config[:at] + bytes([config[at] ^ 1]) + config[at + 1 :] for at in range(0, len(config), 3)),
        *(b"\n".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines))),
        *(b"\n".join([*lines[:at], lines[at] + b" # x", *lines[at + 1 :]]) for at in range(len(lines))),
        *(b"\n".join([*lines[:at], b" " + lines[at], *lines[at + 1 :]]) for at in range(len(lines))),
        *(b"\n".join([*lines[:at], b"thresholds", *lines[at:]]) for at in range(len(lines))),
        *(b"\n".join([*lines[:at], lines[at] + b"\r", *lines[at + 1 :]]) for at in range(len(lines))),
        *(config[:-end] for end in range(1, 8)),
        config + b"\n",
        b"",
    ]
    for edited in edits:
        (folder / CONFIG).write_bytes(edited)
        status, _, changed = open_signed(folder)
        try:
            its = trusted.require(Contents(folder, "", hashes))
        except BadSignature:
            assert status == "CSOT_UNTRUSTED", edited
            continue
        assert status != "CSOT_UNTRUSTED", edited
        assert status != "CSOT_OK" or bool(changed) == its.is_config_changed


def test_signatures_of_any_key_are_known(small: dict[str, bytes], open_signed: Open, tmp_path: Path) -> None:
    """Our Ed25519 agrees with another one: what was signed opens, and with a bit changed it does not."""
    chosen = random.Random(7)
    for _ in range(12):
        key = Ed25519PrivateKey.from_private_bytes(chosen.randbytes(32))
        files = signed(small, tmp_path, key)
        keys = keys_file(tmp_path / "its.pem", key)
        assert open_signed(files, keys)[0] == "CSOT_OK"
        at = files[CONFIG].index(b"  ed25519: ") + 11 + chosen.randrange(128)
        config = bytearray(files[CONFIG])
        config[at : at + 1] = b"%x" % (int(config[at : at + 1], 16) ^ 1 << chosen.randrange(4))
        assert open_signed({**files, CONFIG: bytes(config)}, keys)[0] == "CSOT_UNTRUSTED"


def test_python_checks_before_it_loads_the_library(
    small: dict[str, bytes], package: dict[str, bytes], tmp_path: Path
) -> None:
    """A package is a program: `Artifact(…, keys=…)` runs only what verifies."""
    keys = keys_file(tmp_path / "keys.pem", KEY)
    for given in (archive(package), None):
        path = tmp_path / "given.zip"
        if given:
            path.write_bytes(given)
        else:
            path = packages.unpacked(package, tmp_path / "folder")
        with Artifact(path, keys=keys) as artifact:
            assert artifact.description.version == "v3.01"
    for files in (small, {**package, LIBRARY: b"no library"}):
        path = tmp_path / "refused.zip"
        path.write_bytes(archive(files))
        with pytest.raises(ArtifactError, match="CSOT_UNTRUSTED"):
            Artifact(path, keys=keys)
    with pytest.raises(ArtifactError, match="CSOT_NOT_FOUND"):
        Artifact(tmp_path / "given.zip", keys=tmp_path / "no.pem")
