"""A backup holds rows, objects and events that belong together; what is read from it is what was written."""

import asyncio
import json
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from deploy.backup.errors import BackupError, WrongPassphrase
from deploy.backup.making import Progress, back_up, note_verification
from deploy.backup.places import source_of
from deploy.backup.restoring import restore
from deploy.backup.verifying import verify
from deploy.backup.versions import newest
from deploy.embedded import network, workers
from deploy.embedded.data_folder import DataFolder
from deploy.embedded.network import EVERY_ADDRESS, NetworkChoice
from deploy.embedded.servers import EmbeddedServers
from deploy.embedded.workers import Workers
from services.kit import backups
from services.kit.messaging import Messaging
from tests.integration.backup.conftest import Installation

PASSPHRASE = "seven panels under one loupe"  # noqa: S105 -- of a test


async def test_what_a_backup_holds_is_restored_on_another_path(
    installation: Installation, tmp_path: Path
) -> None:
    """Rows, objects, events and signing keys are the same; what processes know each other by is new."""
    kept = await installation.add(b"a sample" * 100_000)
    orphan = installation.put(b"an orphan")
    event = await installation.publish("loupe.tasks.t1.state", b"first")
    place = tmp_path / "loupe.tar"

    made = await back_up(installation.data_dir, place, passphrase=PASSPHRASE)

    assert made.encrypted
    assert made.manifest.lost == ()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert verify(place, passphrase=PASSPHRASE).faults == ()
    other = tmp_path / "elsewhere" / "second"
    restored = await restore(place, other, passphrase=PASSPHRASE)
    assert restored.manifest.schemas == {name: newest()[name] for name in ("registry", "scheduler")}
    for name in ("private.pem", "public.pem"):
        assert (other / "signing" / name).read_bytes() == (
            installation.data_dir / "signing" / name
        ).read_bytes()
    async with EmbeddedServers(other, durable=False) as servers:
        found = Installation(servers)
        assert servers.credentials.postgres_password != installation.servers.credentials.postgres_password
        keys = [one.object_name for one in found.bucket.list_objects("loupe", "samples/", recursive=True)]
        assert f"samples/{kept}" in keys
        assert f"samples/{orphan}" not in keys
        assert found.bucket.get_object("loupe", f"samples/{kept}").read() == b"a sample" * 100_000
        async with await Messaging.connect(servers.nats.url, name="test") as messaging:
            told = await anext(aiter(messaging.follow("loupe.tasks.t1.state", replay=True)))
        assert (told.subject, told.payload, told.message_id) == ("loupe.tasks.t1.state", b"first", event)
        assert told.headers["kept"] == "yes"
        await servers.stop(kill=True)


async def test_the_newest_backup_is_remembered_and_when_it_was_verified(
    installation: Installation, tmp_path: Path
) -> None:
    """The system page tells of it; that another backup was read says nothing of this one."""
    record = DataFolder(installation.data_dir).last_backup
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    await back_up(installation.data_dir, first)
    made = await back_up(installation.data_dir, second)
    told = await backups.read(record)
    assert told is not None
    assert (told.place, told.encrypted, told.HasField("verify_time")) == (made.place, False, False)
    assert told.size_bytes > 0
    note_verification(installation.data_dir, verify(first).place, 0)
    told = await backups.read(record)
    assert told is not None
    assert not told.HasField("verify_time")
    note_verification(installation.data_dir, verify(second).place, 3)
    told = await backups.read(record)
    assert told is not None
    assert (told.HasField("verify_time"), told.fault_count) == (True, 3)
    record.write_text("no JSON")
    assert await backups.read(record) is None
    record.unlink()
    assert await backups.read(record) is None


async def test_a_folder_copies_an_object_once(installation: Installation, tmp_path: Path) -> None:
    """Each backup of a folder is whole by itself; a file of a later one does no harm to an earlier one."""
    await installation.add(b"one")
    place = tmp_path / "backups"
    place.mkdir()
    first = await back_up(installation.data_dir, place)
    await installation.add(b"two")
    second = await back_up(installation.data_dir, place)
    assert first.copied == first.manifest.objects
    assert (second.copied, second.manifest.objects) == (1, first.manifest.objects + 1)
    assert verify(place).place == second.place
    assert verify(Path(first.place)).manifest.objects == first.manifest.objects
    with pytest.raises(WrongPassphrase, match="is not encrypted, but a passphrase is given"):
        await back_up(installation.data_dir, place, passphrase=PASSPHRASE)


