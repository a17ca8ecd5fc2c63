"""Measures an import of many small images beside a bare upload of as many bytes to the same object store.

    python -m tests.bench importing [--images 2000]

PostgreSQL, NATS, SeaweedFS (all durable) and a registry of its own; the client is this process.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import urllib3
from loupe.client import AsyncLoupe
from loupe.profile import Profile
from loupe.reading import read_data
from loupe.rpc.channel import connect
from loupe.settings import load
from PIL import Image

from deploy.embedded.loupe_processes import import_path
from deploy.embedded.ports import HOST, assign
from deploy.embedded.servers import EmbeddedServers
from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings

_THREADS = 8
"""As many as the importer has."""


def write_images(folder: Path, count: int) -> None:
    """Noise of 64 by 64 pixels in ten codes, a label file of LabelMe for each."""
    random = np.random.default_rng(0)
    for number in range(count):
        code = folder / f"C{number % 10}"
        code.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (64, 64), np.uint8), "L").save(code / f"{number:05}.png")


def write_labels(folder: Path) -> None:
    """A polygon for each image."""
    for image in sorted(folder.glob("*/*.png")):
        x = int(image.stem) % 40
        points = [[x, 5], [x + 20, 9], [x + 11, 40]]
        shape = {"label": image.parent.name, "points": points, "shape_type": "polygon"}
        image.with_suffix(".json").write_text(json.dumps({"shapes": [shape], "imagePath": image.name}))


@contextlib.asynccontextmanager
async def registry(servers: EmbeddedServers, bucket: dict[str, str]) -> AsyncIterator[AsyncLoupe]:
    """A registry as a process of its own, and a client."""
    address = f"{HOST}:{assign(['registry'], {})['registry']}"
    settings = {
        "LOUPE_DATABASE_URL": await servers.postgres.create_database("bench"),
        "LOUPE_NATS_URL": servers.nats.url,
        "LOUPE_SERVICE_TOKENS_DIR": str(servers.folder.service_tokens),
        "LOUPE_BOOTSTRAP_ADMIN_TOKEN": servers.credentials.admin_token,
        "LOUPE_LISTEN": address,
        "LOUPE_LOG_LEVEL": "WARNING",
        **bucket,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.registry"),
        env={**os.environ, **import_path(), **settings},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with connect(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), 60)
        profile = Profile(
            registry_address=address,
            scheduler_address=address,
            evaluator_address=address,
            token=servers.credentials.admin_token,
        )
        async with AsyncLoupe(profile) as client:
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def bare_upload(store: BlockingObjectStore, files: list[Path]) -> float:
    """Seconds that it takes to PUT the files by presigned links with as many threads, and nothing else."""
    links = [
        store.presign_put(f"incoming/{file.stem}", expires_s=3600, size_bytes=file.stat().st_size)
        for file in files
    ]
    http = urllib3.PoolManager(maxsize=_THREADS)

    def put(pair: tuple[Path, str]) -> None:
        assert http.request("PUT", pair[1], body=pair[0].read_bytes()).status == 200

    started = time.monotonic()
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(put, zip(files, links, strict=True)))
    return time.monotonic() - started


def measure(*arguments: str) -> dict[str, Any]:
    """With as many images as the options say."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench importing")
    parser.add_argument("--images", type=int, default=2000)
    return asyncio.run(_measure(parser.parse_args(arguments).images))


async def _measure(images: int) -> dict[str, Any]:
    """Bare upload, import, the same import again, and one of annotations."""
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as root:
        folder = Path(root) / "images"
        write_images(folder, images)
        files = sorted(folder.glob("*/*.png"))
        async with EmbeddedServers(Path(root) / "servers") as servers:
            bucket = servers.object_store.with_bucket("bench")
            await servers.seaweed.create_bucket(bucket.bucket)
            store = BlockingObjectStore(load(ObjectStoreSettings, bucket.environment()))
            async with registry(servers, bucket.environment()) as loupe:
                bare_s = await asyncio.to_thread(bare_upload, store, files)
                took: dict[str, float] = {}
                for name in ("import", "again", "labelme"):
                    started = time.monotonic()
                    if name == "labelme":
                        write_labels(folder)
                        started = time.monotonic()
                    listing = read_data(folder)
                    read_s = time.monotonic() - started
                    path = "labelme" if name == "labelme" else "main"
                    result = await loupe.import_folder(listing, dataset="bench", path=path)
                    took[name] = time.monotonic() - started
                    assert len(result.outcomes) == images
                    assert not result.rejected
        return {
            "images": images,
            "bare upload, images/s": round(images / bare_s, 1),
            "import, images/s": round(images / took["import"], 1),
            "import over bare upload": round(bare_s / took["import"], 3),
            "the same again, images/s": round(images / took["again"], 1),
            "LabelMe masks over images that are there, images/s": round(images / took["labelme"], 1),
            "of that reading the labels, s": round(read_s, 2),
            "client's largest memory, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
        }
