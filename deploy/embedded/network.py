"""Where other machines reach a stack: what was chosen at `loupe up`, checked, and kept in the data folder.

Only the gateway and second ports of the services are opened. The stores stay on loopback: the gateway passes
on the links to objects (`gateway/objects.py`).
"""

import datetime as dt
import ipaddress
import json
import shlex
import socket
import ssl
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.embedded.errors import ServerUnusable
from deploy.embedded.files import write_atomically
from deploy.embedded.ports import HOST

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 -- chosen by the operator, never by default
_VALID = dt.timedelta(days=825)
_RENEW_BEFORE = dt.timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Network:
    """The choice. By default nothing but this machine reaches the stack."""

    bind: str = HOST
    """IPv4 address to listen at; 0.0.0.0 is every one of this machine."""
    public_host: str = HOST
    """Under what other machines know this one: in links and in the certificate."""
    certificate: str = ""
    key: str = ""
    """PEM files; none: plain HTTP and gRPC."""
    self_signed: bool = False
    """Whether Loupe made the two, and makes them anew before they expire."""

    @property
    def is_open(self) -> bool:
        """Whether other machines reach it."""
        return not ipaddress.ip_address(self.bind).is_loopback

    @property
    def probed_at(self) -> str:
        """The address at which this machine itself reaches what listens there."""
        return HOST if self.bind == EVERY_ADDRESS else self.bind

    def url(self, port: int) -> str:
        """Of the gateway."""
        return f"{'https' if self.certificate else 'http'}://{self.public_host}:{port}"

    @property
    def options(self) -> str:
        """Those of `loupe up` that choose it."""
        own = ("--https-certificate", self.certificate, "--https-key", self.key) if self.certificate else ()
        secured = ("--https-self-signed",) if self.self_signed else own
        return shlex.join(("--bind", self.bind, "--public-host", self.public_host, *secured))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as browsers show it; empty without one, or where it cannot be read."""
        try:
            found = _certificate(Path(self.certificate)) if self.certificate else None
        except (OSError, ValueError):
            return ""
        return "" if found is None else found.fingerprint(SHA256()).hex(":").upper()


@dataclass(frozen=True, kw_only=True)
class NetworkChoice:
    """What `loupe up` was told; what it was not told is None."""

    bind: str | None = None
    public_host: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    self_signed: bool = False

    @property
    def is_made(self) -> bool:
        """Whether anything was told; otherwise what is kept holds."""
        return self != NetworkChoice()

    def network(self, folder: Path) -> Network:
        """The choice, checked; ServerUnusable names what contradicts, or cannot be used."""
        if self.bind is None:
            raise _refused(f"{self._first_option()} needs --bind with an address of this machine")
        _check_address(self.bind)
        if ipaddress.ip_address(self.bind).is_loopback:
            if self != NetworkChoice(bind=self.bind):
                raise _refused(
                    f"--bind {self.bind} is this machine alone, and {self._first_option()} is for others; "
                    "name an address of the network, or leave the other options out"
                )
            return Network()
        if self.public_host is None and self.bind == EVERY_ADDRESS:
            raise _refused(
                f"--bind {EVERY_ADDRESS} needs --public-host with the name or address by which others reach "
                "this machine"
            )
        certificate, key = self._files(folder)
        return Network(
            bind=self.bind,
            public_host=_checked_host(self.public_host or self.bind),
            certificate=certificate,
            key=key,
            self_signed=self.self_signed,
        )

    def _files(self, folder: Path) -> tuple[str, str]:
        if (self.certificate is None) != (self.key is None):
            raise _refused("--https-certificate and --https-key go together; name both or neither")
        if self.certificate is None or self.key is None:
            return _own_files(folder) if self.self_signed else ("", "")
        if self.self_signed:
            raise _refused(
                "--https-self-signed makes a certificate, and --https-certificate names one; choose one"
            )
        return str(self.certificate.resolve()), str(self.key.resolve())

    def _first_option(self) -> str:
        given = {
            "--public-host": self.public_host,
            "--https-certificate": self.certificate,
            "--https-key": self.key,
            "--https-self-signed": self.self_signed,
        }
        return next(option for option, value in given.items() if value)


def read(path: Path) -> Network:
    """What is kept at `path`: this machine alone if there is nothing."""
    try:
        kept = Network(**json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return Network()
    except (ValueError, TypeError) as error:
        raise ServerUnusable(
            f"{path} cannot be read ({error}); remove it, and say --bind again at `loupe up`"
        ) from error
    if not kept.self_signed:
        return kept
    # The folder may have been moved, or restored elsewhere.
    certificate, key = _own_files(path.parent)
    return replace(kept, certificate=certificate, key=key)


def keep(path: Path, network: Network) -> None:
    """Write the choice for the next start."""
    write_atomically(path, json.dumps(asdict(network), indent=2) + "\n", mode=0o600)


def misfit(network: Network) -> str:
    """Why this machine is not the one that a choice was made on; empty where it is, or may be."""
    if not network.is_open:
        return ""
    try:
        _check_address(network.bind)
        if not _is_here(network.public_host):
            return f"{network.public_host} is no name of this machine"
        if not network.self_signed:
            prepare(network)
    except ServerUnusable as error:
        return str(error)
    return ""


def _is_here(host: str) -> bool:
    """Whether something can listen under a name or address."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None, socket.AF_INET)}
        for address in found:
            with socket.socket() as probe:
                probe.bind((address, 0))
    except OSError:
        return False
    return bool(found)


