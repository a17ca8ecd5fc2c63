"""`loupe verify`: nothing of a package runs before its bytes are known to be the registry's."""

import asyncio
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from loupe.artifact import Artifact, ArtifactError
from loupe.client import AsyncLoupe
from loupe.profile import load_profile
from loupe.registry.v1 import model_pb2, model_service_pb2, model_service_pb2_grpc
from loupe.signatures import PublicKeys
from loupe.unpacking import NotAPackage, config_faults, copy
from loupe.verifying import Candidate, candidate

from services.evaluator.worker.packaging.models import PackageName, write_models
from services.evaluator.worker.packaging.native_library import find_compiler
from services.evaluator.worker.packaging.package import archive, build_package
from services.evaluator.worker.packaging.signing import Signer
from services.vision.weights import Weights, save_weights
from tests.support import packages

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
VERSION = "models/panel-surface/versions/v3.01"
NAME = PackageName("panel-surface", "v3.01")
LIBRARY = "libCsotArtifact.so"


@dataclass(frozen=True)
class Released:
    """A version whose weights any process can load."""

    weights: Weights
    files: dict[str, bytes]
    folder: Path
    """What the object store has."""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    folder = tmp_path_factory.mktemp("objects")
    weights = packages.weights(classifier="ResNet18", size=32)
    save_weights(folder / "weights", weights)
    package = build_package(weights, NAME)
    (folder / "package").write_bytes(package)
    return Released(weights, packages.files(package), folder)


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    """A library that writes a file as soon as it is loaded, and that file."""
    folder = tmp_path_factory.mktemp("forged")
    marker, source, built = folder / "ran", folder / "forged.cpp", folder / LIBRARY
    source.write_text(
        "#include <stdio.h>\n"
        f'__attribute__((constructor)) static void run() {{ fclose(fopen("{marker}", "w")); }}\n'
    )
    command = (*find_compiler().command, "-shared", "-fPIC", str(source), "-o", str(built))
    subprocess.run(command, check=True)
    return built.read_bytes(), marker


