"""Importing samples (D1 to D4) and pinning listings (W12), against real PostgreSQL and S3."""

import asyncio
import io
import json
import random
import secrets
import struct
import zlib
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest
import sqlalchemy as sa
from loupe.access.v1 import access_pb2
from loupe.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from loupe.image_files import decode, pixels_sha256
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2
from loupe.settings import load
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from services.kit.object_store import BlockingObjectStore
from services.registry.settings import Settings
from services.vision.parts import keys, parts
from tests.support.tokens import token_of
from tests.support.waiting import eventually
from tests.unit.client.test_image_files import progressive

from .conftest import Caller, Importer, Registry, a_mask, encoded, new_path, png, sha256

ADDED = dataset_pb2.SampleOutcome.OUTCOME_ADDED
UNCHANGED = dataset_pb2.SampleOutcome.OUTCOME_UNCHANGED
REPLACED = dataset_pb2.SampleOutcome.OUTCOME_REPLACED
REJECTED = dataset_pb2.SampleOutcome.OUTCOME_REJECTED


async def snapshot(caller: Caller, path: str) -> dataset_pb2.Snapshot:
    return await caller.data.SnapshotDataPath(dataset_service_pb2.SnapshotDataPathRequest(name=path))


async def get_path(caller: Caller, path: str) -> dataset_pb2.DataPath:
    return await caller.data.GetDataPath(dataset_service_pb2.GetDataPathRequest(name=path))


async def samples_of(caller: Caller, path: str, **filters: object) -> list[dataset_pb2.Sample]:
    answer = await caller.data.ListSamples(dataset_service_pb2.ListSamplesRequest(parent=path, **filters))
    return list(answer.samples)


async def test_a_sound_image_is_listed_with_its_facts(importer: Importer) -> None:
    """Training and the console work from the listing: type, size and counts must be the bytes' own (W4)."""
    files = {"TPFIP/a.png": png(1), "TPFIP/b.png": png(2), "TTFBS/c.png": png(3, 40, 30)}
    masks = {"TTFBS/c.png": a_mask(4, 40, 30)}
    answer = await importer.import_files(files, masks, {"TPFIP/a.png": "panel-7"})
    assert [outcome.outcome for outcome in answer.outcomes] == [ADDED] * 3
    path = answer.data_path
    assert path.status == dataset_pb2.DATA_PATH_STATUS_VALID
    assert path.sample_count == 3
    assert path.mask_count == 1
    assert path.revision == 1
    assert [(c.code, c.sample_count, c.mask_count) for c in path.code_counts] == [
        ("TPFIP", 2, 0),
        ("TTFBS", 1, 1),
    ]
    first, _, third = await samples_of(importer.caller, importer.path)
    assert (first.file, first.code, first.group, first.format) == ("TPFIP/a.png", "TPFIP", "panel-7", "PNG")
    assert (third.width, third.height, third.size_bytes) == (40, 30, len(files["TTFBS/c.png"]))
    assert third.mask_sha256 == sha256(masks["TTFBS/c.png"])
    assert [s.file for s in await samples_of(importer.caller, importer.path, code="TTFBS")] == ["TTFBS/c.png"]
    assert await get_path(importer.caller, importer.path) == path


async def test_an_import_may_be_repeated(importer: Importer) -> None:
    """An import is resumed by running it again: nothing is uploaded twice, nothing doubled (D2)."""
    files = {f"TPFIP/{n}.png": png(100 + n) for n in range(5)}
    first = await importer.import_files(files)
    assert await importer.upload(list(files.values())) == []
    again = await importer.import_files(files)
    assert {outcome.outcome for outcome in again.outcomes} == {UNCHANGED}
    assert again.data_path == first.data_path


async def test_an_upload_that_was_never_added_is_not_asked_for_again(importer: Importer) -> None:
    """A client that dies between upload and AddSamples goes on from there (D2)."""
    data = png(200)
    assert await importer.upload([data]) == [sha256(data)]
    assert await importer.upload([data]) == []


async def test_a_changed_file_replaces_its_predecessor(importer: Importer) -> None:
    """The counts follow when a sample loses its mask, and an earlier snapshot keeps the old bytes."""
    file, old, new = "TPFIP/a.png", png(300), png(301)
    await importer.import_files({file: old}, {file: a_mask(302)})
    before = await snapshot(importer.caller, importer.path)
    answer = await importer.import_files({file: new})
    assert answer.outcomes[0].outcome == REPLACED
    assert (answer.data_path.sample_count, answer.data_path.mask_count, answer.data_path.revision) == (
        1,
        0,
        2,
    )
    after = await snapshot(importer.caller, importer.path)
    assert before.sha256 != after.sha256
    assert (before.code_counts[0].mask_count, after.code_counts[0].mask_count) == (1, 0)


