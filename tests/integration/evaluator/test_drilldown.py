"""The samples of a report: orders, pictures, downloads, suspected labels (P4)."""

import csv
import io
import itertools
import random
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from loupe.errors import FailedPrecondition, InvalidArgument, NotFound
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.evaluator.v1 import sample_result_service_pb2 as rpc
from loupe.registry.v1 import identity_service_pb2
from PIL import Image

from tests.integration.evaluator.conftest import CODES, ReportServiceUnderTest, sample, set_aside
from tests.integration.evaluator.installation import Installation, run_installation, shown
from tests.integration.registry.conftest import encoded, png

A, B, SPECIAL = CODES
GREEN, MAGENTA = (0, 200, 60), (235, 40, 220)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def loupe(module_service_environment: dict[str, str]) -> AsyncIterator[Installation]:
    async for running in run_installation(module_service_environment):
        yield running


# --- orders and filters ------------------------------------------------------------------------------------


def mixed_results() -> list[report_pb2.SampleResult]:
    """Samples of every verdict, code and decision, with many equal confidences."""
    chance = random.Random(4)
    results = [
        sample(
            number,
            chance.choice(CODES),
            chance.choice(CODES),
            chance.randrange(6) / 5,
            decided_by=chance.choice([report_pb2.DECIDED_BY_SOFTMAX, report_pb2.DECIDED_BY_FEATURE_DISTANCE]),
        )
        for number in range(50)
    ]
    return results + [set_aside(number, chance.choice(CODES)) for number in range(50, 56)]


ORDERS: dict[str, Callable[[report_pb2.SampleResult], Any]] = {
    "": lambda item: (
        item.verdict,
        {report_pb2.VERDICT_CORRECT: 1, report_pb2.VERDICT_MISJUDGED: -1}.get(item.verdict, 0)
        * item.confidence,
    ),
    "confidence": lambda item: item.confidence,
    "confidence desc": lambda item: -item.confidence,
    "file": lambda item: (item.true_code, item.file),
}
FILTERS: dict[str, tuple[dict[str, object], Callable[[report_pb2.SampleResult], bool]]] = {
    "none": ({}, lambda _: True),
    "code": ({"true_code": A}, lambda item: item.true_code == A),
    "misjudged": (
        {"verdict": report_pb2.VERDICT_MISJUDGED},
        lambda item: item.verdict == report_pb2.VERDICT_MISJUDGED,
    ),
    "cell": (
        {"true_code": A, "predicted_code": B},
        lambda item: (item.true_code, item.predicted_code) == (A, B),
    ),
    "way": (
        {"decided_by": report_pb2.DECIDED_BY_FEATURE_DISTANCE},
        lambda item: item.decided_by == report_pb2.DECIDED_BY_FEATURE_DISTANCE,
    ),
    "to a human": (
        {"below_threshold": True},
        lambda item: item.verdict != report_pb2.VERDICT_NONCONFORMING and item.confidence < 0.5,
    ),
    "a contradiction": (
        {"true_code": A, "predicted_code": A, "verdict": report_pb2.VERDICT_MISJUDGED},
        lambda _: False,
    ),
}


async def test_p4_every_order_and_filter_gives_each_sample_once_in_its_place(
    reports: ReportServiceUnderTest,
) -> None:
    """With pages of three, most pages begin between samples of equal confidence."""
    results = mixed_results()
    created = await reports.create(results, confidence_threshold=0.5)
    for (order, place), (wanted, keeps) in itertools.product(ORDERS.items(), FILTERS.values()):
        listed = await reports.samples(created.name, page_size=3, order_by=order, **wanted)
        assert sorted(item.file for item in listed) == sorted(item.file for item in results if keeps(item))
        places = [place(item) for item in listed]
        assert places == sorted(places), (order, wanted)
        assert all(item.name.startswith(f"{created.name}/sampleResults/") for item in listed)


