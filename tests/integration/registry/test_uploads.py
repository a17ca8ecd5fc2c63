"""Uploads arrive beside what is verified, and reach it only as the bytes that were verified (D2, D4)."""

import secrets
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from loupe.access.v1 import access_pb2
from loupe.errors import InvalidArgument
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2
from loupe.settings import load

from services.kit.object_store import BlockingObjectStore
from services.registry.application import inspection
from services.registry.settings import Settings
from services.vision.thumbnails import MAX_OBJECT_BYTES

from .conftest import Importer, Registry, a_mask, new_path, png, sha256

ADDED = dataset_pb2.SampleOutcome.OUTCOME_ADDED
UNCHANGED = dataset_pb2.SampleOutcome.OUTCOME_UNCHANGED


@pytest.fixture
def store(registry: Registry) -> Iterator[BlockingObjectStore]:
    opened = BlockingObjectStore(load(Settings, registry.environment).objects)
    yield opened
    opened.close()


def candidate(data: bytes, mask: bytes | None = None) -> dataset_pb2.SampleCandidate:
    """A file of its own with these bytes."""
    return dataset_pb2.SampleCandidate(
        file=f"TPFIP/{secrets.token_hex(4)}.png",
        sha256=sha256(data),
        mask_sha256="" if mask is None else sha256(mask),
    )


async def link_for(importer: Importer, data: bytes, *sizes: int) -> str:
    """Where to upload; a size that it announces, or none, as older clients do."""
    plan = await importer.caller.data.PlanSampleUploads(
        dataset_service_pb2.PlanSampleUploadsRequest(
            parent=importer.path, sha256s=[sha256(data)], size_bytes=sizes
        )
    )
    (upload,) = plan.uploads
    return str(upload.url)


async def put(link: str, data: bytes, **headers: str) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.put(link, content=data, headers=headers)).status_code


async def added(importer: Importer, *candidates: dataset_pb2.SampleCandidate) -> list[str]:
    """The reasons of the candidates, or ADDED."""
    outcomes = (await importer.add(*candidates)).outcomes
    return ["ADDED" if outcome.outcome == ADDED else outcome.reason for outcome in outcomes]


def held(store: BlockingObjectStore, data: bytes) -> bytes:
    """What is at the content address of these bytes."""
    return store.get_bytes(f"samples/{sha256(data)}", max_bytes=MAX_OBJECT_BYTES)


async def test_a_link_that_was_used_changes_nothing_that_was_verified(
    importer: Importer, store: BlockingObjectStore
) -> None:
    """A link is good for an hour: other bytes, sent after the check, ended the trainings of others."""
    data, mask = png(700), a_mask(701)
    links = {one: await link_for(importer, one, len(one)) for one in (data, mask)}
    for one, link in links.items():
        assert await put(link, one) == 200
    assert await added(importer, candidate(data, mask)) == ["ADDED"]
    for one, link in links.items():
        await put(link, bytes(len(one)))
        assert held(store, one) == one


async def test_a_late_end_of_an_upload_spoils_no_other(importer: Importer, registry: Registry) -> None:
    """D2: neither of an importer that was killed, nor of somebody who sends others bytes on purpose."""
    data = png(710)
    someone = await registry.with_role(access_pb2.ROLE_ENGINEER)
    stranger = Importer(someone, await new_path(someone))
    right = await link_for(importer, data, len(data))
    late = [await link_for(importer, data, len(data)), await link_for(stranger, data, len(data))]
    assert await put(right, data) == 200
    for link in late:
        assert await put(link, bytes(len(data))) == 200
    assert await added(importer, candidate(data)) == ["ADDED"]
    assert await added(stranger, candidate(data)) == ["ADDED"], "it is known by now"


