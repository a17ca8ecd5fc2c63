import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from loupe.errors import Internal

from services.kit.flushing import FolderFlusher


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is flushed, as it is."""
    names: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return names


def test_what_another_program_wrote_is_flushed_with_the_names(tmp_path: Path, flushed: list[str]) -> None:
    """A new file whose name is not on the disk is lost, however often its bytes are flushed."""
    folder = tmp_path / "store"
    (folder / "names").mkdir(parents=True)
    (folder / "volume").write_bytes(b"bytes")
    (folder / "names" / "log").write_bytes(b"names")
    FolderFlusher(folder).flush()
    assert flushed == ["log", "names", "volume", "store"]


def test_only_what_changed_is_flushed_again(tmp_path: Path, flushed: list[str]) -> None:
    """A store has hundreds of files, of which an upload changes two or three."""
    for name in "abc":
        (tmp_path / name).write_bytes(b"1")
    flusher = FolderFlusher(tmp_path)
    flusher.flush()
    flushed.clear()
    flusher.flush()
    assert flushed == []
    with (tmp_path / "b").open("ab") as file:
        file.write(b"2")
    flusher.flush()
    assert flushed == ["b"]


def test_what_is_no_file_or_vanishes_is_passed_over(tmp_path: Path, flushed: list[str]) -> None:
    """Servers keep sockets there, and delete files that they have compacted."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    FolderFlusher(tmp_path).flush()
    FolderFlusher(tmp_path / "not-made-yet").flush()
    assert flushed == [tmp_path.name]


class Gate:
    """A disk that takes its time: holds each flush until it is let through."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.count = 0

    def fsync(self, _: int) -> None:
        """In place of the disk's."""
        self.count += 1
        self.begun.release()
        assert self.let.acquire(timeout=60)


def test_calls_that_come_during_a_flush_share_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen uploads that end together cost two flushes of the disk, not sixteen."""
    gate = Gate()
    monkeypatch.setattr(os, "fsync", gate.fsync)
    flusher = FolderFlusher(tmp_path)
    waiting = threading.Barrier(16)

    def come(early: Callable[[], object]) -> None:
        early()
        flusher.flush()

    first = threading.Thread(target=flusher.flush)
    first.start()
    assert gate.begun.acquire(timeout=60)
    # Written while the first flush runs, which may have passed it.
    (tmp_path / "new").write_bytes(b"x")
    later = [threading.Thread(target=come, args=(waiting.wait,)) for _ in range(16)]
    for thread in later:
        thread.start()
    for _ in range(3):
        gate.let.release()
    for thread in (first, *later):
        thread.join(60)
    # The folder; then the file and, for its new name, the folder again.
    assert gate.count == 3


def test_after_a_failure_nothing_counts_as_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel reports a page that it could not write once, and then forgets it."""

    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    flusher = FolderFlusher(tmp_path)
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", refuse)
        with pytest.raises(Internal, match="Input/output error"):
            flusher.flush()
    with pytest.raises(Internal, match="look at the disk"):
        flusher.flush()