@pytest.mark.parametrize(
    "wanted",
    [{"order_by": "confidence sideways"}, {"order_by": "sha256"}, {"verdict": 9}, {"decided_by": 7}],
)
async def test_p4_an_order_or_value_that_there_is_not_is_refused(
    reports: ReportServiceUnderTest, wanted: dict[str, Any]
) -> None:
    created = await reports.create([sample(1, A, A)])
    with pytest.raises(InvalidArgument) as refused:
        await reports.stub.ListSampleResults(
            report_service_pb2.ListSampleResultsRequest(parent=created.name, **wanted)
        )
    assert refused.value.reason == "FILTER_INVALID"


# --- one sample --------------------------------------------------------------------------------------------


async def test_p4_a_sample_is_found_by_its_name(loupe: Installation) -> None:
    created = await loupe.report([sample(n, A, B, n / 10) for n in range(3)], job="jobs/get")
    listed = await loupe.viewer.stub.ListSampleResults(
        report_service_pb2.ListSampleResultsRequest(parent=created.name)
    )
    for item in listed.results:
        assert await loupe.viewer.samples.GetSampleResult(rpc.GetSampleResultRequest(name=item.name)) == item
    answered = await loupe.http.get(f"/v1/{listed.results[0].name}")
    assert answered.json()["file"] == listed.results[0].file


@pytest.mark.parametrize(
    "name",
    [
        "",
        "reports/1",
        *(f"{{report}}/sampleResults/{wrong}" for wrong in ("", "-1", "٣", "99", "9" * 11, "0/1")),
    ],
)
async def test_p4_a_sample_that_is_not_there_is_not_found(loupe: Installation, name: str) -> None:
    created = await loupe.report([sample(1, A, A)], job="jobs/none")
    name = name.format(report=created.name)
    for call, request in (
        (loupe.viewer.samples.GetSampleResult, rpc.GetSampleResultRequest(name=name)),
        (loupe.viewer.samples.LinkSamplePicture, rpc.LinkSamplePictureRequest(name=name)),
    ):
        with pytest.raises(NotFound):
            await call(request)


# --- pictures ----------------------------------------------------------------------------------------------


def opened(data: bytes) -> Any:  # noqa: ANN401 -- an array
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def has(pixels: Any, colour: tuple[int, int, int]) -> int:  # noqa: ANN401 -- an array
    """The number of pixels of exactly that colour."""
    return int((pixels == colour).all(axis=-1).sum())


async def test_p4_thumbnail_original_and_overlay_of_a_sample(loupe: Installation) -> None:
    """Pictures are links: the bytes go from object storage to the client; a browser follows a redirect."""
    picture = encoded(Image.new("RGB", (640, 320), (90, 90, 90)), "JPEG")
    truth, predicted = np.zeros((320, 640), np.uint8), np.zeros((64, 64), np.uint8)
    truth[100:200, 100:300] = 255
    predicted[10:20, 40:50] = 2  # B, the second of the report's codes, at the network's size
    importer = await loupe.importer()
    mask = encoded(Image.fromarray(truth), "PNG")
    await importer.import_files({f"{A}/photo.jpg": picture}, masks={f"{A}/photo.jpg": mask})
    found_mask = encoded(Image.fromarray(predicted), "PNG")
    sha256 = await loupe.put(picture)
    predicted_sha256 = await loupe.put(found_mask)
    await loupe.put(found_mask, f"masks/{predicted_sha256}.png")
    created = await loupe.report(
        [
            shown(
                f"{A}/photo.jpg",
                sha256,
                B,
                data_path=importer.path,
                mask_sha256=await loupe.put(mask),
                predicted_mask_sha256=predicted_sha256,
            )
        ],
        job="jobs/pictures",
    )
    name = f"{created.name}/sampleResults/0"

    async def fetched(picture: int) -> Any:  # noqa: ANN401 -- a response
        link = await loupe.viewer.samples.LinkSamplePicture(
            rpc.LinkSamplePictureRequest(name=name, picture=picture)
        )
        answered = await loupe.get(link.url)
        assert answered.status_code == 200
        return answered

    thumbnail = await fetched(rpc.SAMPLE_PICTURE_THUMBNAIL)
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert opened(thumbnail.content).shape == (80, 160, 3)
    original = await fetched(rpc.SAMPLE_PICTURE_ORIGINAL)
    assert original.content == picture
    assert original.headers["content-disposition"] == 'attachment; filename="photo.jpg"'
    assert original.headers["content-type"] == "image/jpeg", "whatever the store holds"
    overlay = opened((await fetched(rpc.SAMPLE_PICTURE_OVERLAY)).content)
    assert overlay.shape[1] == 640
    # Outlines, not areas: truth of 100 by 200 pixels, prediction of 10 by 10 network pixels = 50 by 100.
    assert 400 < has(overlay[:320], GREEN) < 1200
    assert 200 < has(overlay[:320], MAGENTA) < 800
    assert has(overlay[105:195, 105:295], GREEN) < 200
    redirect = await loupe.http.get(f"/v1/{name}/picture", params={"picture": "SAMPLE_PICTURE_OVERLAY"})
    assert redirect.status_code == 302
    assert (await loupe.get(redirect.headers["location"])).headers["content-type"] == "image/png"


