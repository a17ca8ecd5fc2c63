"""What a worker may use in a container, read from trees of control groups as kernels lay them out."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.kit import machine

GROUPS = Callable[[str, dict[str, str]], None]


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GROUPS:
    """Lays out a tree, and says in which group this process is."""

    def laid_out(own: str, files: dict[str, str]) -> None:
        root = tmp_path / "cgroup"
        for name, text in files.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (tmp_path / "own").write_text(own)
        (tmp_path / "vmstat").write_text("pgfault 7\noom_kill 99\n")
        monkeypatch.setattr(machine, "_CGROUPS", root)
        monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "own")
        monkeypatch.setattr(machine, "_EVENTS", tmp_path / "vmstat")
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    return laid_out


V1 = "5:memory:/kubepods/pod1\n4:cpu,cpuacct:/kubepods/pod1\n0::/\n"


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "350000 100000\n"}, 3),
        # A quota of the pod holds for its containers.
        ("0::/pod/main\n", {"pod/main/cpu.max": "max 100000\n", "pod/cpu.max": "200000 100000\n"}, 2),
        # Outside of what the container sees, which is its own group.
        ("0::/../../pod/main\n", {"cpu.max": "200000 100000\n"}, 2),
        (V1, {"cpu,cpuacct/kubepods/pod1/cpu.cfs_quota_us": "-1\n"}, 8),
        (
            V1,
            {
                "cpu,cpuacct/kubepods/pod1/cpu.cfs_quota_us": "400000\n",
                "cpu,cpuacct/kubepods/pod1/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        # The container's group is mounted as the root.
        (
            V1,
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
        ("", {}, 8),
    ],
)
def test_a_quota_of_processor_time_counts(
    groups: GROUPS, own: str, files: dict[str, str], cores: int
) -> None:
    """Half a core that announced two trained with two threads, and was throttled."""
    groups(own, files)
    assert machine.cpus() == cores


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/pod\n", {"pod/memory.max": "1048576\n", "memory.max": "max\n"}),
        ("0::/pod/main\n", {"pod/memory.max": "1048576\n", "pod/main/memory.max": "max\n"}),
        (V1, {"memory/kubepods/pod1/memory.limit_in_bytes": "1048576\n"}),
    ],
)
def test_the_memory_is_that_of_the_container(groups: GROUPS, own: str, files: dict[str, str]) -> None:
    groups(own, files)
    assert machine.memory_bytes() == 1048576


@pytest.mark.parametrize(
    ("own", "files", "kills"),
    [
        ("0::/pod\n", {"pod/memory.events": "max 7\noom 1\noom_kill 2\noom_group_kill 0\n"}, 2),
        # Those of groups below are not counted: whoever made them runs something else there.
        ("0::/pod\n", {"pod/memory.events": "oom_kill 9\n", "pod/memory.events.local": "oom_kill 2\n"}, 2),
        (V1, {"memory/kubepods/pod1/memory.oom_control": "oom_kill_disable 0\noom_kill 3\n"}, 3),
        # No group counts, so the machine does.
        ("0::/\n", {"cgroup.procs": "1\n"}, 99),
        ("", {}, 99),
    ],
)
def test_a_neighbours_want_of_memory_is_not_ours(
    groups: GROUPS, own: str, files: dict[str, str], kills: int
) -> None:
    """T5: a child that died otherwise is taken up again; for want of memory its task fails for good."""
    groups(own, files)
    assert machine.out_of_memory_kills() == kills


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/pod\n", {"pod/memory.oom.group": "1\n"}),
        ("0::/pod\n", {"pod/memory.oom.group": "0\n"}),
        ("0::/pod\n", {"memory.oom.group": "1\n", "pod/memory.oom.group": "0\n"}),
        (V1, {"memory/kubepods/pod1/memory.limit_in_bytes": "1048576\n"}),
        ("", {}),
    ],
)
def test_a_worker_outlives_its_child_where_it_may_choose(
    groups: GROUPS, own: str, files: dict[str, str], tmp_path: Path
) -> None:
    """T5: a worker that dies with its child cannot say why, and its task is tried again for hours."""
    groups(own, files)
    assert machine.ends_one_process_for_memory()
    inner = tmp_path / "cgroup/pod/memory.oom.group"
    assert not inner.exists() or inner.read_text().strip() == "0"


def test_a_worker_knows_that_it_would_die_with_its_child(
    groups: GROUPS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubelet's containers see their group's files, and cannot change them."""
    groups("0::/pod\n", {"pod/memory.oom.group": "1\n"})

    def refused(self: Path, *_: object, **__: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "write_text", refused)
    assert not machine.ends_one_process_for_memory()