async def test_what_was_added_leaves_no_upload(
    importer: Importer, store: BlockingObjectStore, registry: Registry
) -> None:
    """Right, wrong or no image: what is settled takes no room until the collector comes."""
    right, wrong, words = png(720), png(721), secrets.token_bytes(40)
    before = set(store.keys("incoming/"))
    for data, sent in ((right, right), (wrong, bytes(len(wrong))), (words, words)):
        assert await put(await link_for(importer, data, len(data)), sent) == 200
    assert await added(importer, *map(candidate, (right, wrong, words))) == [
        "ADDED",
        "HASH_MISMATCH",
        "NOT_AN_IMAGE",
    ]
    assert set(store.keys("incoming/")) == before
    assert not store.exists(f"samples/{sha256(words)}")
    async with registry.database.sessions.begin() as session:
        rows = await session.execute(
            sa.text("SELECT count(*) FROM uploads WHERE encode(sha256, 'hex') = ANY(:hashes)"),
            {"hashes": [sha256(data) for data in (right, wrong, words)]},
        )
        assert rows.scalar_one() == 0


async def test_a_wrong_upload_of_what_is_there_is_no_fault(
    importer: Importer, store: BlockingObjectStore
) -> None:
    """D2: what was verified stays what it was; where it is lost, only the right bytes heal it."""
    data = png(730)
    link = await link_for(importer, data, len(data))
    await importer.import_files({"TPFIP/a.png": data})
    assert await put(link, bytes(len(data))) == 200
    assert await added(importer, candidate(data)) == ["ADDED"]
    assert held(store, data) == data

    store.delete(f"samples/{sha256(data)}")
    assert await put(await link_for(importer, data, len(data)), bytes(len(data))) == 200
    assert await added(importer, candidate(data)) == ["HASH_MISMATCH"]
    assert await put(await link_for(importer, data, len(data)), data) == 200
    assert await added(importer, candidate(data)) == ["ADDED"]
    assert held(store, data) == data


async def test_an_object_is_of_the_type_that_was_found(
    importer: Importer, store: BlockingObjectStore
) -> None:
    """A picture that is a page too, called text/html by who sent it, ran its script beside the console."""
    page = png(740) + b"<script>document.cookie = 'loupe_session=mine; path=/v1'</script>"
    kinds = {"Content-Type": "text/html", "Content-Disposition": "inline", "Content-Encoding": "identity"}
    assert await put(await link_for(importer, page, len(page)), page, **kinds) == 200
    sample = candidate(page)
    assert await added(importer, sample) == ["ADDED"]
    assert store.stat(f"samples/{sha256(page)}").content_type == "image/png"
    # One that was stored before types were looked at.
    store.put_bytes(f"samples/{sha256(page)}", page, content_type="text/html")
    link = await importer.caller.data.LinkSample(
        dataset_service_pb2.LinkSampleRequest(parent=importer.path, file=sample.file)
    )
    async with httpx.AsyncClient() as client:
        assert (await client.get(link.url)).headers["content-type"] == "image/png"


async def test_small_files_are_sent_together(importer: Importer, store: BlockingObjectStore) -> None:
    """D2, D4: what is wrong with one is told of it alone, and the upload stays until all are settled."""
    small, large = [png(seed) for seed in range(800, 804)], png(804, 300, 300)
    before = set(store.keys("incoming/"))
    by_hash = {sha256(data): data for data in [*small, large, b""]}

    async def plan() -> dict[str, list[bytes]]:
        answer = await importer.caller.data.PlanSampleUploads(
            dataset_service_pb2.PlanSampleUploadsRequest(
                parent=importer.path,
                sha256s=list(by_hash),
                size_bytes=[len(data) for data in by_hash.values()],
                joined=True,
            )
        )
        found: dict[str, list[bytes]] = {}
        for upload in answer.uploads:
            found.setdefault(upload.url, []).append(by_hash[upload.sha256])
        return found

    links = await plan()
    assert sorted(map(len, links.values())) == [1, 1, len(small)]
    spoilt, *sound = small
    for link, parts in links.items():
        body = b"".join(bytes(len(part)) if part == spoilt else part for part in parts)
        assert await put(link, body, **{"Content-Length": str(len(body))}) == 200
    assert await plan() == {}, "all have arrived"
    assert await added(importer, candidate(sound[0]), candidate(large), candidate(b"")) == [
        "ADDED",
        "ADDED",
        "EMPTY",
    ]
    assert len(set(store.keys("incoming/")) - before) == 1
    assert await added(importer, *map(candidate, small)) == ["HASH_MISMATCH", *["ADDED"] * 3]
    assert set(store.keys("incoming/")) == before
    assert list((await plan()).values()) == [[spoilt]]


