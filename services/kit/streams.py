"""Creating the streams of JetStream, and their mirrors for readers."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nats.js.errors
from loupe.settings import setting
from nats.js import api

from services.kit.messaging import Messaging, named_errors
from services.kit.nats_access import NatsAccess, NatsSettings
from services.kit.nats_names import MIRROR_API, MIRROR_DELIVER, MIRRORS_INBOX

_log = logging.getLogger(__name__)

_MAX_REPLICAS = 5
"""JetStream's limit."""

_FORGOTTEN_S = 300
"""After so long without its reader, a consumer of a copy is deleted, a durable one too."""
_MIRRORED = ("max_age", "max_bytes", "num_replicas")

_STREAM_DEFAULTS = (
    "retention",
    "storage",
    "discard",
    "max_age",
    "max_bytes",
    "duplicate_window",
    "num_replicas",
    "allow_direct",
)
"""Settings of a stream at its creation; afterwards the operator may change them."""


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """How a service creates its streams. Change existing ones in NATS, for example by `nats stream edit`."""

    replicas: int = setting(
        "LOUPE_STREAM_REPLICAS",
        default=1,
        doc="Servers of a NATS cluster that keep a copy of each stream. Counts when a stream is made",
    )

    unflushed_folder: Path | None = setting(  # noqa: RUF009 -- a field, as all others
        "LOUPE_NATS_UNFLUSHED_FOLDER",
        default=None,
        doc="folder of a NATS on this machine that answers before its files are on the disk: they are "
        "flushed before an outbox forgets what it published. The embedded stack sets it; "
        "unset = NATS flushes by itself (`sync_interval: always`) or has replicas",
    )

    mirrors_url: str | None = setting(
        "LOUPE_NATS_MIRRORS_URL",
        default=None,
        secret=True,
        doc="nats:// URL of the user who keeps copies of the streams in an account for readers. "
        "The embedded stack sets it; unset = readers read the streams themselves",
    )
    mirrors_credentials: str = setting(
        "LOUPE_NATS_MIRRORS_CREDENTIALS",
        default="",
        doc="Credentials file (`.creds`) of that user, where LOUPE_NATS_MIRRORS_URL names none",
    )

    def __post_init__(self) -> None:
        if self.mirrors_credentials:
            if self.mirrors_url is None:
                raise ValueError("LOUPE_NATS_MIRRORS_CREDENTIALS needs LOUPE_NATS_MIRRORS_URL")
            try:
                NatsSettings(url=self.mirrors_url, access=NatsAccess(credentials=self.mirrors_credentials))
            except ValueError as error:
                raise ValueError(f"LOUPE_NATS_MIRRORS_CREDENTIALS, as a user of its own: {error}") from None
        if not 1 <= self.replicas <= _MAX_REPLICAS:
            raise ValueError(f"LOUPE_STREAM_REPLICAS must be 1 to {_MAX_REPLICAS}, not {self.replicas}")


async def ensure_stream(  # noqa: PLR0913 -- what a stream is; all named by its caller
    messaging: Messaging,
    name: str,
    subjects: tuple[str, ...],
    *,
    max_age_s: float,
    duplicate_window_s: float = 120.0,
    max_bytes: int = -1,
    replicas: int = 1,
) -> None:
    """Create the stream if it does not exist, in file storage; a full one discards its oldest messages.

    The settings of an existing stream are the operator's: only missing subjects are added.
    """
    defaults = api.StreamConfig(
        name=name,
        subjects=list(subjects),
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.OLD,
        max_age=max_age_s,
        max_bytes=max_bytes,
        duplicate_window=duplicate_window_s,
        num_replicas=replicas,
        allow_direct=True,
    )
    with named_errors(f"stream {name}"):
        # Look first: for a stream that is created again NATS counts its reservation twice and may refuse it.
        existing = await _stream_settings(messaging, name)
        if existing is None:
            try:
                await messaging.jetstream.add_stream(defaults)
            except nats.js.errors.APIError:
                # Another replica may have created it in the meantime.
                existing = await _stream_settings(messaging, name)
                if existing is None:
                    raise
            else:
                return
        complete = _with_subjects(existing.get("subjects") or (), subjects)
        if complete is not None:
            await messaging.ask_jetstream(f"STREAM.UPDATE.{name}", {**existing, "subjects": complete})
            _log.info("subjects added to a stream", extra={"stream": name, "subjects": complete})
    _log_differences(messaging, name, existing, defaults.as_dict())


