"""How much the GPUs of the machine are used, as `nvidia-smi` tells it."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence

from loupe.errors import Unavailable

from services.kit.metrics import Gauge, Reading
from services.kit.operations import Operations

_PROGRAM = "nvidia-smi"
_USE = Gauge("loupe_gpu_use_ratio", "0 to 1", "Part of the last second in which the GPU computed", "gpu")
_USED = Gauge("loupe_gpu_memory_used_bytes", "bytes", "Memory of the GPU that is taken, by anybody", "gpu")
_SIZE = Gauge("loupe_gpu_memory_size_bytes", "bytes", "Memory of the GPU", "gpu")
_MIB = 2**20


def watch_gpus(operations: Operations) -> None:
    """Tell of every GPU of the machine; of none where the driver's program is absent."""
    if shutil.which(_PROGRAM) is not None:
        operations.sample("gpus", (_USE, _USED, _SIZE), _read)


async def _read() -> Mapping[Gauge, Sequence[Reading]]:
    process = await asyncio.create_subprocess_exec(
        _PROGRAM,
        "--query-gpu=index,utilization.gpu,memory.used,memory.total",
        "--format=csv,noheader,nounits",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise Unavailable(f"{_PROGRAM} ended with status {process.returncode}", reason="GPUS_UNKNOWN")
    return readings(told.decode())


def readings(table: str) -> Mapping[Gauge, Sequence[Reading]]:
    """The readings in lines of index, use in percent, used and whole memory in MiB.

    What a GPU does not tell, as `[N/A]`, is left out.
    """
    found: dict[Gauge, list[Reading]] = {_USE: [], _USED: [], _SIZE: []}
    for line in table.splitlines():
        gpu, *values = (cell.strip() for cell in line.split(","))
        for (gauge, scale), value in zip(((_USE, 0.01), (_USED, _MIB), (_SIZE, _MIB)), values, strict=True):
            if value.isdecimal():
                found[gauge].append((int(value) * scale, {"gpu": gpu}))
    return found
