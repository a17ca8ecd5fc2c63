"""Saves streams and downloads as files."""

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

import urllib3
from google.api.httpbody_pb2 import HttpBody
from loupe.errors import Unavailable
from loupe.failures import Refused

_PART_BYTES = 1 << 20
_TIMEOUT_S = 30.0
"""Between two parts, not for the whole download."""


async def save(file: Path, parts: AsyncIterable[HttpBody]) -> int:
    """Write a stream to a file, which appears when it is complete; its size in bytes. Raises Refused."""
    return await save_bytes(file, (part.data async for part in parts))


async def save_bytes(file: Path, parts: AsyncIterable[bytes], *, sha256: str = "") -> int:
    """As `save`, from parts of bytes; `sha256` is what they must have, if it is given."""
    file = saved_at(file)
    partial = file.with_name(f".{file.name}.part")
    size, digest = 0, hashlib.sha256()
    try:
        with partial.open("wb") as target:
            async for part in parts:
                size += await asyncio.to_thread(target.write, part)
                digest.update(part)
        if sha256 and digest.hexdigest() != sha256:
            came = digest.hexdigest()
            raise Refused(f"{file.name} came with SHA-256 {came}, not {sha256}; it was not saved, try again")
        partial.replace(file)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return size


def saved_at(file: Path) -> Path:
    """Where a file is saved: for a link, what it leads to. Refused where something else would be replaced."""
    target = Path(os.path.realpath(file))
    try:
        if stat.S_ISREG(file.stat().st_mode):
            return target
    except FileNotFoundError:
        return target
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from error
    raise Refused(f"{file} is no regular file; name a file, or one that is not there yet")


async def linked(url: str, what: str, *, authority: str = "") -> AsyncIterator[bytes]:
    """Download a link, a part at a time. Unavailable if the object store does not deliver all of it.

    `authority` is a PEM file by which its certificate is checked, instead of those that this machine knows.
    """
    pool = urllib3.PoolManager(ca_certs=authority or None)
    try:
        answer = await asyncio.to_thread(pool.request, "GET", url, timeout=_TIMEOUT_S, preload_content=False)
        try:
            if answer.status != 200:
                raise Unavailable(f"the object store answers {answer.status} for {what}")
            while part := await asyncio.to_thread(answer.read, _PART_BYTES):
                yield part
        finally:
            answer.release_conn()
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"the object store does not answer: {error}") from error
