"""Connections to PostgreSQL by the URL of LOUPE_DATABASE_URL: the same for the pool and for LISTEN.

`postgresql://user:password@host:5432,other:5432/loupe?sslmode=verify-full&sslrootcert=/ca.pem`: of several
hosts the one that can be written to is used. What the URL cannot mean is refused when it is read.
"""

import logging
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from loupe.settings import setting

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
"""For each host."""
KEEPALIVES = {
    # The server forgets a client whose host vanished after a minute, with all its locks; by default after two
    # hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""Settings of every connection."""

_SCHEMES = frozenset({"postgresql+asyncpg", "postgresql", "postgres"})
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_PARAMETERS = ("sslmode", *_FILES, "sslpassword", "ssl_min_protocol_version", "host", "port")
_WRITABLE = frozenset({"read-write", "primary"})
_FEWEST_CONNECTIONS = 4


class Unreachable(ConnectionError):
    """No address of the host answers."""


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """How a service reaches its database. A group of settings, for a field of a process's settings."""

    url: str = setting(
        "LOUPE_DATABASE_URL",
        secret=True,
        doc="postgresql://user:password@host:port/database of PostgreSQL 16 or newer, with several hosts "
        "separated by commas and `?sslmode=verify-full&sslrootcert=FILE` if need be; the tables are in a "
        "schema with the name of the service",
    )
    connections: int = setting(
        "LOUPE_DATABASE_CONNECTIONS",
        default=20,
        doc="Most connections to PostgreSQL for the work of one process, of which half stay open; it has one "
        "more for wake-ups, and one while it starts",
    )

    def __post_init__(self) -> None:
        try:
            PostgresqlServers(self.url)
        except ValueError as error:
            raise ValueError(f"LOUPE_DATABASE_URL: {error}") from None
        if self.connections < _FEWEST_CONNECTIONS:
            raise ValueError(
                f"LOUPE_DATABASE_CONNECTIONS must be at least {_FEWEST_CONNECTIONS}, not {self.connections}"
            )


class PostgresqlServers:
    """The hosts of a URL. ValueError says what the URL cannot mean, and what to write."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise ValueError("write postgresql://user:password@host:port/database")
        if parts.fragment or "@" in parts.path or parts.netloc.count("@") > 1:
            raise ValueError("write # as %23, / as %2F, ? as %3F and @ as %40 in user and password")
        credentials, at, hosts = parts.netloc.rpartition("@")
        query = urllib.parse.urlencode(_parameters(parts.query))
        self._dsns = [
            urllib.parse.urlunsplit(("postgresql", f"{credentials}{at}{host}", parts.path, query, ""))
            for host in hosts.split(",")
        ]
        self._first = 0

    async def connect(self, **options: Any) -> Any:  # noqa: ANN401 -- asyncpg's, which has no types
        """A connection of asyncpg, which gets `options` too.

        Its errors, or ConnectionError if there are several hosts and none can be written to.
        """
        if len(self._dsns) == 1:
            try:
                return await asyncpg.connect(self._dsns[0], timeout=CONNECT_TIMEOUT_S, **options)
            except OSError as error:
                # asyncio's for a name with several addresses, and the kernel's for a host without a route.
                if type(error) is OSError:
                    raise Unreachable(str(error)) from error
                raise
        failures: list[str] = []
        # asyncpg's own list of hosts has one timeout for all: a host that is gone would take it whole.
        for place in [*range(self._first, len(self._dsns)), *range(self._first)]:
            try:
                connection = await asyncpg.connect(
                    self._dsns[place],
                    timeout=CONNECT_TIMEOUT_S,
                    target_session_attrs="read-write",
                    **options,
                )
            except asyncpg.TargetServerAttributeNotMatched:
                failures.append("read only")
            except (OSError, asyncpg.CannotConnectNowError) as error:
                failures.append(repr(error))
            else:
                self._first = place
                return connection
        _log.warning("no host of the database can be written to", extra={"hosts": failures})
        raise ConnectionError(f"no host of the database can be written to: {', '.join(failures)}")


def _parameters(query: str) -> dict[str, str]:
    """The parameters of a URL as libpq calls them; ValueError if one cannot be obeyed."""
    given: dict[str, str] = {}
    for name, value in urllib.parse.parse_qsl(query, keep_blank_values=True):
        # SQLAlchemy's name for it.
        known = "sslmode" if name == "ssl" else name
        if known in given:
            raise ValueError(f"{known} is given twice")
        given[known] = value
    session = given.pop("target_session_attrs", "read-write")
    if session not in _WRITABLE:
        raise ValueError(f"target_session_attrs={session} is not possible: Loupe writes; leave it out")
    unknown = sorted(set(given) - set(_PARAMETERS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no parameter here; known are {', '.join(_PARAMETERS)}")
    if given.get("sslmode", "prefer") not in _SSL_MODES:
        raise ValueError(f"sslmode must be one of {', '.join(_SSL_MODES)}, not {given['sslmode']!r}")
    for name in _FILES:
        if name in given and not Path(given[name]).is_file():
            raise ValueError(f"there is no file {name}={given[name]}")
    if given.get("sslmode") in {"verify-ca", "verify-full"} and "sslrootcert" not in given:
        raise ValueError(f"sslmode={given['sslmode']} needs sslrootcert=FILE, the authorities in PEM")
    return given