async def ensure_mirrors(messaging: Messaging, settings: StreamSettings, names: Sequence[str]) -> None:
    """Make the copies of these streams for readers, if there is an account for them; before publishing.

    A copy that is ahead of its stream is made anew: a power cut may take from the stream what the copy kept,
    and the copy would miss what gets those numbers next.
    """
    if settings.mirrors_url is None:
        return
    access = replace(messaging.access, credentials=settings.mirrors_credentials, nkey_seed="")
    async with await Messaging.connect(
        settings.mirrors_url, name="mirrors", inbox=MIRRORS_INBOX, access=access
    ) as mirrors:
        for name in names:
            with named_errors(f"copy of stream {name}"):
                await _ensure_mirror(messaging, mirrors, name)


async def _ensure_mirror(messaging: Messaging, mirrors: Messaging, name: str) -> None:
    stream = await messaging.ask_jetstream(f"STREAM.INFO.{name}")
    wanted = {
        "name": name,
        "mirror": {"name": name, "external": {"api": MIRROR_API, "deliver": MIRROR_DELIVER}},
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "allow_direct": True,
        "consumer_limits": {"inactive_threshold": _FORGOTTEN_S * 10**9},
        **{setting: stream["config"][setting] for setting in _MIRRORED},
    }
    try:
        copy = await mirrors.ask_jetstream(f"STREAM.INFO.{name}")
    except nats.js.errors.NotFoundError:
        await mirrors.ask_jetstream(f"STREAM.CREATE.{name}", wanted)
        return
    if copy["state"]["last_seq"] > stream["state"]["last_seq"]:
        _log.warning("the copy of a stream is ahead of it and is made anew", extra={"stream": name})
        await mirrors.ask_jetstream(f"STREAM.DELETE.{name}")
        await mirrors.ask_jetstream(f"STREAM.CREATE.{name}", wanted)
    elif any(copy["config"][setting] != wanted[setting] for setting in _MIRRORED):
        await mirrors.ask_jetstream(f"STREAM.UPDATE.{name}", {**copy["config"], **wanted})


async def _stream_settings(messaging: Messaging, name: str) -> dict[str, Any] | None:
    """The settings of a stream in NATS; None if there is no such stream."""
    try:
        settings: dict[str, Any] = (await messaging.ask_jetstream(f"STREAM.INFO.{name}"))["config"]
    except nats.js.errors.NotFoundError:
        return None
    return settings


def _log_differences(
    messaging: Messaging, name: str, existing: Mapping[str, Any], defaults: Mapping[str, Any]
) -> None:
    """Log which settings the operator changed: once a connection, since a start may be retried."""
    differs = {
        setting: {"here": existing.get(setting), "default": defaults[setting]}
        for setting in _STREAM_DEFAULTS
        if existing.get(setting) != defaults[setting]
    }
    if differs and name not in messaging.logged_streams:
        messaging.logged_streams.add(name)
        _log.info("a stream keeps its own settings", extra={"stream": name, "differs": differs})


def _with_subjects(present: Sequence[str], needed: Sequence[str]) -> list[str] | None:
    """The subjects of a stream with the missing ones added; None if none is missing.

    NATS refuses overlapping subjects: those that a wider one covers are left out.
    """
    lacking = [subject for subject in needed if not any(_covers(other, subject) for other in present)]
    if not lacking:
        return None
    return [*(s for s in present if not any(_covers(wider, s) for wider in lacking)), *lacking]


def _covers(pattern: str, subject: str) -> bool:
    """Whether `pattern` matches everything that `subject`, a pattern too, matches."""
    wider, narrower = pattern.split("."), subject.split(".")
    if wider[-1] == ">":
        wider = wider[:-1]
        if len(narrower) <= len(wider):
            return False
        narrower = narrower[: len(wider)]
    return len(wider) == len(narrower) and all(
        left == right or (left == "*" and right != ">") for left, right in zip(wider, narrower, strict=True)
    )