async def test_p4_a_picture_is_made_once(loupe: Installation) -> None:
    """Thumbnails are drawn once, however many users open the page."""
    sha256 = await loupe.put(png(77, 300, 200))
    created = await loupe.report([shown(f"{A}/{n}.png", sha256, B) for n in range(2)], job="jobs/once")

    async def key(ordinal: int) -> str:
        request = rpc.LinkSamplePictureRequest(name=f"{created.name}/sampleResults/{ordinal}")
        link = await loupe.viewer.samples.LinkSamplePicture(request)
        return str(link.url.partition("?")[0].partition("/pictures/")[2])

    first = await key(0)
    loupe.store.put_bytes(f"pictures/{first}", b"not drawn again")
    assert await key(1) == first
    assert loupe.store.get_bytes(f"pictures/{first}", max_bytes=100) == b"not drawn again"


async def test_p4_what_cannot_be_drawn_says_why_and_can_be_downloaded(loupe: Installation) -> None:
    """D4: a broken file, a decompression bomb and a sample without masks are not server errors."""
    broken = await loupe.put(b"\xff\xd8\xff nothing behind")
    bomb = bytearray(png(5))
    bomb[16:24] = (2**17).to_bytes(4, "big") * 2
    huge = await loupe.put(bytes(bomb))
    whole = await loupe.put(png(6))
    created = await loupe.report(
        [shown(f"{A}/{n}.png", sha256, B) for n, sha256 in enumerate((broken, huge, whole, "0" * 64))],
        job="jobs/broken",
    )

    async def link(ordinal: int, picture: int) -> str:
        request = rpc.LinkSamplePictureRequest(
            name=f"{created.name}/sampleResults/{ordinal}", picture=picture
        )
        return str((await loupe.viewer.samples.LinkSamplePicture(request)).url)

    for ordinal in (0, 1):
        with pytest.raises(FailedPrecondition) as refused:
            await link(ordinal, rpc.SAMPLE_PICTURE_THUMBNAIL)
        assert refused.value.reason == "PICTURE_UNREADABLE"
        assert (await loupe.get(await link(ordinal, rpc.SAMPLE_PICTURE_ORIGINAL))).status_code == 200
    with pytest.raises(FailedPrecondition) as refused:
        await link(2, rpc.SAMPLE_PICTURE_OVERLAY)
    assert refused.value.reason == "NO_MASK"
    with pytest.raises(NotFound):
        await link(3, rpc.SAMPLE_PICTURE_THUMBNAIL)
    with pytest.raises(InvalidArgument):
        await link(2, 9)


