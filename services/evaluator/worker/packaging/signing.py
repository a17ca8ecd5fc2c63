"""Signs a package that a child made, with the key of the installation (X6).

No torch: the worker signs, and its child, which reads weights and pictures, has no use for the key.
"""

import hashlib
import shutil
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loupe.signatures import fingerprint, sign
from loupe.unpacking import CONFIG, LIBRARY, MODELS, model_version

_PART_BYTES = 1 << 20


class Signer:
    """Puts the installation's signature into packages."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.fingerprint = fingerprint(key.public_key())

    def sign(self, package: Path, version: str, task: str) -> None:
        """Replace a package by the same one with a signature; equal arguments give equal bytes.

        ValueError where the file is no package of `MODEL@VERSION`.
        """
        signed = package.with_name(f"{package.name}.signed")
        try:
            with zipfile.ZipFile(package) as source, zipfile.ZipFile(signed, "w") as target:
                self._copy(source, target, version, task)
        except (KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"{package} is no package: {error}") from error
        signed.replace(package)

    def _copy(self, source: zipfile.ZipFile, target: zipfile.ZipFile, version: str, task: str) -> None:
        config = source.read(CONFIG)
        if model_version(config) != version:
            raise ValueError(f"the package is of {model_version(config)}, not of {version}")
        files = {}
        for name in (MODELS, LIBRARY):
            digest = hashlib.sha256()
            with source.open(name) as file:
                while part := file.read(_PART_BYTES):
                    digest.update(part)
            files[name] = digest.hexdigest()
        for entry in source.infolist():
            copy = zipfile.ZipInfo(entry.filename, entry.date_time)
            copy.external_attr, copy.create_system = entry.external_attr, entry.create_system
            copy.compress_type, copy.file_size = entry.compress_type, entry.file_size
            if entry.filename == CONFIG:
                target.writestr(copy, sign(self._key, config, version, task, files))
            else:
                with source.open(entry) as file, target.open(copy, "w") as to:
                    shutil.copyfileobj(file, to)
