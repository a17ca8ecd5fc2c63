"""The hardware that a worker may use, found without torch."""

import contextlib
import os
import platform
import re
from collections import Counter
from pathlib import Path

_GPU = re.compile(r"nvidia\d+")
# cgroup v2, then v1; the number of bytes, or "max", or a number too large to mean anything.
_MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

_EVENTS = Path("/proc/vmstat")
_DRIVER = Path("/proc/driver/nvidia/gpus")
_PROCESSORS = Path("/proc/cpuinfo")


def gpus() -> int:
    """The number of NVIDIA devices, or of those in CUDA_VISIBLE_DEVICES where it is set."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    return len([device for device in Path("/dev").iterdir() if _GPU.fullmatch(device.name)])


def gpu_models() -> str:
    """The models of the NVIDIA devices, each with its count; `GPU` where the driver reports none."""
    names = []
    for information in sorted(_DRIVER.glob("*/information")):
        with contextlib.suppress(OSError):
            names += re.findall(r"^Model:\s*(.*\S)", information.read_text(), re.MULTILINE)
    counted = Counter(names)
    return ", ".join(f"{n} × {name}" if n > 1 else name for name, n in counted.items()) or "GPU"


def cpu_model() -> str:
    """The processor's name; its architecture where the kernel does not report it."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.*\S)", _PROCESSORS.read_text(), re.MULTILINE)
        if found is not None:
            return found.group(1)
    return platform.machine()


def cpus() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    """The machine's memory, or its container's limit."""
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _MEMORY_LIMITS:
        with contextlib.suppress(OSError, ValueError):
            limit = min(limit, int(path.read_text()))
    return limit


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for want of memory since the machine started.

    All containers included; 0 where the kernel does not report it.
    """
    with contextlib.suppress(OSError):
        for line in _EVENTS.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def offer_to_out_of_memory_killer(pid: int) -> None:
    """Make the kernel kill this process, which a worker replaces, before a database or a service."""
    with contextlib.suppress(OSError):  # gone already, or no Linux
        Path(f"/proc/{pid}/oom_score_adj").write_text("500")


def let_others_go_first(pid: int, nice: int) -> None:
    """Give this process the processor only after those of a lower `nice`; it may compute for long."""
    with contextlib.suppress(OSError):  # gone already
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    with contextlib.suppress(OSError):  # where the kernel groups processes by session, groups have one, too
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))
