"""What of the machine a worker may use, asked without torch."""

import contextlib
import os
import re
from pathlib import Path

_GPU = re.compile(r"nvidia\d+")
# cgroup v2, then v1; the number of bytes, or "max", or a number too large to mean anything.
_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def gpus() -> int:
    """NVIDIA's devices; of those CUDA_VISIBLE_DEVICES names, if it is set."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    return len([device for device in Path("/dev").iterdir() if _GPU.fullmatch(device.name)])


def cpus() -> int:
    """The processor cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    """The machine's memory, or what its container is limited to."""
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _MEMORY_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            limit = min(limit, int(path.read_text()))
    return limit
