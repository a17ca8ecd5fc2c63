"""The secrets of one data folder, made at its first start and readable by their owner only."""

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from deploy.embedded.errors import ServerUnusable
from deploy.embedded.files import write_atomically


def _secret() -> str:
    # Hexadecimal: no character has a meaning in configuration files, URLs or shells.
    return secrets.token_hex(24)


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Every secret of the stack; none appears in `repr`."""

    stack_id: str = field(default_factory=lambda: secrets.token_hex(6))
    """Names what must lie outside the data folder (sockets, a database under /var/lib); not a secret."""
    postgres_superuser_password: str = field(default_factory=_secret, repr=False)
    """Of the role `postgres`; only the stack itself uses it."""
    postgres_password: str = field(default_factory=_secret, repr=False)
    """Of the role `loupe`, which owns the database of the services and nothing else."""
    nats_user: str = "loupe"
    nats_password: str = field(default_factory=_secret, repr=False)
    nats_reader_user: str = "loupe-reader"
    """Reads events and publishes none; for subscribers in the fab and the command line."""
    nats_reader_password: str = field(default_factory=_secret, repr=False)
    s3_access_key: str = field(default_factory=lambda: "loupe" + secrets.token_hex(8))
    s3_secret_key: str = field(default_factory=_secret, repr=False)
    """Of the identity that makes buckets and may do everything; only the stack itself uses it."""
    identity_key: str = field(default_factory=_secret, repr=False)
    """From it come the passwords of the processes at NATS and the object store; only the stack has it."""
    seaweed_jwt_key: str = field(default_factory=_secret, repr=False)
    seaweed_jwt_read_key: str = field(default_factory=_secret, repr=False)
    seaweed_jwt_filer_key: str = field(default_factory=_secret, repr=False)
    seaweed_jwt_filer_read_key: str = field(default_factory=_secret, repr=False)
    admin_token: str = field(default_factory=lambda: f"loupe_admin_{_secret()}", repr=False)
    """The first user's token (A2); the command line finds it in `client.json`."""

    def password_of(self, process: str, *, at: str) -> str:
        """With which a process shows who it is at a server; no process can work out another's."""
        name = f"{at} {process}"
        return hmac.new(self.identity_key.encode(), name.encode(), hashlib.sha256).hexdigest()[:48]


def load_or_create(path: Path) -> Credentials:
    """The credentials kept at `path`, made there with mode 0600 if there are none yet."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        credentials = Credentials()
        write_atomically(path, json.dumps(asdict(credentials), indent=2) + "\n", mode=0o600)
        return credentials
    # A copy or a backup may have changed the mode.
    path.chmod(0o600)
    names = {f.name for f in fields(Credentials)}
    try:
        stored = json.loads(text)
        credentials = Credentials(**{name: value for name, value in stored.items() if name in names})
    except (ValueError, TypeError, AttributeError) as error:
        raise ServerUnusable(
            f"{path} cannot be read ({error}); restore it, or remove the whole data folder to start anew"
        ) from error
    missing = names - stored.keys()
    if missing or stored.keys() - names:
        # The file is of an older release: secrets that it lacks are made now, those of no use any more go.
        write_atomically(path, json.dumps(asdict(credentials), indent=2) + "\n", mode=0o600)
        if "stack_id" in missing or "postgres_superuser_password" in missing:
            raise ServerUnusable(f"{path} lacks {', '.join(sorted(missing))}; restore it from a backup")
    return credentials
