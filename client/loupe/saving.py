"""Answers that become a file."""

import asyncio
from collections.abc import AsyncIterable
from pathlib import Path

from google.api.httpbody_pb2 import HttpBody
from loupe.failures import Refused


async def save(file: Path, parts: AsyncIterable[HttpBody]) -> int:
    """Write a stream to a file, which appears when it is whole; its bytes. Refused if it cannot be."""
    partial = file.with_name(f".{file.name}.part")
    size = 0
    try:
        with partial.open("wb") as target:
            async for part in parts:
                size += await asyncio.to_thread(target.write, part.data)
        partial.replace(file)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return size
