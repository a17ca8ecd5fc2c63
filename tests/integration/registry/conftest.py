"""A whole registry on real servers, one a test module, and callers of every role."""

import asyncio
import hashlib
import io
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import pytest_asyncio
from loupe.access.v1 import access_pb2
from loupe.registry.v1 import (
    algorithm_image_service_pb2_grpc,
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    identity_pb2,
    identity_service_pb2,
    identity_service_pb2_grpc,
    master_data_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
    question_bank_service_pb2_grpc,
)
from loupe.rpc.channel import connect
from loupe.server.v1 import server_service_pb2_grpc
from loupe.settings import load
from PIL import Image

from services.kit.database import Database
from services.kit.lifecycle import Process
from services.kit.object_store import BlockingObjectStore
from services.registry.__main__ import SCHEMA, serve
from services.registry.settings import Settings
from tests.support.tokens import token_of


class Caller:
    """Stubs of every service with one caller's token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        # The generated stubs are typed for both kinds of channel at once, which no caller can satisfy.
        self.images: Any = algorithm_image_service_pb2_grpc.AlgorithmImageServiceStub(channel)
        self.data: Any = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self.master_data: Any = master_data_service_pb2_grpc.MasterDataServiceStub(channel)
        self.models: Any = model_service_pb2_grpc.ModelServiceStub(channel)
        self.banks: Any = question_bank_service_pb2_grpc.QuestionBankServiceStub(channel)
        self.identity: Any = identity_service_pb2_grpc.IdentityServiceStub(channel)
        self.server: Any = server_service_pb2_grpc.ServerServiceStub(channel)


@dataclass
class Registry:
    """A running registry, and what its environment was."""

    address: str
    environment: dict[str, str]
    admin: Caller
    service: Caller
    database: Database
    process: Process

    def caller(self, token: str | None) -> Caller:
        """Whoever presents that token."""
        return Caller(connect(self.address, lambda: token, deadline_s=60))

    async def manifest(self, digest: str) -> list[dict[str, Any]]:
        """The lines of a pinned listing, as a trainer reads them."""
        store = BlockingObjectStore(load(Settings, self.environment).objects)
        data = await asyncio.to_thread(store.get_bytes, f"manifests/{digest}.jsonl", max_bytes=2**20)
        store.close()
        assert sha256(data) == digest
        return [json.loads(line) for line in data.splitlines()]

    async def with_role(self, role: int) -> Caller:
        """A new user of that role with a token."""
        return self.caller((await self.token_of_role(role))[1])

    async def token_of_role(self, role: int) -> tuple[str, str]:
        """Name and token of a new user of that role."""
        user_id = f"user-{secrets.token_hex(4)}"
        await self.admin.identity.CreateUser(
            identity_service_pb2.CreateUserRequest(user_id=user_id, user=identity_pb2.User(role=role))
        )
        token = await self.admin.identity.CreateToken(
            identity_service_pb2.CreateTokenRequest(parent=f"users/{user_id}")
        )
        return f"users/{user_id}", token.secret


async def run_registry(environment: dict[str, str]) -> AsyncIterator[Registry]:
    environment = {**environment, "LOUPE_LISTEN": "127.0.0.1:0", "LOUPE_DECODERS": "4"}
    process = Process()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def main(process: Process) -> None:
        server = await serve(process, load(Settings, environment))
        address.set_result(f"127.0.0.1:{server.port}")

    living = asyncio.create_task(process.live(main))
    await asyncio.wait({living, address}, return_when=asyncio.FIRST_COMPLETED)
    if living.done():
        living.result()
    registry = Registry(
        address.result(),
        environment,
        Caller(connect(address.result(), lambda: environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"], deadline_s=60)),
        Caller(
            connect(
                address.result(),
                lambda: token_of("scheduler", environment["LOUPE_SERVICE_TOKENS_DIR"]),
                deadline_s=60,
            )
        ),
        Database(environment["LOUPE_DATABASE_URL"], SCHEMA),
        process,
    )
    yield registry
    await registry.database.dispose()
    process.stop()
    assert await living == 0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def registry(module_service_environment: dict[str, str]) -> AsyncIterator[Registry]:
    async for running in run_registry(module_service_environment):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engineer(registry: Registry) -> Caller:
    return await registry.with_role(access_pb2.ROLE_ENGINEER)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def releaser(registry: Registry) -> Caller:
    return await registry.with_role(access_pb2.ROLE_RELEASER)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def viewer(registry: Registry) -> Caller:
    return await registry.with_role(access_pb2.ROLE_VIEWER)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def png(seed: int, width: int = 24, height: int = 16, mode: str = "L") -> bytes:
    """A small picture whose pixels depend on the seed."""
    shape = (height, width) if mode == "L" else (height, width, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return encoded(Image.fromarray(pixels, mode), "PNG")


def a_mask(seed: int, width: int = 24, height: int = 16) -> bytes:
    """A black and white one, whose marks depend on the seed."""
    marked = np.random.default_rng(seed).integers(0, 2, (height, width), np.uint8)
    return encoded(Image.fromarray(marked * np.uint8(255), "L"), "PNG")


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


class Importer:
    """What an import client does: plan, put, add."""

    def __init__(self, caller: Caller, path: str) -> None:
        self.caller = caller
        self.path = path
        self.uploaded: list[str] = []

    async def upload(self, contents: Sequence[bytes]) -> list[str]:
        """Put what is missing; returns which hashes were."""
        by_hash = {sha256(data): data for data in contents}
        plan = await self.caller.data.PlanSampleUploads(
            dataset_service_pb2.PlanSampleUploadsRequest(
                parent=self.path, sha256s=list(by_hash), size_bytes=[len(data) for data in by_hash.values()]
            )
        )
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=8)) as client:
            for upload in plan.uploads:
                answer = await client.put(upload.url, content=by_hash[upload.sha256])
                answer.raise_for_status()
        return [upload.sha256 for upload in plan.uploads]

    async def add(self, *candidates: dataset_pb2.SampleCandidate) -> dataset_service_pb2.AddSamplesResponse:
        """Have the candidates checked and listed."""
        request = dataset_service_pb2.AddSamplesRequest(parent=self.path, candidates=candidates)
        answer: dataset_service_pb2.AddSamplesResponse = await self.caller.data.AddSamples(request)
        return answer

    async def import_files(
        self,
        files: dict[str, bytes],
        masks: dict[str, bytes] | None = None,
        groups: dict[str, str] | None = None,
    ) -> dataset_service_pb2.AddSamplesResponse:
        """Plan, put and add; `masks` and `groups` are by file."""
        masks, groups = masks or {}, groups or {}
        await self.upload([*files.values(), *masks.values()])
        return await self.add(
            *(
                dataset_pb2.SampleCandidate(
                    file=file,
                    sha256=sha256(data),
                    mask_sha256=sha256(masks[file]) if file in masks else "",
                    group=groups.get(file, ""),
                )
                for file, data in files.items()
            )
        )


async def new_path(caller: Caller, dataset: str | None = None, path: str = "p") -> str:
    """The name of a new data path in a dataset of its own."""
    dataset = dataset or f"set-{secrets.token_hex(4)}"
    await caller.data.CreateDataset(
        dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset, allow_existing=True)
    )
    created = await caller.data.CreateDataPath(
        dataset_service_pb2.CreateDataPathRequest(parent=f"datasets/{dataset}", data_path_id=path)
    )
    return str(created.name)


@pytest_asyncio.fixture(loop_scope="session")
async def importer(engineer: Caller) -> Importer:
    return Importer(engineer, await new_path(engineer))


def version_of(task: str, major: int = 3, **changes: object) -> model_pb2.ModelVersion:
    """What the scheduler hands over for a released task."""
    values: dict[str, Any] = {
        "major": major,
        "task": task,
        "algorithm_image_version": f"algorithmImages/surface-classification/versions/v{major}.0",
        "weights_sha256": sha256(task.encode()),
        "snapshots": [f"datasets/d/paths/p/snapshots/{sha256(b'')}"],
        "code_list": ["TPFIP", "TTFBS", "TSFAS"],
        "num_of_classes": 2,
        "input": {"width": 128, "height": 128, "channels": 3},
        "seed": -(2**63),
        "report": "reports/r",
        "releaser": "users/releaser",
        "production_environment": "productionEnvironments/demo-fab-cell-array",
        "task_type": 1,
        **changes,
    }
    version = model_pb2.ModelVersion(**values)
    version.model_params.update({"classification": {"name": "ResNet18", "num_of_classes": 2}})
    return version
