"""Saving what the servers send: a file appears when it is complete, and nothing else is replaced."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from loupe.failures import Refused
from loupe.saving import save_bytes


async def _parts() -> AsyncIterator[bytes]:
    yield b"new"


async def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    """A link to the newest package, or to another disk, is somebody's arrangement."""
    for name in ("there", "not-there-yet"):
        folder = tmp_path / name
        folder.mkdir()
        if name == "there":
            (folder / "target").write_bytes(b"old")
        (folder / "link").symlink_to("target")
        assert await save_bytes(folder / "link", _parts()) == 3
        assert (folder / "link").is_symlink()
        assert (folder / "target").read_bytes() == b"new"
        assert {path.name for path in folder.iterdir()} == {"link", "target"}


@pytest.mark.parametrize("is_linked", [False, True])
async def test_what_is_no_file_is_refused_and_stays(tmp_path: Path, *, is_linked: bool) -> None:
    """Root could replace a device, and whoever reads a pipe would wait for ever."""
    target = tmp_path / "pipe"
    os.mkfifo(target)
    if is_linked:
        target = tmp_path / "link"
        target.symlink_to("pipe")
    with pytest.raises(Refused, match=f"{target} is no regular file"):
        await save_bytes(target, _parts())
    assert (tmp_path / "pipe").is_fifo()
    assert target.is_symlink() == is_linked


async def test_a_ring_of_links_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    """Neither can become a file."""
    (tmp_path / "ring").symlink_to("ring")
    for name in ("ring", "folder"):
        if name == "folder":
            (tmp_path / name).mkdir()
        with pytest.raises(Refused, match=str(tmp_path / name)):
            await save_bytes(tmp_path / name, _parts())
    assert (tmp_path / "ring").is_symlink()
    assert (tmp_path / "folder").is_dir()