def _png_header(width: int, height: int) -> bytes:
    """A PNG of that size in a hundred bytes: a decompression bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


JPEG = encoded(Image.open(io.BytesIO(png(0, 64, 48))), "JPEG")

UNSOUND = {
    "EMPTY": ("TPFIP/empty.png", b""),
    "NOT_AN_IMAGE": ("TPFIP/text.png", b"these are words, not pixels"),
    "TYPE_MISMATCH": ("TPFIP/jpeg.png", JPEG),
    "TRUNCATED": ("TPFIP/cut.jpg", JPEG[:-60]),
    "TOO_LARGE": ("TPFIP/bomb.png", _png_header(30_000, 30_000)),
    "DECODE_FAILED": ("TPFIP/broken.png", _png_header(8, 8)),
    "TOO_MANY_PARTS": ("TPFIP/scans.jpg", progressive(1000)),
}


async def test_unsound_files_are_set_aside_one_by_one(importer: Importer) -> None:
    """D4: each is told with its reason in both languages, and the sound one beside them is listed."""
    files = {"TPFIP/good.png": png(400), **dict(UNSOUND.values())}
    for _ in range(2):  # the second time from memory: what was found is not fetched again
        answer = await importer.import_files(files)
        by_file = {outcome.file: outcome for outcome in answer.outcomes}
        for reason, (file, _) in UNSOUND.items():
            assert (by_file[file].outcome, by_file[file].reason) == (REJECTED, reason)
            assert by_file[file].message
            assert by_file[file].message_zh
        assert by_file["TPFIP/good.png"].outcome in (ADDED, UNCHANGED)
        assert answer.data_path.sample_count == 1


async def test_a_damaged_header_sets_one_picture_aside(importer: Importer) -> None:
    """D4, D7: 30 bytes of a BMP, or a number that no column has room for, must not cost the batch."""
    bmp = encoded(Image.open(io.BytesIO(png(410))), "BMP")
    tiff = bytearray(encoded(Image.open(io.BytesIO(png(411, mode="RGB"))), "TIFF"))
    channels = tiff.index(struct.pack("<HH", 277, 3))
    tiff[channels + 8 : channels + 10] = b"\xff\xff"
    files = {"TPFIP/cut.bmp": bmp[:30], "TPFIP/channels.tif": bytes(tiff), "TPFIP/whole.bmp": bmp}
    answer = await importer.import_files(files)
    told = {outcome.file: (outcome.outcome, outcome.reason) for outcome in answer.outcomes}
    assert told == {
        "TPFIP/cut.bmp": (REJECTED, "TRUNCATED"),
        "TPFIP/channels.tif": (REJECTED, "DECODE_FAILED"),
        "TPFIP/whole.bmp": (ADDED, ""),
    }


async def test_an_honest_import_is_answered_beside_bombs(registry: Registry, importer: Importer) -> None:
    """D4: four files that took minutes held all inspectors, and the import of somebody else for 158 s.

    Who comes later than a dozen files that each take seconds is answered before a few of them are.
    """
    honest_caller = await registry.with_role(access_pb2.ROLE_ENGINEER)
    honest = Importer(honest_caller, await new_path(honest_caller))
    flat = progressive(100, Image.new("L", (5_000, 5_000)))
    # A comment makes each another object.
    bombs = {
        f"TPFIP/{n}.jpg": flat[:2] + b"\xff\xfe\0\6" + secrets.token_bytes(4) + flat[2:] for n in range(12)
    }
    await importer.upload(list(bombs.values()))
    picture = png(430)
    await honest.upload([picture])
    calls = [
        asyncio.ensure_future(importer.add(dataset_pb2.SampleCandidate(file=file, sha256=sha256(data))))
        for file, data in bombs.items()
    ]
    await eventually(decoders)
    answer = await honest.add(dataset_pb2.SampleCandidate(file="TPFIP/a.png", sha256=sha256(picture)))
    assert [outcome.outcome for outcome in answer.outcomes] == [ADDED]
    assert sum(call.done() for call in calls) < 6
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_an_import_goes_on_when_decoders_are_killed(importer: Importer, registry: Registry) -> None:
    """D4: by the kernel for want of memory, or by a person: no object is lost, and no call fails."""
    await importer.import_files({"TPFIP/a.png": png(440)})
    secret = token_of("scheduler", registry.environment["LOUPE_SERVICE_TOKENS_DIR"])
    for decoder in decoders():
        assert secret not in "".join(decoder.environ().values())
        decoder.kill()
    files = {f"TPFIP/{n}.png": png(441 + n) for n in range(20)}
    answer = await importer.import_files(files)
    assert {outcome.outcome for outcome in answer.outcomes} == {ADDED}


def decoders() -> list[psutil.Process]:
    """The registry's, which runs in this process."""
    return [child for child in psutil.Process().children() if "services.registry.decoder" in child.cmdline()]