class Registry(model_service_pb2_grpc.ModelServiceServicer):
    """Knows one version, exported or not."""

    def __init__(self, objects: Path, url: str) -> None:
        self._objects = objects
        self._url = url
        self.is_exported = True
        self.keys: list[Ed25519PrivateKey] = []

    async def GetSigningKeys(  # noqa: N802 -- the contract's name
        self, _: model_service_pb2.GetSigningKeysRequest, _context: grpc.aio.ServicerContext[Any, Any]
    ) -> model_pb2.SigningKeys:
        known = PublicKeys([key.public_key() for key in self.keys]).pem()
        return model_pb2.SigningKeys(
            keys=[model_pb2.SigningKey(fingerprint=name, public_key=pem) for name, pem in known.items()]
        )

    async def GetModelVersion(  # noqa: N802 -- the contract's name
        self, request: model_service_pb2.GetModelVersionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> model_pb2.ModelVersion:
        if request.name != VERSION:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist")
        return model_pb2.ModelVersion(name=VERSION)

    async def LinkPackage(  # noqa: N802 -- the contract's name
        self, _: model_service_pb2.LinkPackageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> model_service_pb2.LinkPackageResponse:
        if not self.is_exported:
            told = status_pb2.Status(code=grpc.StatusCode.NOT_FOUND.value[0], message="not exported")
            told.details.add().Pack(error_details_pb2.ErrorInfo(reason="NOT_EXPORTED"))
            status = rpc_status.to_status(told)
            await context.abort(status.code, status.details, tuple(status.trailing_metadata))
        return model_service_pb2.LinkPackageResponse(
            url=f"{self._url}/package",
            file_name="panel-surface-v3.01.zip",
            package=model_pb2.Package(
                format=model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT, sha256=_sha256(self._objects / "package")
            ),
        )

    async def LinkWeights(  # noqa: N802 -- the contract's name
        self, _: model_service_pb2.LinkWeightsRequest, _context: grpc.aio.ServicerContext[Any, Any]
    ) -> model_service_pb2.LinkWeightsResponse:
        return model_service_pb2.LinkWeightsResponse(
            url=f"{self._url}/weights", sha256=_sha256(self._objects / "weights")
        )


@pytest.fixture(scope="module")
def objects(released: Released) -> Iterator[str]:
    """The object store: a web server of the folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(released.folder))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest_asyncio.fixture
async def registry(released: Released, objects: str, tmp_path: Path) -> AsyncIterator[Registry]:
    """Served, and named in the profile that lies in the test's folder."""
    registry = Registry(released.folder, objects)
    server = grpc.aio.server()
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(registry, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    addresses = dict.fromkeys(("registry", "scheduler", "evaluator"), f"127.0.0.1:{port}")
    (tmp_path / "client.json").write_text(json.dumps({**addresses, "token": "t"}))
    yield registry
    await server.stop(None)


async def checked(package: bytes, folder: Path, against: str | None = None) -> Candidate:
    """What is known of a package before it is run."""
    (folder / "given.zip").write_bytes(package)
    (folder / "private").mkdir()
    async with AsyncLoupe(load_profile(folder)) as client:
        return await candidate(client, folder / "given.zip", against, folder / "private")


Verify = Callable[..., Awaitable[tuple[int, Any, str]]]


@pytest.fixture
def verify(registry: Registry, tmp_path: Path) -> Verify:
    """The command, on a package: its exit code, its answer and what it said."""
    assert registry.is_exported
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    packages.pictures(pictures, 2)

    async def run(
        package: bytes | Path, *options: str | Path, data_dir: Path = tmp_path, with_images: bool = True
    ) -> tuple[int, Any, str]:
        path = package if isinstance(package, Path) else tmp_path / "given.zip"
        if isinstance(package, bytes):
            path.write_bytes(package)
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loupe.cli", "verify", str(path)),
            *((str(pictures),) if with_images else ()),
            *("--json", "--data-dir", str(data_dir), *map(str, options)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        try:
            out, told = await command.communicate()
        finally:
            if command.returncode is None:
                command.kill()
                await command.wait()
        assert command.returncode is not None
        return command.returncode, json.loads(out) if out else None, told.decode()

    return run


@pytest.mark.usefixtures("registry")
async def test_the_registrys_file_may_be_run(released: Released, tmp_path: Path) -> None:
    """X3: what was exported is known by its bytes, and so are its files in another zip."""
    its = await checked((released.folder / "package").read_bytes(), tmp_path)
    assert (its.version.name, its.is_on_record, its.is_released_file) == (VERSION, True, True)
    again = tmp_path / "again"
    again.mkdir()
    (tmp_path / "client.json").rename(again / "client.json")
    backwards = dict(reversed(released.files.items()))
    its = await checked(archive(backwards), again)
    assert (its.is_on_record, its.is_released_file, its.changed) == (True, False, ())


async def test_a_forged_library_is_refused_by_name_and_does_not_run(
    released: Released, forged: tuple[bytes, Path], verify: Verify, tmp_path: Path
) -> None:
    """A package is a program: whoever checks a stranger's must not run it to find out."""
    library, marker = forged
    files = {**released.files, LIBRARY: library}
    for package in (archive(files), packages.unpacked(files, tmp_path / "unpacked")):
        code, told, said = await verify(package)
        assert not marker.exists()
        assert (code, told) == (1, None)
        assert f"{LIBRARY} has SHA-256 {hashlib.sha256(library).hexdigest()}" in said
        assert "models.xbin" not in said


async def test_other_networks_are_refused_by_name(released: Released, verify: Verify) -> None:
    """They need not show on the images that somebody happened to try."""
    models = bytearray(released.files["models.xbin"])
    models[-1] ^= 1
    code, told, said = await verify(archive({**released.files, "models.xbin": bytes(models)}))
    assert (code, told) == (1, None)
    assert "models.xbin has SHA-256" in said


async def test_what_is_no_package_is_told_by_its_path_once(
    released: Released, verify: Verify, tmp_path: Path
) -> None:
    """A sentence that repeats a long path is read by nobody."""
    nameless = archive({**released.files, "config.yaml": b"model:\n"})
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / "config.yaml").mkdir()
    for package, path in ((b"no zip", "given.zip"), (nameless, "given.zip"), (folder, "unpacked")):
        code, told, said = await verify(package)
        assert (code, told) == (1, None)
        assert said.count(str(tmp_path / path)) == 1, said


async def test_without_a_record_only_the_networks_are_compared(
    released: Released, forged: tuple[bytes, Path], registry: Registry, verify: Verify
) -> None:
    """There is nothing to know the library by: it does not run, and the answer says so."""
    library, marker = forged
    registry.is_exported = False
    code, told, said = await verify(archive({**released.files, LIBRARY: library}))
    assert not marker.exists()
    assert (code, told["agrees"], told["isReleasedFile"]) == (0, True, False), said
    assert told["isLibraryChecked"] is False


@pytest.mark.usefixtures("registry")
async def test_a_package_of_another_installation_may_not_be_run(released: Released, tmp_path: Path) -> None:
    """Under another name the same weights are other bytes, and the record of ours says nothing of them."""
    theirs = build_package(released.weights, PackageName("theirs", "v1.01"))
    its = await checked(theirs, tmp_path, "panel-surface@v3.01")
    assert (its.version.name, its.is_on_record, its.is_released_file) == (VERSION, False, False)


async def test_tampered_networks_without_a_record_do_not_agree(
    released: Released, registry: Registry, verify: Verify
) -> None:
    """The networks are judged by what they answer, in a library that is not theirs."""
    registry.is_exported = False
    other = packages.weights(classifier="ResNet18", size=32)
    for name in ("fc.weight", "fc.bias"):
        other.tensors[name].copy_(other.tensors[name].roll(1, 0))
    package = packages.with_models(released.files, write_models(other, NAME))
    code, told, said = await verify(archive(package))
    assert (code, told["agrees"]) == (1, False)
    assert "does not say what" in said


@pytest.mark.usefixtures("registry")
async def test_what_an_operator_changed_is_named(released: Released, tmp_path: Path) -> None:
    """X2: thresholds in config.yaml are the operator's; library and networks are still the registry's."""
    config = released.files["config.yaml"].replace(b"confidence: 0.0", b"confidence: 0.5")
    assert config != released.files["config.yaml"]
    its = await checked(archive({**released.files, "config.yaml": config}), tmp_path)
    assert (its.is_on_record, its.is_released_file, its.changed) == (True, False, ("config.yaml",))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        # Two codes swapped: the library ignores it, and who reads the file is misled.
        (b'"SPOT"', b'"SWAP"', ("'  - code: \"SWAP\"', the registry has '  - code: \"SPOT\"'",)),
        (b"\n...\n", b"\n  x: 1\n...\n", ("'  x: 1', the registry has '...'",)),
        (b"model:\n", b"model: # \nmodel:\n", ("model: '', the registry has nothing",)),
        (b"format_version: 1", b"format_version: 2", ("format_version: '2', the registry has '1'",)),
        (b"model:\n", b"codes:\n  - a\nmodel:\n", ("codes:",)),
    ],
)
async def test_what_people_read_in_a_package_is_the_registrys(
    released: Released, verify: Verify, old: bytes, new: bytes, told: tuple[str, ...]
) -> None:
    """X2: a person or an MES reads the codes there; no other but the thresholds are the operator's."""
    config = released.files["config.yaml"].replace(old, new, 1)
    assert config != released.files["config.yaml"]
    code, answer, said = await verify(archive({**released.files, "config.yaml": config}))
    assert (code, answer) == (1, None)
    assert "nothing of it was run:\nconfig.yaml, " in said
    assert all(one in said for one in told), said


def test_an_operator_may_change_thresholds_and_write_comments() -> None:
    """X2: with an editor of Windows too."""
    before = b'filter_resolution: false\nthresholds:\n  confidence: 0.0\nmodel:\n  name: "m"\n...\n'
    after = (
        b"# by Li\nfilter_resolution: true  # as agreed\nthresholds:\n  confidence: 0.9\nmin_area_px:\n"
        b'  SPOT: 12\nmodel:\n  name: "m"\n...\n'
    )
    assert config_faults(after, before) == []
    assert config_faults(after.replace(b"\n", b"\r\n"), before) == []
    swapped = config_faults(after.replace(b'"m"', b'"n"'), before)
    assert swapped == ["""line 8: '  name: "n"', the registry has '  name: "m"'"""]


def signed(package: bytes, folder: Path, key: Ed25519PrivateKey = KEY) -> bytes:
    """The zip as a worker of an installation signs it."""
    path = folder / "to-sign.zip"
    path.write_bytes(package)
    Signer(key).sign(path, "panel-surface@v3.01", "tasks/e1")
    return path.read_bytes()


def keys_file(path: Path, *keys: Ed25519PrivateKey) -> Path:
    """The public keys as `loupe keys -o` saves them."""
    path.write_text("".join(PublicKeys([key.public_key() for key in keys]).pem().values()))
    return path


async def test_a_signature_is_checked_without_a_server(
    released: Released, forged: tuple[bytes, Path], verify: Verify, tmp_path: Path
) -> None:
    """X6: an inspection machine has the package and a key, and neither our network nor torch."""
    alone: dict[str, Any] = {"data_dir": tmp_path / "nothing", "with_images": False}
    keys = keys_file(tmp_path / "keys.pem", OTHER, KEY)
    package = signed(archive(released.files), tmp_path)
    code, told, said = await verify(package, "--key", keys, **alone)
    assert (code, told) == (
        0,
        {
            "modelVersion": VERSION,
            "isSigned": True,
            "signingKey": Signer(KEY).fingerprint,
            "task": "tasks/e1",
            "isConfigChanged": False,
        },
    ), said
    library, marker = forged
    files = {**packages.files(package), LIBRARY: library}
    others = keys_file(tmp_path / "others.pem", OTHER)
    for refused, by, why in (
        (archive(files), keys, "not those that the key"),
        (archive(released.files), keys, "it is not signed"),
        (package, others, "none of the keys that are trusted"),
    ):
        code, told, said = await verify(refused, "--key", by, **alone)
        assert (code, told) == (1, None)
        assert "nothing of it was run" in said
        assert why in said
    assert not marker.exists()
    assert "已拒绝" in (await verify(archive(files), "--key", keys, "--lang", "zh", **alone))[2]


async def test_a_signature_must_be_by_a_key_of_the_registry(
    released: Released, registry: Registry, verify: Verify, tmp_path: Path
) -> None:
    """X6: old keys count too; a package from before there were keys is said to be unsigned."""
    package = signed(archive(released.files), tmp_path)
    registry.is_exported = False
    for keys, why in (
        ([], "none of the keys that are trusted"),
        ([OTHER], "none of the keys that are trusted"),
    ):
        registry.keys = keys
        code, told, said = await verify(package, with_images=False)
        assert (code, told) == (1, None)
        assert why in said
    registry.keys = [OTHER, KEY]
    code, told, said = await verify(package, with_images=False)
    assert (code, told["isSigned"], told["signingKey"]) == (0, True, Signer(KEY).fingerprint), said
    registry.is_exported = True
    code, told, said = await verify((released.folder / "package").read_bytes())
    assert (code, told["isSigned"], told["isReleasedFile"], told["agrees"]) == (0, False, True, True), said


def _zipped(path: Path, *entries: tuple[str, bytes, int]) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, data, mode in entries:
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, mode << 16
            zipped.writestr(entry, data)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_odd_zips_are_no_packages(tmp_path: Path) -> None:
    """Two entries of one name show the checker one and the loader the other; a path leads elsewhere."""
    file, link = 0o100644, 0o120777
    whole = [("config.yaml", b"c", file), ("models.xbin", b"m", file), (LIBRARY, b"l", file)]
    for number, entries in enumerate(
        (
            [*whole, ("config.yaml", b"other", file)],
            [*whole, ("more", b"", file)],
            [*whole[:2], (f"../{LIBRARY}", b"l", file)],
            [*whole[:2], (f"{LIBRARY}/", b"", 0o40755)],
            whole[:2],
        )
    ):
        package = _zipped(tmp_path / f"{number}.zip", *entries)
        with pytest.raises(NotAPackage):
            copy(package, tmp_path / str(number))
        with pytest.raises(ArtifactError, match="CSOT_CORRUPT"):
            Artifact(package)
    encrypted = bytearray(_zipped(tmp_path / "encrypted.zip", *whole).read_bytes())
    for at in (encrypted.index(b"PK\1\2") + 8, encrypted.index(b"PK\3\4") + 6):
        encrypted[at] |= 1
    (tmp_path / "encrypted.zip").write_bytes(encrypted)
    with pytest.raises(NotAPackage):
        copy(tmp_path / "encrypted.zip", tmp_path / "encrypted")
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        damaged = tmp_path / f"damaged-{method}.zip"
        with zipfile.ZipFile(damaged, "w", method) as zipped:
            for name, data, _ in whole:
                zipped.writestr(name, data * 100)
        content = bytearray(damaged.read_bytes())
        at = content.index(b"config.yaml") + len("config.yaml")
        content[at : at + 9] = b"\xff" * 9
        damaged.write_bytes(content)
        with pytest.raises(NotAPackage, match="cannot be unpacked"):
            copy(damaged, tmp_path / f"damaged-{method}")
    # A link is not followed: it is a file with the link's text.
    linked = copy(_zipped(tmp_path / "link.zip", *whole[:2], (LIBRARY, b"/etc/passwd", link)), tmp_path / "l")
    assert not (linked.folder / LIBRARY).is_symlink()
    assert linked.files[LIBRARY] == hashlib.sha256(b"/etc/passwd").hexdigest()


def test_what_is_not_a_file_is_no_package(tmp_path: Path) -> None:
    """A named pipe would hang whoever reads it."""
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(NotAPackage):
        copy(tmp_path / "pipe.zip", tmp_path / "copy")
    with pytest.raises(ArtifactError, match="CSOT_CORRUPT"):
        Artifact(tmp_path / "pipe.zip")


@pytest.mark.parametrize("is_zip", [True, False])
def test_the_bytes_that_were_hashed_are_those_that_are_loaded(
    released: Released, tmp_path: Path, *, is_zip: bool
) -> None:
    """Whoever may write to the package must not change it between check and use."""
    package = packages.unpacked(released.files, tmp_path / "package")
    if is_zip:
        package = tmp_path / "package.zip"
        package.write_bytes(archive(released.files))
    contents = copy(package, tmp_path / "copy")
    for path in [package] if is_zip else list(package.iterdir()):
        path.write_bytes(b"changed")
    for name, data in released.files.items():
        assert (contents.folder / name).read_bytes() == data
        assert contents.files[name] == hashlib.sha256(data).hexdigest()
    assert contents.folder.stat().st_mode & 0o077 == 0
    assert contents.model_version == "panel-surface@v3.01"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
