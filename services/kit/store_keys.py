"""With which keys a process signs its requests to the object store: given ones, or ones that change.

Where keys come from a service, minio-py knows how to ask it; here is when, and what happens if it is away.
"""

import configparser
import enum
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import urllib3
from loupe.errors import Unavailable
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, EnvAWSProvider, IamAwsProvider, Provider

from services.kit.watched_file import WatchedFile

_log = logging.getLogger(__name__)

_RENEWED_BEFORE = timedelta(minutes=15)
"""Links live no longer than the keys that signed them."""
_PAUSE_S = 10.0
"""Between two attempts to renew keys that are still good."""
_TIMEOUT_S = 5.0
_FILE, _IDENTITY = "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"


class KeySource(enum.StrEnum):
    """Where the keys come from."""

    SETTINGS = "settings"
    AWS = "aws"


class StoreKeys(Provider):
    """The keys, for minio-py and for links. Thread-safe.

    Unavailable where there are none: the first could not be had, or the last have ended.
    """

    def __init__(self, ask: Callable[[], Credentials]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._last: Credentials | None = None
        self._asked_s = float("-inf")

    def retrieve(self) -> Credentials:
        """The keys, renewed if they end soon, which may take seconds."""
        with self._lock:
            if self._last is None or self._have_ended or self._may_be_renewed:
                self._asked_s = time.monotonic()
                try:
                    self._last = self._ask()
                except (ValueError, KeyError, OSError, urllib3.exceptions.HTTPError) as error:
                    why = _why(error)
                    _log.warning("new keys of the object store cannot be had", extra={"error": why})
                    if self._last is None or self._have_ended:
                        # Without its cause, which would be logged.
                        raise Unavailable(
                            f"the keys of the object store cannot be had ({why}); try again",
                            reason="OBJECT_STORE_KEYS_UNAVAILABLE",
                        ) from None
            return self._last

    def at_hand(self) -> Credentials:
        """The keys without waiting, as long as there are some; those that end soon are renewed meanwhile."""
        last = self._last
        if last is None or self._have_ended:
            return self.retrieve()
        if self._may_be_renewed and not self._lock.locked():
            threading.Thread(target=self.retrieve, name="store-keys", daemon=True).start()
        return last

    @property
    def _may_be_renewed(self) -> bool:
        return self._end < datetime.now(UTC) + _RENEWED_BEFORE and (
            time.monotonic() - self._asked_s > _PAUSE_S
        )

    @property
    def _have_ended(self) -> bool:
        return self._end < datetime.now(UTC)

    @property
    def _end(self) -> datetime:
        end = None if self._last is None else self._last.expiration
        # minio-py leaves the zone out, which is UTC.
        return datetime.max.replace(tzinfo=UTC) if end is None else end.replace(tzinfo=UTC)


def _why(error: Exception) -> str:
    """What went wrong, without the address that was asked, which holds the token of a web identity."""
    status = re.search(r"HTTP status code \d+$", str(error))
    return status.group() if status else type(error).__name__


class GivenKeys(StoreKeys):
    """Keys that stay, or that a look at a file tells."""

    def retrieve(self) -> Credentials:
        """The keys as they are now."""
        return self._ask()

    at_hand = retrieve


def _in_file(file: str) -> Credentials:
    """The keys of a profile; ValueError, which tells no line of the file."""
    try:
        return AWSConfigProvider(file).retrieve()
    except configparser.Error:
        raise ValueError(f"{file} is no credentials file of AWS") from None


def aws_keys(environ: Mapping[str, str]) -> StoreKeys:
    """Keys from where AWS's own clients take them, by the variables that are set.

    AWS_ACCESS_KEY_ID, else a web identity, else a file, else those of the container or the machine.
    ValueError if the file that a variable names is no use.
    """
    keys: StoreKeys
    if environ.get("AWS_ACCESS_KEY_ID"):
        source, keys = "AWS_ACCESS_KEY_ID", GivenKeys(EnvAWSProvider().retrieve)
    elif environ.get(_FILE) and not environ.get(_IDENTITY):
        source, file = _FILE, environ[_FILE]
        try:
            keys = GivenKeys(WatchedFile(Path(file), lambda _: _in_file(file)))
        except (OSError, ValueError) as error:
            raise ValueError(f"{_FILE}: {error}") from None
    else:
        source = _IDENTITY if environ.get(_IDENTITY) else "the container or the machine"
        # Of AWS's clients; another store than AWS's has its own.
        endpoint = environ.get("AWS_ENDPOINT_URL_STS") if environ.get(_IDENTITY) else None
        pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=urllib3.Retry(total=2, backoff_factor=0.2))

        def ask() -> Credentials:
            # A new one each time: it keeps what it got until ten seconds before the end.
            return IamAwsProvider(custom_endpoint=endpoint, http_client=pool).retrieve()

        keys = StoreKeys(ask)
    _log.info("keys of the object store are taken from AWS's variables", extra={"source": source})
    return keys