ODD_NAMES = [
    f"TPFIP/{n:02}{odd}x.png"
    for n, odd in enumerate(
        "\u00a0\u00ad\u0378\u061c\u1680\u180e\u2000\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000"
        "\ue000\ufeff\ufff9\uffff\U000e0041\U0001f600'\"\\%_[{"
    )
]
"""Names with a character that cannot be seen, is no character yet, or means something to some language."""


async def test_what_is_imported_is_listed_to_the_end(importer: Importer, registry: Registry) -> None:
    """D7: every name that an import takes is carried by a page token; so is one that it took once."""
    data = png(420)
    answer = await importer.import_files(dict.fromkeys(ODD_NAMES, data))
    assert {outcome.outcome for outcome in answer.outcomes} == {ADDED}
    # What was imported before such names were refused.
    renamed = [f"TPFIP/{odd}.png" for odd in ("\x01", "\n", "\x7f", "\x85", "\u202e", "\u2066")]
    async with registry.database.sessions.begin() as session:
        for old, new in zip(ODD_NAMES, renamed, strict=False):
            await session.execute(
                sa.text("UPDATE samples SET file = :new WHERE file = :old"), {"old": old, "new": new}
            )
    found: list[str] = []
    request = dataset_service_pb2.ListSamplesRequest(parent=importer.path, page_size=1)
    while True:
        page = await importer.caller.data.ListSamples(request)
        found += [sample.file for sample in page.samples]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert sorted(found) == sorted([*renamed, *ODD_NAMES[len(renamed) :]])


async def test_a_jpeg_named_as_such_is_sound_although_another_name_was_not(importer: Importer) -> None:
    """What is wrong with a name must not stick to the bytes."""
    answer = await importer.import_files({"TPFIP/x.png": JPEG, "TPFIP/x.jpg": JPEG, "TPFIP/x.JPEG": JPEG})
    assert [outcome.outcome for outcome in answer.outcomes] == [REJECTED, ADDED, ADDED]


async def test_wrong_bytes_are_refused_and_the_right_ones_then_taken(importer: Importer) -> None:
    """A damaged upload must not block its hash for ever."""
    right, wrong = png(500), png(501)
    plan = await importer.caller.data.PlanSampleUploads(
        dataset_service_pb2.PlanSampleUploadsRequest(parent=importer.path, sha256s=[sha256(right)])
    )
    async with httpx.AsyncClient() as client:
        (await client.put(plan.uploads[0].url, content=wrong)).raise_for_status()
    candidate = dataset_pb2.SampleCandidate(file="TPFIP/a.png", sha256=sha256(right))
    refused = await importer.add(candidate)
    assert refused.outcomes[0].reason == "HASH_MISMATCH"
    assert await importer.upload([right]) == [sha256(right)]
    taken = await importer.add(candidate)
    assert taken.outcomes[0].outcome == ADDED


async def test_what_was_not_uploaded_is_told(importer: Importer) -> None:
    """And is taken as soon as it is there: absence is not remembered."""
    data = png(510)
    candidate = dataset_pb2.SampleCandidate(file="TPFIP/a.png", sha256=sha256(data))
    assert (await importer.add(candidate)).outcomes[0].reason == "NOT_UPLOADED"
    await importer.upload([data])
    assert (await importer.add(candidate)).outcomes[0].outcome == ADDED


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("no-folder.png", "BAD_CODE"),
        ("bad code/a.png", "BAD_CODE"),
        (f"{'X' * 33}/a.png", "BAD_CODE"),
        ("TPFIP/deeper/a.png", "BAD_CODE"),
        ("TPFIP/../a.png", "BAD_CODE"),
        ("TPFIP/", "BAD_CODE"),
        ("TPFIP/a\0.png", "BAD_NAME"),
        ("TPFIP/a\n.png", "BAD_NAME"),
        ("TPFIP/a\x85.png", "BAD_NAME"),
        ("TPFIP/a\u202egnp.png", "BAD_NAME"),
        ("TPFIP/a\u2066.png", "BAD_NAME"),
        (f"TPFIP/{'x' * 300}.png", "BAD_NAME"),
        ("TPFIP/readme.txt", "NOT_AN_IMAGE"),
        ("TPFIP/none", "NOT_AN_IMAGE"),
    ],
)
async def test_files_outside_the_layout_are_set_aside(importer: Importer, file: str, reason: str) -> None:
    """D1: a stray file of an image folder is a line in the importer's account, not the end of the import."""
    answer = await importer.add(dataset_pb2.SampleCandidate(file=file, sha256=sha256(b"x")))
    assert (answer.outcomes[0].outcome, answer.outcomes[0].reason) == (REJECTED, reason)