def prepare(network: Network) -> None:
    """Make the certificate that is Loupe's to make, and see that the one chosen serves this host now."""
    if not network.certificate:
        return
    certificate, key = Path(network.certificate), Path(network.key)
    if network.self_signed and not _serves(certificate, key, network.public_host):
        _make_self_signed(certificate, key, network.public_host)
    try:
        found = _certificate(certificate)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise _refused(f"the certificate {certificate} with the key {key} cannot be used: {error}") from error
    names = _names(found)
    if not any(_matches(name, network.public_host) for name in names):
        raise _refused(
            f"the certificate {certificate} is for {', '.join(names) or 'no host'}, not for "
            f"{network.public_host}; name one of its hosts by --public-host, or another certificate"
        )
    if found.not_valid_after_utc < _now():
        raise _refused(
            f"the certificate {certificate} expired on {found.not_valid_after_utc:%Y-%m-%d}; renew it"
        )


def _own_files(folder: Path) -> tuple[str, str]:
    """The certificate that Loupe makes for a data folder, and its key."""
    return str(folder / "https/certificate.pem"), str(folder / "https/key.pem")


def _refused(what: str) -> ServerUnusable:
    return ServerUnusable(what)


def _no_password() -> str:
    raise ValueError("it asks for a password; remove that from the key (openssl pkey)")


def _check_address(bind: str) -> None:
    try:
        address = ipaddress.IPv4Address(bind)
        with socket.socket() as probe:
            probe.bind((str(address), 0))
    except ValueError:
        raise _refused(
            f"--bind takes an IPv4 address of this machine, not {bind!r}; `ip -4 address` lists them"
        ) from None
    except OSError as error:
        raise _refused(
            f"nothing can listen at {bind} here: {error.strerror}; `ip -4 address` lists the addresses of "
            "this machine"
        ) from error


def _checked_host(host: str) -> str:
    labels = host.split(".")
    if len(host) <= 253 and all(
        label
        and len(label) <= 63
        and label.isascii()
        and label.replace("-", "a").isalnum()
        and label.strip("-") == label
        for label in labels
    ):
        return host.lower()
    raise _refused(
        "--public-host takes the name or IPv4 address of this machine alone, without scheme and port, not "
        f"{host!r}"
    )


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses: Iterable[object] = names.get_values_for_type(x509.IPAddress)
    return [*names.get_values_for_type(x509.DNSName), *map(str, addresses)]


def _matches(name: str, host: str) -> bool:
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:].lower()
    return name.lower() == host


def _serves(certificate: Path, key: Path, host: str) -> bool:
    """Whether the certificate that was made is for this host, and for some time to come."""
    try:
        found = _certificate(certificate)
    except (OSError, ValueError):
        return False
    return key.exists() and host in _names(found) and found.not_valid_after_utc > _now() + _RENEW_BEFORE


def _make_self_signed(certificate: Path, key: Path, host: str) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of other machines may be a little behind.
        .not_valid_before(_now() - dt.timedelta(days=1))
        .not_valid_after(_now() + _VALID)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(secret, SHA256())
    )
    certificate.parent.mkdir(mode=0o700, exist_ok=True)
    pem = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    write_atomically(key, pem, mode=0o600)
    write_atomically(certificate, made.public_bytes(Encoding.PEM).decode())