async def test_what_comes_and_goes_during_a_backup(installation: Installation, tmp_path: Path) -> None:
    """A row that commits while objects are copied has its object in the backup; one that goes has neither."""
    await installation.add(b"there from the beginning")
    loop = asyncio.get_running_loop()
    came: list[str] = []

    async def happen() -> None:
        came.append(await installation.add(b"comes"))
        gone = await installation.add(b"goes")
        await installation.forget(gone)
        installation.delete(gone)

    def tell(progress: Progress) -> None:
        if progress.objects and not came:
            asyncio.run_coroutine_threadsafe(happen(), loop).result()

    made = await back_up(installation.data_dir, tmp_path / "loupe.tar", on_progress=tell)
    assert made.manifest.lost == ()
    assert verify(tmp_path / "loupe.tar").faults == ()
    with source_of(tmp_path / "loupe.tar", None) as source:
        assert source.open_object(f"samples/{came[0]}").read() == b"comes"


async def test_what_was_lost_before_is_told(installation: Installation, tmp_path: Path) -> None:
    """A backup is made all the same, and says which objects it could not have."""
    lost = await installation.add(b"lost")
    installation.delete(lost)
    made = await back_up(installation.data_dir, tmp_path / "loupe.tar")
    await installation.forget(lost)
    assert made.manifest.lost == (f"samples/{lost}",)


async def test_an_event_is_in_the_stream_or_in_the_outbox(installation: Installation, tmp_path: Path) -> None:
    """What is published after the moment of the rows is not in it: subscribers would see what no row says."""
    await installation.publish("loupe.tasks.t2.state", b"before")
    await installation.execute(
        "INSERT INTO scheduler.outbox (message_id, subject, payload, headers) "
        "VALUES (gen_random_uuid(), 'loupe.tasks.t2.state', 'waits', '{}')"
    )
    made = await back_up(installation.data_dir, tmp_path / "loupe.tar")
    await installation.publish("loupe.tasks.t2.state", b"after")
    with source_of(tmp_path / "loupe.tar", None) as source:
        subjects = [json.loads(line)["subject"] for line in source.open("events.jsonl")]
    assert subjects.count("loupe.tasks.t2.state") == 1
    assert made.manifest.streams["TASKS"].messages == len(subjects)
    await restore(tmp_path / "loupe.tar", tmp_path / "second")
    async with EmbeddedServers(tmp_path / "second", durable=False) as servers:
        connection = await asyncpg.connect(servers.postgres.url.replace("+asyncpg", ""))
        assert await connection.fetchval("SELECT payload FROM scheduler.outbox") == b"waits"
        await connection.close()
        await servers.stop(kill=True)


async def test_a_restore_is_refused_by_name(installation: Installation, tmp_path: Path) -> None:
    """A folder that is not empty, another passphrase, a later format, later tables, and altered bytes."""
    sha256 = await installation.add(b"a sample")
    place = tmp_path / "backups"
    place.mkdir()
    made = await back_up(installation.data_dir, place)
    target = tmp_path / "second"

    async def refusal(of: Path, passphrase: str | None = None) -> str:
        with pytest.raises(BackupError) as refused:
            await restore(of, target, passphrase=passphrase)
        assert not target.exists()
        return str(refused.value)

    with pytest.raises(BackupError, match="is not empty; name a folder that is"):
        await restore(place, installation.data_dir)
    assert "is not encrypted, but a passphrase is given" in await refusal(place, PASSPHRASE)
    (place / "objects" / "samples" / sha256).write_bytes(b"a simple")
    assert f"objects/samples/{sha256} is altered" in await refusal(place)
    assert len(verify(place).faults) == 1
    (place / "objects" / "samples" / sha256).unlink()
    assert f"objects/samples/{sha256} is missing" in await refusal(place)
    assert verify(place).faults == (f"objects/samples/{sha256} is missing",)
    manifest = Path(made.place) / "manifest.json"
    whole = manifest.read_text()
    stored = json.loads(whole)
    # As another build would write it.
    del stored["sha256"]
    manifest.write_text(json.dumps(stored | {"format": 99, "loupe": "9.0"}))
    assert "format 99, made by Loupe 9.0" in await refusal(place)
    manifest.write_text(json.dumps(stored | {"schemas": {"registry": "9999"}}))
    assert "tables of registry are at revision 9999" in await refusal(place)
    manifest.write_text(whole)
    dump = Path(made.place) / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-1])
    assert "database.dump is altered" in await refusal(place)
    assert "does not exist" in await refusal(tmp_path / "nothing")