@pytest.mark.parametrize(
    "mask", [png(600, 25, 16), b"no picture", b""], ids=["other size", "no image", "empty"]
)
async def test_a_mask_must_fit_its_image(importer: Importer, mask: bytes) -> None:
    """A mask of another size would mark other pixels than those it was drawn on."""
    answer = await importer.import_files({"TPFIP/a.png": png(601)}, {"TPFIP/a.png": mask})
    assert (answer.outcomes[0].outcome, answer.outcomes[0].reason) == (REJECTED, "BAD_MASK")
    assert answer.data_path.status == dataset_pb2.DATA_PATH_STATUS_INVALID


async def test_indexed_masks_are_declared_by_their_path_and_pinned_with_it(
    engineer: Caller, registry: Registry
) -> None:
    """D1, W12: values are code indices + 1; the path says of which codes, to registry and trainers."""

    def mask(value: int) -> bytes:
        return encoded(Image.new("L", (24, 16), value), "PNG")

    dataset = f"indexed-{secrets.token_hex(4)}"
    await engineer.data.CreateDataset(dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset))
    request = dataset_service_pb2.CreateDataPathRequest(
        parent=f"datasets/{dataset}", data_path_id="p", allow_existing=True
    )
    request.data_path.mask_codes[:] = ["A", "no code"]
    with pytest.raises(InvalidArgument):
        await engineer.data.CreateDataPath(request)
    request.data_path.mask_codes[:] = ["A", "B"]
    path = await engineer.data.CreateDataPath(request)
    assert list(path.mask_codes) == ["A", "B"]
    importer = Importer(engineer, path.name)
    files = {"A/1.png": png(1200), "B/3.png": png(1201)}
    masks = {"A/1.png": mask(1), "B/3.png": mask(3)}
    answer = await importer.import_files(files, masks)
    assert [(one.outcome, one.reason) for one in answer.outcomes] == [(ADDED, ""), (REJECTED, "BAD_MASK")]
    before = await snapshot(engineer, path.name)

    request.data_path.mask_codes[:] = ["B", "A"]
    with pytest.raises(FailedPrecondition, match="would change what they mean") as refused:
        await engineer.data.CreateDataPath(request)
    assert refused.value.reason == "MASK_CODES_DIFFER"
    request.data_path.mask_codes[:] = ["A", "B", "C"]
    extended = await engineer.data.CreateDataPath(request)
    assert (list(extended.mask_codes), extended.revision) == (["A", "B", "C"], answer.data_path.revision + 1)
    request.data_path.mask_codes[:] = []  # as an import without masks asks
    assert await engineer.data.CreateDataPath(request) == extended
    answer = await importer.import_files(files, masks)
    assert [one.outcome for one in answer.outcomes] == [UNCHANGED, ADDED]

    after = await snapshot(engineer, path.name)
    assert before.sha256 != after.sha256
    lines = await registry.manifest(after.sha256)
    assert [line["mask_codes"] for line in lines] == [["A", "B", "C"]] * 2
    assert [line["mask_sha256"] for line in lines] == [sha256(masks[line["name"]]) for line in lines]


async def test_the_same_pixels_under_two_codes_are_told(engineer: Caller) -> None:
    """D2: one picture with two labels is a mistake, in another file format and another path too."""
    dataset = f"twins-{secrets.token_hex(4)}"
    first = Importer(engineer, await new_path(engineer, dataset, "one"))
    second = Importer(engineer, await new_path(engineer, dataset, "two"))
    picture = Image.new("L", (20, 20), 77)
    as_png, as_bmp = encoded(picture, "PNG"), encoded(picture, "BMP")
    answer = await first.import_files({"A/x.png": as_png, "B/y.bmp": as_bmp, "A/z.png": as_png})
    told = [list(outcome.same_pixels_under_other_codes) for outcome in answer.outcomes]
    assert told == [["B/y.bmp"], ["A/x.png", "A/z.png"], ["B/y.bmp"]]
    elsewhere = await second.import_files({"C/x.png": as_png})
    assert list(elsewhere.outcomes[0].same_pixels_under_other_codes) == [
        f"{first.path}/A/x.png",
        f"{first.path}/A/z.png",
        f"{first.path}/B/y.bmp",
    ]
    stranger = Importer(engineer, await new_path(engineer))
    apart = await stranger.import_files({"C/x.png": as_png})
    assert not apart.outcomes[0].same_pixels_under_other_codes


