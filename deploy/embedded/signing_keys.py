"""The key that signs the packages of a data folder, and the public keys of all that ever did (X6)."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from loupe.signatures import BadKey, PublicKeys, fingerprint, read_private_key

from deploy.embedded.errors import ServerUnusable
from deploy.embedded.files import write_atomically


@dataclass(frozen=True)
class SigningKeys:
    """Two PEM files: one is a secret, the other is for everybody."""

    private: Path
    """Of the key that signs. Without this file the next start makes another key: that is how keys rotate."""
    public: Path
    """Of every key, the newest last: what an older key signed can still be checked."""


def load_or_create(folder: Path) -> SigningKeys:
    """The keys of a folder, made there if there are none yet; ServerUnusable where one cannot be used."""
    keys = SigningKeys(folder / "private.pem", folder / "public.pem")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if keys.private.exists():
            # A copy or a backup may have changed the mode.
            keys.private.chmod(0o600)
            _add(keys.public, read_private_key(keys.private))
        else:
            key = Ed25519PrivateKey.generate()
            # The public one first: nothing is signed that nobody can check.
            _add(keys.public, key)
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_atomically(keys.private, pem.decode(), mode=0o600)
    except (BadKey, OSError) as error:
        raise ServerUnusable(f"{error}; restore the folder {folder} from a backup") from error
    return keys


def _add(path: Path, key: Ed25519PrivateKey) -> None:
    """Put the public key at the end of a file, where the newest is."""
    known = dict(PublicKeys.read(path).pem()) if path.exists() else {}
    name = fingerprint(key.public_key())
    if list(known)[-1:] != [name]:
        known.pop(name, None)
        write_atomically(path, "".join({**known, **PublicKeys([key.public_key()]).pem()}.values()))
