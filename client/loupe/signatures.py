"""Signatures of packages (X6): Ed25519 by the key of an installation, in a section at the end of config.yaml.

What is signed is a text that names the key, the version, the task that made the package, the SHA-256 of each
of its three files, and that of the part of config.yaml which no operator may change. So a package whose
thresholds an operator changed is still known, and so is that they were changed. `statement` is the text;
runtime/src/signature.h says the same for the C library.

Nothing here runs or loads a package.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loupe.extras import SIGNATURES, needs
from loupe.language import pick
from loupe.translation import Sentence, sentence
from loupe.unpacking import CONFIG, LIBRARY, MODELS, Contents, NotAPackage, fixed_part

with needs(SIGNATURES):
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
        load_pem_public_key,
    )

_MOST_KEYS_BYTES = 2**20
# A key that is cut short is found too, and refused.
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?(?:-----END PUBLIC KEY-----|\Z)", re.DOTALL)
_BEGINS = re.compile(rb"^signature:", re.MULTILINE)
_SECTION = re.compile(
    rb"^signature:\r?\n"
    rb"  key: (?P<key>[0-9a-f]{64})\r?\n"
    rb'  version: "(?P<version>[^"\\\r\n]{1,600})"\r?\n'
    rb'  task: "(?P<task>[^"\\\r\n]{1,600})"\r?\n'
    rb"  config_sha256: (?P<config_sha256>[0-9a-f]{64})\r?\n"
    rb"  ed25519: (?P<value>[0-9a-f]{128})\r?\n"
    rb"(?=\.\.\.(?:\r?\n)?\Z)",
    re.MULTILINE,
)
_END = b"...\n"


class BadKey(ValueError):
    """The file holds no key that can be used; in both languages."""

    def __init__(self, told: Sentence) -> None:
        super().__init__(pick(*told))
        self.told = told


class BadSignature(ValueError):
    """The package is not signed, or not by a known key, or it was changed; in both languages."""

    def __init__(self, told: Sentence) -> None:
        super().__init__(pick(*told))
        self.told = told


@dataclass(frozen=True)
class Signature:
    """What the section says."""

    key: str
    """The fingerprint of the public key."""
    version: str
    """`MODEL@VERSION`; the signer has seen that config.yaml names the same."""
    task: str
    """The export task that made the package."""
    config_sha256: str
    """Of config.yaml as it was exported, without this section."""
    value: bytes

    def section(self) -> bytes:
        """As it stands in config.yaml."""
        lines = (
            "signature:",
            f"  key: {self.key}",
            f'  version: "{self.version}"',
            f'  task: "{self.task}"',
            f"  config_sha256: {self.config_sha256}",
            f"  ed25519: {self.value.hex()}",
        )
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True)
class Signed:
    """A package whose signature is right."""

    signature: Signature
    is_config_changed: bool
    """Whether an operator changed config.yaml, where an operator may."""


class PublicKeys:
    """The public keys of installations, by fingerprint, in the order of their file."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys = {fingerprint(key): key for key in keys}

    @classmethod
    def read(cls, path: Path) -> "PublicKeys":
        """Of a PEM file with one or more. BadKey, or OSError."""
        with path.open("rb") as source:
            pem = source.read(_MOST_KEYS_BYTES + 1)
        if len(pem) > _MOST_KEYS_BYTES:
            raise BadKey(sentence("{name} is longer than any file of keys; name another", name=path))
        return cls.parse(pem, str(path))

    @classmethod
    def parse(cls, pem: bytes, name: str) -> "PublicKeys":
        """Of PEM texts one after another; BadKey names `name`."""
        keys: list[Ed25519PublicKey] = []
        for text in _PEM.findall(pem):
            try:
                key = load_pem_public_key(text)
            except (ValueError, UnsupportedAlgorithm):
                key = None
            if not isinstance(key, Ed25519PublicKey):
                raise BadKey(
                    sentence(
                        "key {number} of {name} is no Ed25519 key; `loupe keys -o FILE` saves the right ones",
                        number=len(keys) + 1,
                        name=name,
                    )
                )
            keys.append(key)
        if not keys:
            raise BadKey(
                sentence(
                    "{name} has no public key in PEM; `loupe keys -o FILE` saves those of an installation",
                    name=name,
                )
            )
        return cls(keys)

    def pem(self) -> Mapping[str, str]:
        """Every key as PEM, by fingerprint."""
        return {
            name: key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            for name, key in self._keys.items()
        }

    def require(self, contents: Contents) -> Signed:
        """BadSignature unless one of the keys signed the package; its three files are as they were signed."""
        unsigned, signature = split(contents.config)
        if signature is None:
            raise BadSignature(
                sentence(
                    "it is not signed: its signature was removed, or it was made before packages were signed"
                )
            )
        key = self._keys.get(signature.key)
        if key is None:
            raise BadSignature(
                sentence(
                    "it is signed with the key {key}, which is none of the keys that are trusted",
                    key=signature.key,
                )
            )
        text = statement(signature, contents.files, unsigned)
        try:
            key.verify(signature.value, text)
        except InvalidSignature:
            raise BadSignature(
                sentence("its files are not those that the key {key} signed; get it again", key=signature.key)
            ) from None
        is_changed = hashlib.sha256(unsigned).hexdigest() != signature.config_sha256
        return Signed(signature, is_changed)


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """The key of a PEM file that nobody else may read. BadKey, or OSError."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise BadKey(
                sentence("{path} may be used by everybody on this machine; `chmod 600` it", path=path)
            )
        text = file.read(_MOST_KEYS_BYTES)
    try:
        key = load_pem_private_key(text, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(
            sentence(
                "{path} is no Ed25519 key in PEM; `openssl genpkey -algorithm ed25519` makes one",
                path=path,
            )
        )
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the key in DER: `openssl pkey -pubin -outform DER | sha256sum` prints the same."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def is_signed(contents: Contents) -> bool:
    """Whether config.yaml has anything that begins as a signature does."""
    return bool(_BEGINS.search(contents.config))


def split(config: bytes) -> tuple[bytes, Signature | None]:
    """A config.yaml without its section, and the section. BadSignature where that cannot be read."""
    begins = _BEGINS.findall(config)
    if not begins:
        return config, None
    found = _SECTION.search(config)
    if found is None or len(begins) > 1:
        raise BadSignature(sentence("config.yaml has a signature that cannot be read; get the package again"))
    try:
        signature = Signature(
            key=found["key"].decode(),
            version=found["version"].decode(),
            task=found["task"].decode(),
            config_sha256=found["config_sha256"].decode(),
            value=bytes.fromhex(found["value"].decode()),
        )
    except UnicodeDecodeError:
        raise BadSignature(
            sentence("config.yaml has a signature that cannot be read; get the package again")
        ) from None
    return config[: found.start()] + config[found.end() :], signature


def statement(signature: Signature, files: Mapping[str, str], unsigned: bytes) -> bytes:
    """The text that is signed: of `files`, the hashes of library and networks; and config.yaml, unsigned."""
    lines = (
        "Loupe package signature 1",
        f"key: {signature.key}",
        f"version: {signature.version}",
        f"task: {signature.task}",
        f"{MODELS}: {files[MODELS]}",
        f"{LIBRARY}: {files[LIBRARY]}",
        f"{CONFIG}: {signature.config_sha256}",
        f"{CONFIG} but for the operator's settings: {hashlib.sha256(fixed_part(unsigned)).hexdigest()}",
    )
    return "".join(f"{line}\n" for line in lines).encode()


def sign(key: Ed25519PrivateKey, config: bytes, version: str, task: str, files: Mapping[str, str]) -> bytes:
    """A config.yaml that says by whom it is signed. ValueError where it is, or a text cannot stand in it."""
    if _BEGINS.search(config) or not config.endswith(b"\n" + _END):
        raise NotAPackage(f"{CONFIG} is signed already, or is no {CONFIG}")
    name = fingerprint(key.public_key())
    first, _, rest = config.partition(b"\n")
    config = b"%s\n# Signed with the key %s:\n# `loupe verify` checks it.\n%s" % (first, name.encode(), rest)
    blank = Signature(name, version, task, hashlib.sha256(config).hexdigest(), bytes(64))
    value = key.sign(statement(blank, files, config))
    signature = Signature(blank.key, version, task, blank.config_sha256, value)
    signed = config.removesuffix(_END) + signature.section() + _END
    if split(signed) != (config, signature):
        raise NotAPackage(f"{version} or {task} has a character that cannot stand in {CONFIG}")
    return signed