async def test_a_snapshot_depends_on_the_listing_alone(engineer: Caller) -> None:
    """W12: the same samples give the same manifest, whoever imported them, in whatever order, whenever."""
    files = {f"{code}/{n}.png": png(700 + n) for n, code in enumerate(["B", "A", "a", "Z_"])}
    groups = {"A/1.png": "晶圆-3"}
    one = Importer(engineer, await new_path(engineer))
    other = Importer(engineer, await new_path(engineer))
    await one.import_files(files, groups=groups)
    for file in reversed(files):
        await other.import_files({file: files[file]}, groups=groups)
    first, second = await snapshot(engineer, one.path), await snapshot(engineer, other.path)
    assert first.sha256 == second.sha256
    assert first.sample_count == 4
    assert await snapshot(engineer, one.path) == first
    assert first.name == f"{one.path}/snapshots/{first.sha256}"


async def test_a_manifest_is_whole_sorted_and_names_itself(importer: Importer, registry: Registry) -> None:
    """Trainers read it by its hash and never ask the registry for more; its lines are a contract."""
    files = {"B/2.png": png(801), "B/10.png": png(802), "A/x.png": png(803)}
    masks = {"B/2.png": a_mask(804)}
    await importer.import_files(files, masks)
    pinned = await snapshot(importer.caller, importer.path)
    lines = await registry.manifest(pinned.sha256)
    assert [line["name"] for line in lines] == ["A/x.png", "B/10.png", "B/2.png"]
    assert lines[2] == {
        "name": "B/2.png",
        "code": "B",
        "sha256": sha256(files["B/2.png"]),
        "size_bytes": len(files["B/2.png"]),
        "width": 24,
        "height": 16,
        "format": "PNG",
        "mask_sha256": sha256(masks["B/2.png"]),
        "group": None,
        "pixels_sha256": pixels_sha256(decode(files["B/2.png"])),
    }


async def test_an_empty_path_is_invalid_and_cannot_be_pinned(importer: Importer) -> None:
    """W5: a path without images blocks the wizard; pinning nothing would only hide that."""
    path = await get_path(importer.caller, importer.path)
    assert path.status == dataset_pb2.DATA_PATH_STATUS_INVALID
    assert path.sample_count == 0
    with pytest.raises(FailedPrecondition) as refused:
        await snapshot(importer.caller, importer.path)
    assert refused.value.reason == "DATA_PATH_EMPTY"


async def test_a_pinned_path_stays(importer: Importer) -> None:
    """A report must always be traceable to its data (W12); what nothing pins may go."""
    request = dataset_service_pb2.DeleteDataPathRequest(name=importer.path)
    await importer.import_files({"A/x.png": png(900)})
    await snapshot(importer.caller, importer.path)
    with pytest.raises(FailedPrecondition) as refused:
        await importer.caller.data.DeleteDataPath(request)
    assert refused.value.reason == "DATA_PATH_PINNED"
    loose = Importer(importer.caller, await new_path(importer.caller))
    await loose.import_files({"A/x.png": png(900)})
    await importer.caller.data.DeleteDataPath(dataset_service_pb2.DeleteDataPathRequest(name=loose.path))
    with pytest.raises(NotFound):
        await get_path(importer.caller, loose.path)


async def test_concurrent_imports_into_one_path_lose_nothing(importer: Importer) -> None:
    """Counts are kept as differences; two imports at once must add up, and the same files must count once."""
    files = {f"A/{n}.png": png(1000 + n) for n in range(20)}
    await importer.upload(list(files.values()))

    def candidates(numbers: range) -> list[dataset_pb2.SampleCandidate]:
        return [
            dataset_pb2.SampleCandidate(file=f"A/{n}.png", sha256=sha256(files[f"A/{n}.png"]))
            for n in numbers
        ]

    batches = [range(15), range(5, 20), range(20), range(10)]
    answers = await asyncio.gather(*(importer.add(*candidates(batch)) for batch in batches))
    outcomes = [outcome.outcome for answer in answers for outcome in answer.outcomes]
    assert outcomes.count(ADDED) == 20
    assert set(outcomes) == {ADDED, UNCHANGED}
    path = await get_path(importer.caller, importer.path)
    assert path.sample_count == 20
    assert len(await samples_of(importer.caller, importer.path)) == 20