# --- all at once -------------------------------------------------------------------------------------------


async def downloaded(loupe: Installation, parent: str, **wanted: Any) -> zipfile.ZipFile:  # noqa: ANN401 -- fields of a message
    data = io.BytesIO()
    async for part in loupe.viewer.samples.DownloadSampleResults(
        rpc.DownloadSampleResultsRequest(parent=parent, **wanted)
    ):
        assert part.content_type == "application/zip"
        data.write(part.data)
    archive = zipfile.ZipFile(data)
    assert archive.testzip() is None
    return archive


def index_of(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("index.csv").decode())))


async def test_p4_all_misjudged_samples_come_as_one_zip_with_an_index(loupe: Installation) -> None:
    """A missing object is a row of the index and does not end the download; names allow no path traversal."""
    contents = [png(n, 40, 30) for n in range(3)] + [b"x" * 3_000_000]
    hashes = [await loupe.put(data) for data in contents]
    created = await loupe.report(
        [
            shown(f"{A}/one.png", hashes[0], B, 0.9),
            shown(f"{A}/../../..\\evil\n:*?.png", hashes[1], B, 0.8, true_code=A),
            shown(f"{A}/one.png", hashes[2], B, 0.9, data_path="datasets/d/paths/other"),
            shown(f"{B}/{'long' * 100}.png", hashes[3], A, 0.5),
            shown(f"{A}/gone.png", "f" * 64, B, 0.7),
            shown(f"{A}/right.png", hashes[0], A, 0.7),
            set_aside(9, B),
        ],
        job="jobs/zip",
    )
    archive = await downloaded(loupe, created.name, verdict=report_pb2.VERDICT_MISJUDGED)
    names = archive.namelist()
    assert names[-1] == "index.csv"
    assert {f"{A}/{B}_0.900_one.png", f"{A}/2_{B}_0.900_one.png"} <= set(names)
    assert all(name.count("/") <= 1 and ".." not in name.split("/") for name in names)
    assert all(len(name) < 200 and name.isprintable() and "\\" not in name for name in names)
    index = index_of(archive)
    assert [line["missing"] for line in index if line["file"] == f"{A}/gone.png"] == ["missing"]
    found = {line["sha256"]: archive.read(line["archive_file"]) for line in index if not line["missing"]}
    assert found == dict(zip(hashes, contents, strict=True))
    assert {line["true_code"] for line in index_of(await downloaded(loupe, created.name, true_code=B))} == {B}


async def test_p4_the_gateway_passes_the_zip_on_as_a_file(loupe: Installation) -> None:
    """I3: a browser saves it under a name; an unknown report is an error, not a broken file.

    A3: a download of many pictures is audited.
    """
    sha256 = await loupe.put(png(1))
    created = await loupe.report([shown(f"{A}/one.png", sha256, B)], job="jobs/http")
    answered = await loupe.http.get(
        f"/v1/{created.name}/sampleResults:download", params={"verdict": "VERDICT_MISJUDGED"}
    )
    assert answered.status_code == 200
    assert answered.headers["content-type"] == "application/zip"
    report = created.name.partition("/")[2]
    disposition = f'attachment; filename="{report}-sampleResults.zip"'
    assert answered.headers["content-disposition"] == disposition
    archive = zipfile.ZipFile(io.BytesIO(answered.content))
    assert archive.namelist() == [f"{A}/{B}_0.900_one.png", "index.csv"]
    audited = await loupe.registry.admin.identity.ListAuditEntries(
        identity_service_pb2.ListAuditEntriesRequest(page_size=1000)
    )
    assert [
        (entry.action.rpartition("/")[2], entry.result)
        for entry in audited.entries
        if entry.resource == created.name and entry.principal.startswith("users/")
    ] == [("DownloadSampleResults", "OK")]
    for wrong, status in (
        (f"/v1/reports/{'0' * 32}/sampleResults:download", 404),
        (f"/v1/{created.name}/sampleResults:download?verdict=WRONG", 400),
    ):
        refused = await loupe.http.get(wrong)
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")