async def test_what_is_too_large_is_not_sent(importer: Importer) -> None:
    """D4: it is refused for its size, with no link on which to try."""
    data = png(750)
    plan = await importer.caller.data.PlanSampleUploads(
        dataset_service_pb2.PlanSampleUploadsRequest(
            parent=importer.path, sha256s=[sha256(data)], size_bytes=[MAX_OBJECT_BYTES + 1]
        )
    )
    assert list(plan.uploads) == []
    assert await added(importer, candidate(data)) == ["TOO_LARGE"]


async def test_who_announces_no_size_is_refused_by_what_arrives(
    importer: Importer, store: BlockingObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients of before, and imports that run while the registry is upgraded, send no sizes."""
    small, large = png(760), png(761, 64, 64)
    monkeypatch.setattr(inspection, "MAX_OBJECT_BYTES", len(small))
    before = set(store.keys("incoming/"))
    for data in (small, large):
        assert await put(await link_for(importer, data), data) == 200
    assert await added(importer, candidate(small), candidate(large)) == ["ADDED", "TOO_LARGE"]
    assert set(store.keys("incoming/")) == before


@pytest.mark.parametrize("sizes", [[1, 2], [-1]])
async def test_sizes_are_those_of_the_hashes(importer: Importer, sizes: list[int]) -> None:
    """A size too many would be another object's."""
    with pytest.raises(InvalidArgument):
        await link_for(importer, b"x", *sizes)


async def test_an_import_that_was_under_way_at_an_upgrade_ends(
    importer: Importer, store: BlockingObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the earlier version's links wrote, or this one before it died, is at its address without a row."""
    data, old = png(770), png(771)
    for one in (data, old):
        store.put_bytes(f"samples/{sha256(one)}", one, content_type="text/html")
    assert await added(importer, candidate(data)) == ["ADDED"]
    assert store.stat(f"samples/{sha256(data)}").content_type == "image/png"
    # The collector may be about to delete what is old.
    monkeypatch.setattr(inspection, "ORPHAN_GRACE", -inspection.ORPHAN_GRACE)
    assert await added(importer, candidate(old)) == ["NOT_UPLOADED"]


async def test_an_object_is_durable_before_its_row(
    importer: Importer, store: BlockingObjectStore, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a row must not name bytes that are gone."""
    data = png(780)
    seen: list[tuple[bool, int]] = []

    async def flush(_: object) -> None:
        async with registry.database.sessions.begin() as session:
            rows = await session.execute(
                sa.text("SELECT count(*) FROM objects WHERE encode(sha256, 'hex') = :hash"),
                {"hash": sha256(data)},
            )
            seen.append((held(store, data) == data, rows.scalar_one()))

    monkeypatch.setattr("services.kit.object_store.ObjectStore.flush", flush)
    await importer.import_files({"TPFIP/a.png": data})
    assert seen == [(True, 0)]


async def test_one_file_in_two_imports_at_once_is_taken_by_both(importer: Importer) -> None:
    """D2: each has an upload of its own, and needs neither the other's."""
    data = png(790)
    links = [await link_for(importer, data, len(data)) for _ in range(3)]
    assert await put(links[0], data) == 200
    assert await added(importer, candidate(data)) == ["ADDED"]
    assert await put(links[2], data) == 200
    assert await added(importer, candidate(data)) == ["ADDED"]