async def test_faults_of_a_batch_are_told_together(importer: Importer) -> None:
    """A client that sends nonsense learns all of it at once, each with the path of its field."""
    with pytest.raises(InvalidArgument) as refused:
        await importer.add(
            dataset_pb2.SampleCandidate(file="A/x.png", sha256="short"),
            dataset_pb2.SampleCandidate(
                file="A/y.png", sha256=sha256(b""), mask_sha256="NOTHEX", group="g" * 200
            ),
            dataset_pb2.SampleCandidate(file="A/y.png", sha256=sha256(b"")),
        )
    told = {(violation.field, violation.reason) for violation in refused.value.violations}
    assert told == {
        ("candidates[0].sha256", "BAD_SHA256"),
        ("candidates[1].mask_sha256", "BAD_SHA256"),
        ("candidates[1].group", "TOO_LONG"),
        ("candidates[1].file", "DUPLICATE"),
        ("candidates[2].file", "DUPLICATE"),
    }
    assert all(violation.message_zh for violation in refused.value.violations)
    with pytest.raises(InvalidArgument):
        await importer.add(*[dataset_pb2.SampleCandidate(file=f"A/{n}.png") for n in range(501)])


async def test_links_lead_to_the_bytes(importer: Importer) -> None:
    """I3: pictures go from object storage to the viewer, never through the service."""
    image, mask = png(1100), a_mask(1101)
    await importer.import_files({"A/x.png": image, "A/y.png": png(1102)}, {"A/x.png": mask})

    async def link(
        file: str, *, of_mask: bool = False, small: bool = False
    ) -> dataset_service_pb2.LinkSampleResponse:
        return await importer.caller.data.LinkSample(
            dataset_service_pb2.LinkSampleRequest(
                parent=importer.path, file=file, mask=of_mask, thumbnail=small
            )
        )

    async with httpx.AsyncClient() as client:
        assert (await client.get((await link("A/x.png")).url)).content == image
        assert (await client.get((await link("A/x.png", of_mask=True)).url)).content == mask
        small = await client.get((await link("A/x.png", small=True)).url)
        assert small.headers["content-type"] == "image/jpeg"
        assert small.content.startswith(b"\xff\xd8")
        # Made once: whoever asks again gets the same object.
        again = (await link("A/x.png", small=True)).url
        assert again.partition("?")[0] == str(small.url).partition("?")[0]
    with pytest.raises(InvalidArgument):
        await link("A/x.png", of_mask=True, small=True)
    with pytest.raises(NotFound):
        await link("A/y.png", of_mask=True)
    with pytest.raises(NotFound):
        await link("A/absent.png")


async def parts_of(caller: Caller, paths: list[str], codes: list[str]) -> dict[str, tuple[int, int]]:
    """Samples and parts by code."""
    answer = await caller.data.CountParts(
        dataset_service_pb2.CountPartsRequest(data_paths=paths, codes=codes)
    )
    return {one.code: (one.sample_count, one.part_count) for one in answer.codes}


async def test_d3_parts_are_counted_over_paths_and_codes_together(engineer: Caller, viewer: Caller) -> None:
    """Groups and equal contents join, also through others; a code that is not trained joins nothing."""
    first, second = Importer(engineer, await new_path(engineer)), Importer(engineer, await new_path(engineer))
    await first.import_files(
        {"A/1.png": png(1), "A/2.png": png(2), "A/3.png": png(3), "B/1.png": png(4), "B/2.png": png(4)},
        groups={"A/1.png": "u", "A/2.png": "v", "A/3.png": "only-here"},
    )
    await second.import_files(
        {"A/1.png": png(5), "B/3.png": png(6), "X/1.png": png(1), "X/2.png": png(2), "C/1.png": png(2)},
        groups={"A/1.png": "u", "X/1.png": "x", "X/2.png": "x", "B/3.png": "only-there"},
    )
    one = [first.path]
    both = [first.path, second.path]
    assert await parts_of(viewer, one, ["A", "B", "C"]) == {"A": (3, 3), "B": (2, 1)}
    # B/1 and B/2 are one picture; A/1 of both paths are of one panel.
    assert await parts_of(viewer, both, ["A", "B"]) == {"A": (4, 3), "B": (3, 2)}
    # X joins u and v, since it shows them on one panel.
    assert await parts_of(viewer, [*both, *both], ["A", "X"]) == {"A": (4, 2), "X": (2, 1)}
    assert await parts_of(viewer, both, ["C", "A"]) == {"A": (4, 3), "C": (1, 1)}
    assert await parts_of(viewer, both, []) == {}


