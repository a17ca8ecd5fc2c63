"""The hardware that a worker may use, found without torch."""

import contextlib
import os
import platform
import re
from collections import Counter
from pathlib import Path

_GPU = re.compile(r"nvidia\d+")
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
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
    """How many whole processor cores this process may use: at least 1, and no more than its quota."""
    shares = [float(len(os.sched_getaffinity(0)))]
    for folder in _own_cgroups("cpu"):
        # Version 2 has both numbers in one file, microseconds of `max` or of a quota in each period.
        for files in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
            with contextlib.suppress(OSError, ValueError):
                quota, period = map(int, " ".join((folder / file).read_text() for file in files).split())
                shares += [quota / period] if quota > 0 else []
    return max(1, int(min(shares)))


def memory_bytes() -> int:
    """The machine's memory, or its container's limit."""
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for folder in _own_cgroups("memory"):
        for file in ("memory.max", "memory.limit_in_bytes"):
            # Unlimited is "max", or a number too large to mean anything.
            with contextlib.suppress(OSError, ValueError):
                limit = min(limit, int((folder / file).read_text()))
    return limit


def out_of_memory_kills() -> int:
    """How many processes the kernel has killed for want of memory in this process's control group.

    Where the kernel does not count them by group, those of the whole machine; 0 where it counts none.
    """
    # `local` leaves out the groups below, which are somebody else's; Linux has it from 5.2 on.
    files = ("memory.events.local", "memory.events", "memory.oom_control")
    counted = [group / file for group in _own_cgroups("memory") for file in files]
    for file in (*counted, _EVENTS):
        with contextlib.suppress(OSError):
            for line in file.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


def ends_one_process_for_memory() -> bool:
    """Have the kernel end one process when the memory is used up; False if it ends all of this container.

    A kubelet asks for all from Kubernetes 1.28 on. Its containers may not change that, others may.
    """
    for group in _own_cgroups("memory")[:1]:
        file = group / "memory.oom.group"
        with contextlib.suppress(OSError):  # there is no such group, or it may not be changed
            if file.read_text().strip() == "1":
                file.write_text("0")
        with contextlib.suppress(OSError):
            return file.read_text().strip() != "1"
    return True


def _own_cgroups(controller: str) -> list[Path]:
    """The folders of this process's control group and of those around it, the innermost first.

    Version 1 has a tree for each controller, version 2 one for all. A container may see its own group as the
    root of the tree, wherever the machine has it.
    """
    found: list[Path] = []
    with contextlib.suppress(OSError):
        for line in _OWN_CGROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            unified = _CGROUPS / "unified"
            root = _CGROUPS / controllers if controllers else unified if unified.is_dir() else _CGROUPS
            folder = root / path.lstrip("/")
            # ".." leads out of what a container sees.
            inner = [] if ".." in folder.parts or folder == root else [folder, *folder.parents]
            found += [each for each in inner if each.is_relative_to(root) and each != root and each.is_dir()]
            found.append(root)
    return found


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