async def test_a_flipped_byte_is_found_wherever_it_is(installation: Installation, tmp_path: Path) -> None:
    """In an object, the dump, a key, the lists; in a file, sealed or not, and in a folder."""
    await installation.add(b"a sample" * 100)
    folder = tmp_path / "folder"
    folder.mkdir()
    for place, passphrase in ((tmp_path / "a.tar", None), (tmp_path / "b.tar", PASSPHRASE), (folder, None)):
        made = await back_up(installation.data_dir, place, passphrase=passphrase)
        assert verify(place, passphrase=passphrase).faults == ()
        for path, position in _positions(Path(made.place), folder if place is folder else None):
            content = path.read_bytes()
            path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
            assert _is_refused(place, passphrase), f"byte {position} of {path}"
            path.write_bytes(content)
        assert verify(place, passphrase=passphrase).faults == ()


def _positions(place: Path, folder: Path | None) -> Iterator[tuple[Path, int]]:
    """Bytes that mean something: of each file of a folder some, of a tar some of each member."""
    if folder is not None:
        for path in [*place.rglob("*"), *(folder / "objects").rglob("*")]:
            if path.is_file():
                yield from ((path, position) for position in _some(0, path.stat().st_size))
        return
    if not tarfile.is_tarfile(place):
        yield from ((place, position) for position in _some(0, place.stat().st_size))
        return
    with tarfile.open(place) as tar:
        for member in tar:
            yield from ((place, position) for position in _some(member.offset_data, member.size))
            yield place, member.offset  # its name


def _some(begin: int, size: int) -> list[int]:
    """The first, the last, and some between."""
    return sorted({begin, begin + size - 1, *range(begin, begin + size, max(1, size // 10))}) if size else []


def _is_refused(place: Path, passphrase: str | None) -> bool:
    try:
        return bool(verify(place, passphrase=passphrase).faults)
    except BackupError:
        return True


async def test_where_others_find_the_stack_stays_where_it_is_so(
    installation: Installation, tmp_path: Path
) -> None:
    """On the same machine all of it; on another the certificate, and the number of workers."""
    root = installation.data_dir
    here = NetworkChoice(bind=EVERY_ADDRESS, public_host="localhost", self_signed=True).network(root)
    network.prepare(here)
    workers.keep(root / "workers.json", Workers(trainers=3, evaluators=0))
    for name, host in (("same", "localhost"), ("other", "loupe.invalid")):
        network.keep(root / "network.json", replace(here, public_host=host))
        await back_up(root, tmp_path / f"{name}.tar")
        restored = await restore(tmp_path / f"{name}.tar", tmp_path / name)
        kept = network.read(tmp_path / name / "network.json")
        assert workers.read(tmp_path / name / "workers.json").trainers == 3
        for file in ("certificate.pem", "key.pem"):
            assert (tmp_path / name / "https" / file).read_bytes() == (root / "https" / file).read_bytes()
        if host == "localhost":
            assert (restored.left_out, restored.misfit) == (None, "")
            assert kept.certificate == str(tmp_path / "same/https/certificate.pem")
            assert kept.fingerprint == here.fingerprint
        else:
            assert restored.misfit == "loupe.invalid is no name of this machine"
            assert restored.left_out is not None
            assert restored.left_out.options == (
                "--bind 0.0.0.0 --public-host loupe.invalid --https-self-signed"
            )
            assert not kept.is_open
    (root / "network.json").unlink()


async def test_what_was_encrypted_is_read_by_its_passphrase_alone(
    installation: Installation, tmp_path: Path
) -> None:
    """Another one, a bit that changed and an end that is missing are found before anything is restored."""
    await installation.add(b"a sample" * 400_000)
    place = tmp_path / "loupe.tar"
    await back_up(installation.data_dir, place, passphrase=PASSPHRASE)
    content = place.read_bytes()
    assert b"database.dump" not in content
    with pytest.raises(WrongPassphrase, match="is not that of this backup"):
        verify(place, passphrase="another")  # noqa: S106 -- of a test
    with pytest.raises(WrongPassphrase, match="is encrypted; give its passphrase"):
        verify(place)
    for altered in (
        content[:-1],
        content[: -(1024 * 1024 + 16)],
        content[:200_000] + b"?" + content[200_001:],
    ):
        place.write_bytes(altered)
        try:
            faults = verify(place, passphrase=PASSPHRASE).faults
        except BackupError as error:
            assert "altered or cut off" in str(error)  # noqa: PT017 -- or a fault, where it was read later
        else:
            assert any("altered or cut off" in fault for fault in faults)