async def test_d3_the_same_picture_in_other_bytes_is_one_part(importer: Importer, registry: Registry) -> None:
    """D3, D9: copies are no samples to judge by; a text, or another lossless format, changes no pixel."""
    picture = Image.effect_noise((24, 24), 60)
    files = {"A/0.bmp": encoded(picture, "BMP"), "A/1.png": encoded(picture, "PNG")}
    for number in range(2, 6):
        note = PngInfo()
        note.add_text("Comment", f"copy {number}")
        files[f"A/{number}.png"] = encoded(picture, "PNG", pnginfo=note)
    files["B/0.png"], files["B/1.png"] = png(1), png(2)
    answer = await importer.import_files(files)
    assert len({sha256(data) for data in files.values()}) == len(files)
    assert await parts_of(importer.caller, [importer.path], ["A", "B"]) == {"A": (6, 1), "B": (2, 2)}
    told = {one.file: list(one.same_pixels_under_same_code) for one in answer.outcomes}
    copies = [file for file in files if file[0] == "A"]
    assert told == {file: [one for one in copies if file in copies and one != file] for file in files}

    pinned = await snapshot(importer.caller, importer.path)
    lines = {line["name"]: line["pixels_sha256"] for line in await registry.manifest(pinned.sha256)}
    assert len({lines[file] for file in copies}) == 1
    assert len(set(lines.values())) == 3


async def test_d3_a_group_is_one_in_any_composition(importer: Importer) -> None:
    """A program of a Mac and one of Windows write the same panel in two ways."""
    files = {"A/1.png": png(1), "A/2.png": png(2), "A/3.png": png(3)}
    groups = {"A/1.png": "Pr\u00fcfling", "A/2.png": "Pru\u0308fling", "A/3.png": " Pr\u00fcfling"}
    await importer.import_files(files, groups=groups)
    assert {one.group for one in await samples_of(importer.caller, importer.path)} == {"Pr\u00fcfling"}
    assert await parts_of(importer.caller, [importer.path], ["A"]) == {"A": (3, 1)}


async def test_d3_a_listing_pinned_without_pixels_is_pinned_anew(
    importer: Importer, registry: Registry
) -> None:
    """W12: an earlier release pinned it so; who has that one keeps it, and the next training knows copies."""
    await importer.import_files({"A/1.png": png(1), "A/2.png": png(2)})
    present = await snapshot(importer.caller, importer.path)
    lines = await registry.manifest(present.sha256)
    for line in lines:
        del line["pixels_sha256"]
    old = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    store = BlockingObjectStore(load(Settings, registry.environment).objects)
    store.put_bytes(f"manifests/{sha256(old)}.jsonl", old)
    store.close()
    async with registry.database.sessions.begin() as session:
        changed = await session.execute(
            sa.text("UPDATE registry.snapshots SET sha256 = :old WHERE sha256 = :present"),
            {"old": bytes.fromhex(sha256(old)), "present": bytes.fromhex(present.sha256)},
        )
        assert changed.rowcount == 1
    for _ in range(2):
        assert (await snapshot(importer.caller, importer.path)).sha256 == present.sha256
    assert await registry.manifest(sha256(old)) == lines


async def test_d3_parts_are_counted_anew_when_the_listing_changes(importer: Importer) -> None:
    """A count is remembered; what was imported since must not be missed, nor another group of a sample."""
    files = {"A/1.png": png(1), "A/2.png": png(2)}
    await importer.import_files(files, groups=dict.fromkeys(files, "u"))
    for _ in range(2):
        assert await parts_of(importer.caller, [importer.path], ["A"]) == {"A": (2, 1)}
    await importer.import_files(files, groups={"A/1.png": "u", "A/2.png": "v"})
    assert await parts_of(importer.caller, [importer.path], ["A"]) == {"A": (2, 2)}
    await importer.import_files({"A/3.png": png(3)})
    assert await parts_of(importer.caller, [importer.path], ["A"]) == {"A": (3, 3)}