async def test_p4_a_zip_takes_no_more_memory_than_its_parts(loupe: Installation) -> None:
    """A service that built the archive in memory would be killed by a large one."""
    data = random.Random(1).randbytes(200_000)
    sha256 = await loupe.put(data)
    count = 300
    created = await loupe.report(
        [shown(f"{A}/{n:05d}.jpg", sha256, B) for n in range(count)], job="jobs/memory"
    )
    tracemalloc.start()
    try:
        total = 0
        request = rpc.DownloadSampleResultsRequest(parent=created.name)
        async for part in loupe.viewer.samples.DownloadSampleResults(request):
            total += len(part.data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total > count * len(data)
    assert peak < total / 4


# --- suspected labels --------------------------------------------------------------------------------------


async def suspects(loupe: Installation, parent: str, **wanted: Any) -> list[rpc.SuspectedLabel]:  # noqa: ANN401 -- fields of a message
    found: list[rpc.SuspectedLabel] = []
    request = rpc.ListSuspectedLabelsRequest(parent=parent, **wanted)
    while True:
        page = await loupe.viewer.samples.ListSuspectedLabels(request)
        found.extend(page.labels)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_p4_labels_are_suspect_for_two_reasons_and_say_which(loupe: Installation) -> None:
    """Confident learning finds some, hashes find the others; highest score first, page by page."""
    alike, other = bytes(range(32)), bytes(range(200, 232))
    nearly = bytes([alike[0] ^ 0b101, *alike[1:]])
    created = await loupe.report(
        [
            sample(0, A, A, 0.9, perceptual_hash=alike),
            sample(1, A, A, 0.7, perceptual_hash=other),
            # Samples of A have confidence 0.8 on average: this one reaches it, the next does not.
            sample(2, B, A, 0.85, perceptual_hash=nearly),
            sample(3, B, A, 0.75),
            sample(4, B, B, 0.6, perceptual_hash=other[::-1]),
        ],
        job="jobs/suspects",
    )
    found = await suspects(loupe, created.name, page_size=1)
    listed = [(item.sample.file[-10:-4], item.suspicion, item.suggested_code) for item in found]
    near_duplicate, wrong = rpc.SUSPICION_NEAR_DUPLICATE, rpc.SUSPICION_CONFIDENTLY_WRONG
    assert listed == [("000000", near_duplicate, B), ("000002", near_duplicate, A), ("000002", wrong, A)]
    assert [item.score for item in found] == pytest.approx([1 - 2 / 256, 1 - 2 / 256, 0.85])
    assert (found[0].distance, found[0].twin.file) == (2, f"{B}/000002.jpg")
    assert found[2].usual_confidence == pytest.approx(0.8)
    assert all(item.message and item.message_zh for item in found)
    assert len(await suspects(loupe, created.name, true_code=B)) == 2
    assert len(await suspects(loupe, created.name, suspicion=wrong)) == 1


async def test_p4_without_suspects_the_list_is_empty_and_bad_input_is_refused(
    loupe: Installation,
) -> None:
    created = await loupe.report([sample(1, A, A)], job="jobs/unsuspected")
    assert await suspects(loupe, created.name) == []
    with pytest.raises(InvalidArgument):
        await suspects(loupe, created.name, suspicion=9)
    with pytest.raises(InvalidArgument):
        await suspects(loupe, created.name, page_token="nonsense")  # noqa: S106
    with pytest.raises(NotFound):
        await suspects(loupe, f"reports/{'0' * 32}")
    with pytest.raises(InvalidArgument):
        await loupe.report([sample(1, A, A, perceptual_hash=b"short")], job="jobs/hash")
