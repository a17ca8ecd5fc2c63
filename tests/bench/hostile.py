"""Measures imports of an honest user alone, and beside another user's pictures that take long to decode.

    python -m tests.bench hostile [--imports 100]

A registry of its own. The other user imports, without end, JPEGs of 99 scans over 25 megapixels and TIFFs of
80 megapixels: each of them is taken, after seconds. Figures are of whole imports of eight small pictures.
"""

import argparse
import asyncio
import contextlib
import io
import itertools
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from loupe.access.v1 import access_pb2
from loupe.client import AsyncLoupe
from loupe.folders import read_folder
from loupe.registry.v1 import identity_pb2, identity_service_pb2
from PIL import Image

from deploy.embedded.servers import EmbeddedServers
from tests.bench.importing import registry
from tests.unit.client.test_image_files import progressive

_PICTURES = 8
_PERCENTILES = (50, 99)


def measure(*arguments: str) -> dict[str, Any]:
    """With as many imports as the options say, each alone and beside the others."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench hostile")
    parser.add_argument("--imports", type=int, default=100)
    return asyncio.run(_measure(parser.parse_args(arguments).imports))


async def _measure(imports: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as root:
        folder = Path(root)
        async with EmbeddedServers(folder / "servers") as servers:
            bucket = servers.object_store.with_bucket("bench")
            await servers.seaweed.create_bucket(bucket.bucket)
            async with registry(servers, bucket.environment()) as honest, _other_user(honest) as hostile:
                await _imports(honest, folder / "warm", 10)
                alone = await _imports(honest, folder / "alone", imports)
                attack = asyncio.create_task(_attack(hostile, folder / "bombs", *_bombs()))
                done = asyncio.Event()
                memory = asyncio.create_task(_largest_memory(done))
                beside = await _imports(honest, folder / "beside", imports)
                done.set()
                memory_bytes = await memory
                assert not attack.done(), attack.result()
                attack.cancel()
                await asyncio.wait({attack})
    figures: dict[str, Any] = {"imports of eight pictures": imports}
    for name, seconds in (("alone", alone), ("beside", beside)):
        figures |= {f"{name}, p{p}, s": round(float(np.percentile(seconds, p)), 3) for p in _PERCENTILES}
    for p in _PERCENTILES:
        ratio = np.percentile(beside, p) / np.percentile(alone, p)
        figures[f"beside over alone, p{p}"] = round(float(ratio), 2)
    return figures | {"registry and decoders, largest memory, MB": round(memory_bytes / 1e6)}


@contextlib.asynccontextmanager
async def _other_user(admin: AsyncLoupe) -> AsyncIterator[AsyncLoupe]:
    user = identity_pb2.User(role=access_pb2.ROLE_ENGINEER)
    await admin.identity.CreateUser(identity_service_pb2.CreateUserRequest(user_id="hostile", user=user))
    token = await admin.identity.CreateToken(identity_service_pb2.CreateTokenRequest(parent="users/hostile"))
    async with AsyncLoupe(replace(admin.profile, token=token.secret)) as client:
        yield client


async def _imports(loupe: AsyncLoupe, folder: Path, count: int) -> list[float]:
    """Seconds of each import of new pictures."""
    random = np.random.default_rng(list(folder.name.encode()))
    took = []
    for number in range(count):
        code = folder / str(number) / "C"
        code.mkdir(parents=True)
        for picture in range(_PICTURES):
            pixels = random.integers(0, 256, (64, 64), np.uint8)
            Image.fromarray(pixels, "L").save(code / f"{number}-{picture}.png")
        listing = read_folder(code.parent)
        started = time.monotonic()
        result = await loupe.import_folder(listing, dataset=folder.name, path="main")
        took.append(time.monotonic() - started)
        assert not result.rejected
    return took


def _bombs() -> tuple[bytes, bytes]:
    """A JPEG and a TIFF that take long to decode."""
    scans = progressive(99, Image.new("L", (5_000, 5_000)))
    large = io.BytesIO()
    Image.new("RGB", (8_000, 10_000)).save(large, "TIFF", compression="tiff_adobe_deflate")
    return scans, large.getvalue()


async def _attack(loupe: AsyncLoupe, folder: Path, scans: bytes, large: bytes) -> None:
    """Import slow pictures, again and again; each is a new object."""
    for number in itertools.count():
        code = folder / str(number) / "C"
        code.mkdir(parents=True)
        for picture in range(4):
            mark = secrets.token_bytes(4)
            (code / f"{picture}.jpg").write_bytes(scans[:2] + b"\xff\xfe\0\6" + mark + scans[2:])
            (code / f"{picture}-large.tif").write_bytes(large + mark)
        result = await loupe.import_folder(read_folder(code.parent), dataset="bombs", path="main")
        assert not result.rejected, result.rejected


async def _largest_memory(done: asyncio.Event) -> int:
    """Bytes of the registry with its decoders, at most."""
    largest = 0
    while not done.is_set():
        total = 0
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(word.startswith("services.registry") for word in process.cmdline()):
                    total += process.memory_info().rss
        largest = max(largest, total)
        await asyncio.sleep(0.1)
    return largest