async def test_d3_parts_are_those_of_the_split(importer: Importer) -> None:
    """The wizard must not refuse what the trainer can divide."""
    draw = random.Random(7)
    files = {f"{draw.choice('ABCD')}/{number}.png": png(draw.randrange(30)) for number in range(60)}
    groups = {file: f"g{draw.randrange(25)}" for file in files if draw.random() < 0.5}
    await importer.import_files(files, groups=groups)
    codes = [file[0] for file in files]
    members = parts([keys(sha256(data), groups.get(file)) for file, data in files.items()])
    shown = Counter(code for its in members.values() for code in {codes[index] for index in its})
    assert await parts_of(importer.caller, [importer.path], list("ABCD")) == {
        code: (codes.count(code), shown[code]) for code in "ABCD"
    }


async def test_d9_codes_that_no_split_divides_are_told(importer: Importer) -> None:
    """Each of three panels shows two of three codes: the trainer could only fail."""
    groups = {"A/1.png": "u", "B/1.png": "u", "B/2.png": "v", "C/1.png": "v", "A/2.png": "w", "C/2.png": "w"}
    await importer.import_files({file: png(number) for number, file in enumerate(groups)}, groups=groups)

    async def tied(codes: str) -> list[list[str]]:
        request = dataset_service_pb2.CountPartsRequest(data_paths=[importer.path], codes=list(codes))
        answer = await importer.caller.data.CountParts(request)
        return [list(one.tied_codes) for one in answer.codes if one.tied_codes]

    assert await tied("ABC") == [["A", "B", "C"]]
    assert await tied("AB") == []
    await importer.import_files({"B/3.png": png(9)})
    assert await tied("ABC") == []


async def test_d3_too_many_paths_or_codes_are_not_counted(importer: Importer) -> None:
    """The answer would take too long; the wizard accepts no more either."""
    with pytest.raises(InvalidArgument) as refused:
        await parts_of(importer.caller, [importer.path] * 501, [f"C{number}" for number in range(1001)])
    assert [(fault.field, fault.reason) for fault in refused.value.violations] == [
        ("data_paths", "TOO_MANY"),
        ("codes", "TOO_MANY"),
    ]
    with pytest.raises(NotFound):
        await parts_of(importer.caller, [importer.path + "x"], ["A"])


async def test_datasets_and_paths_are_made_once(engineer: Caller) -> None:
    """`allow_existing` is what an importer sets; without it a taken name is told."""
    dataset = f"once-{secrets.token_hex(4)}"
    request = dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset)
    request.dataset.description = "第一"
    created = await engineer.data.CreateDataset(request)
    with pytest.raises(AlreadyExists):
        await engineer.data.CreateDataset(request)
    request.allow_existing = True
    assert await engineer.data.CreateDataset(request) == created
    path = dataset_service_pb2.CreateDataPathRequest(parent=created.name, data_path_id="p")
    made = await engineer.data.CreateDataPath(path)
    with pytest.raises(AlreadyExists):
        await engineer.data.CreateDataPath(path)
    path.allow_existing = True
    assert await engineer.data.CreateDataPath(path) == made
    counted = await engineer.data.GetDataset(dataset_service_pb2.GetDatasetRequest(name=created.name))
    assert (counted.path_count, counted.sample_count) == (1, 0)
    with pytest.raises(NotFound):
        await engineer.data.CreateDataPath(
            dataset_service_pb2.CreateDataPathRequest(parent="datasets/nowhere", data_path_id="p")
        )


# 1,344 pictures with masks (Huang, Qiu, Yuan 2020); not part of the project, so only where somebody put them.
REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "magnetic_tile"
REAL_IMAGES = sorted(REAL.glob("*/*.jpg"))[::6]


@pytest.mark.skipif(not REAL_IMAGES, reason="the real data set is not beside this checkout")
async def test_real_images_with_masks_are_added_and_pinned_whole(importer: Importer) -> None:
    """What a fab imports are photographs with masks, not squares drawn by a test."""
    blobs = {path: path.read_bytes() for image in REAL_IMAGES for path in (image, image.with_suffix(".png"))}
    await importer.upload(list(blobs.values()))
    candidates = [
        dataset_pb2.SampleCandidate(
            file=f"{image.parent.name}/{image.name}",
            sha256=sha256(blobs[image]),
            mask_sha256=sha256(blobs[image.with_suffix(".png")]),
        )
        for image in REAL_IMAGES
    ]
    answer = await importer.add(*candidates)
    assert {outcome.outcome for outcome in answer.outcomes} == {ADDED}
    assert (await snapshot(importer.caller, importer.path)).sample_count == len(REAL_IMAGES)
