"""`loupe data import` of every format into a registry and an object store (D1 to D4), and one killed."""

import asyncio
import csv
import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from click.testing import CliRunner, Result
from loupe import names
from loupe.cli import loupe
from loupe.errors import NotFound
from loupe.importing import _THREADS as THREADS
from loupe.importing import ImportOutcome, SampleImport
from loupe.reading import read_data
from loupe.registry.v1 import dataset_service_pb2
from loupe.settings import load
from PIL import Image

from deploy.embedded.loupe_processes import import_path
from services.input_specification import InputSpecification
from services.kit.object_store import BlockingObjectStore
from services.registry.domain import uploads
from services.registry.settings import Settings
from services.vision.pack import PackCache
from services.vision.samples import parse_manifest

from .conftest import Registry

Command = Callable[..., Coroutine[Any, Any, Result]]
BOX = [[2, 1], [6, 1], [6, 4], [2, 4]]
DOT = [[10, 5], [12, 5], [12, 8], [10, 8]]


def _environment(registry: Registry) -> dict[str, str]:
    addresses = {f"LOUPE_{name}_ADDRESS": registry.address for name in ("REGISTRY", "SCHEDULER", "EVALUATOR")}
    return {**addresses, "LOUPE_TOKEN": registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"]}


@pytest.fixture
def command(registry: Registry) -> Command:
    """The command, in a thread of this process: what a person types and reads, without its start."""
    runner = CliRunner(env=_environment(registry))

    async def run(*arguments: object) -> Result:
        return await asyncio.to_thread(runner.invoke, loupe, [str(argument) for argument in arguments])

    return run


@pytest_asyncio.fixture(loop_scope="session")
async def store(registry: Registry) -> BlockingObjectStore:
    return BlockingObjectStore(load(Settings, registry.environment).objects)


def picture(path: Path) -> Path:
    """20 by 10 pixels that depend on where it lies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(hashlib.sha256(str(path).encode()).digest()[:4], "big")
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (10, 20), np.uint8), "L").save(path)
    return path


def labelme(root: Path) -> None:
    for stem, shapes in (
        ("p1_a", [("thin line", BOX), ("TTMUD", DOT)]),
        ("p1_b", [("TTMUD", DOT)]),
        ("p2_a", []),
    ):
        picture(root / f"{stem}.png")
        rows = [{"label": label, "points": points, "shape_type": "polygon"} for label, points in shapes]
        (root / f"{stem}.json").write_text(json.dumps({"shapes": rows, "imagePath": f"{stem}.png"}))


def coco(root: Path) -> None:
    for stem in ("p1_a", "p1_b", "p2_a"):
        picture(root / f"images/{stem}.png")
    images = [{"id": n, "file_name": f"{stem}.png"} for n, stem in enumerate(("p1_a", "p1_b", "p2_a"))]
    rows = [
        {"image_id": 0, "category_id": 1, "segmentation": [[n for point in BOX for n in point]]},
        {"image_id": 0, "category_id": 2, "bbox": [10, 5, 2, 3]},
        # The box from 10, 5 to 12, 8, column by column.
        {"image_id": 1, "category_id": 2, "segmentation": {"size": [10, 20], "counts": [105, 3, 7, 3, 82]}},
    ]
    categories = [{"id": 1, "name": "thin line"}, {"id": 2, "name": "TTMUD"}]
    value = {"images": images, "annotations": rows, "categories": categories}
    (root / "instances.json").write_text(json.dumps(value))


def voc(root: Path) -> None:
    (root / "Annotations").mkdir(parents=True)
    line = ("thin line", 3, 2, 6, 4)
    mud = ("TTMUD", 11, 6, 12, 8)
    for stem, boxes in (("p1_a", [line, mud]), ("p1_b", [mud]), ("p2_a", [])):
        picture(root / f"JPEGImages/{stem}.png")
        told = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax>"
            f"<ymax>{y1}</ymax></bndbox></object>"
            for label, x0, y0, x1, y1 in boxes
        )
        xml = f"<annotation><filename>{stem}.png</filename>{told}</annotation>"
        (root / f"Annotations/{stem}.xml").write_text(xml)


OPTIONS = ("--map", "thin line=TTFBS", "--group-by", "^(p[0-9])_", "--background-code", "OK", "--json")


@pytest.mark.parametrize("write", [labelme, coco, voc])
async def test_annotations_land_as_samples_with_masks_codes_and_groups(
    registry: Registry,
    command: Command,
    store: BlockingObjectStore,
    tmp_path: Path,
    write: Callable[[Path], None],
) -> None:
    """D1: what is pinned for a training must be what was annotated: pixels, code and group."""
    kind = write.__name__
    write(tmp_path / kind)
    arguments = ("data", "import", tmp_path / kind, "--dataset", f"formats-{kind}", *OPTIONS)
    done = await command(*arguments)
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert (answer["format"], answer["added"]) == (kind, 3)
    # Three pictures and three masks; the other formats' masks are the same bytes and may be there already.
    assert answer["uploadedObjects"] in (3, 6)
    assert answer["rejected"] == []
    assert answer["notTakenByReason"] == {"OTHER_CODES": 1}
    assert answer["leftOut"] == []
    assert answer["found"] == answer["used"]
    assert "TTMUD (6 px) are not taken" in answer["partsLeftOut"][0]["message"]

    pinned = await registry.admin.data.SnapshotDataPath(
        dataset_service_pb2.SnapshotDataPathRequest(name=f"datasets/formats-{kind}/paths/main")
    )
    lines = await registry.manifest(pinned.sha256)
    assert [(line["name"], line["group"]) for line in lines] == [
        ("OK/p2_a.png", "p2"),
        ("TTFBS/p1_a.png", "p1"),
        ("TTMUD/p1_b.png", "p1"),
    ]
    for line, area in zip(lines, (0, 12, 6), strict=True):
        assert "mask_codes" not in line
        mask = await asyncio.to_thread(store.get_bytes, f"samples/{line['mask_sha256']}", max_bytes=10_000)
        with Image.open(io.BytesIO(mask)) as drawn:
            values = np.bincount(np.asarray(drawn).ravel(), minlength=256)
        assert (values[0], values[255]) == (200 - area, area)

    again = json.loads((await command(*arguments)).stdout)
    assert (again["added"], again["unchanged"], again["uploadedObjects"]) == (0, 3, 0)


async def test_indexed_masks_go_with_their_declaration(
    registry: Registry, command: Command, tmp_path: Path
) -> None:
    """D1, W12: with --mask-codes all codes of a picture are kept, and the path says what the values mean."""
    labelme(tmp_path)
    (tmp_path / "p2_a.json").unlink()
    dataset = (
        "data",
        "import",
        tmp_path,
        "--dataset",
        "indexed-labelme",
        "--map",
        "thin line=TTFBS",
        "--json",
    )
    done = await command(*dataset, "--mask-codes", "TTFBS,TTMUD")
    answer = json.loads(done.stdout)
    assert answer["dataPath"]["maskCodes"] == ["TTFBS", "TTMUD"]
    assert answer["notTakenByReason"] == {"NO_ANNOTATION": 1, "OTHER_CODES": 1}
    pinned = await registry.admin.data.SnapshotDataPath(
        dataset_service_pb2.SnapshotDataPathRequest(name="datasets/indexed-labelme/paths/main")
    )
    assert [line["mask_codes"] for line in await registry.manifest(pinned.sha256)] == [["TTFBS", "TTMUD"]] * 2
    refused = await command(*dataset, "--mask-codes", "TTMUD,TTFBS")
    assert refused.exit_code == 1
    assert "would change what they mean" in refused.stderr


def _two_colours(background: tuple[int, ...], mark: tuple[int, ...]) -> Image.Image:
    pixels = np.full((10, 20, len(mark)), background, np.uint8)
    pixels[2:6, 3:9] = mark
    return Image.fromarray(pixels)


def _masks_of_every_kind(root: Path) -> dict[str, str]:
    """A picture and a mask a kind; what is told of those that mark nothing clearly."""
    black_and_white = _two_colours((0, 0, 0), (255, 255, 255)).convert("L")
    indices = Image.fromarray((np.asarray(black_and_white) > 0).astype(np.uint8), "P")
    white_is_1, red_is_1 = indices.copy(), indices.copy()
    white_is_1.putpalette([0, 0, 0, 255, 255, 255])
    red_is_1.putpalette([0, 0, 0, 128, 0, 0])
    deep = np.asarray(black_and_white).astype(np.uint16)
    # Noise as of `picture` may have black and white near each pixel, as an edge has.
    photo = np.random.default_rng(1).integers(20, 236, (10, 20), np.uint8)
    masks = {
        "grey": (black_and_white, ""),
        "one-bit": (black_and_white.convert("1"), ""),
        "palette": (white_is_1, ""),
        "rgb": (black_and_white.convert("RGB"), ""),
        "deep": (Image.fromarray(deep * 257), ""),
        "opaque": (black_and_white.convert("RGBA"), ""),
        "red": (_two_colours((0, 0, 0), (255, 0, 0)), "colours, such as RGB (255, 0, 0)"),
        "blue": (_two_colours((0, 0, 0), (0, 0, 255)), "colours"),
        "red-palette": (red_is_1, "colours, such as RGB (128, 0, 0)"),
        "alpha": (_two_colours((255, 255, 255, 0), (255, 255, 255, 255)), "transparent in part"),
        "deep-255": (Image.fromarray(deep), "255 of 65535"),
        "one": (Image.fromarray(np.asarray(indices), "L"), "largest value is 1 of 255"),
        "photo": (Image.fromarray(photo), "more than black and white"),
    }
    for kind, (mask, _) in masks.items():
        picture(root / f"TOLD/{kind}.png")
        mask.save(root / f"TOLD/{kind}.mask.png")
        picture(root / f"TWIN/{kind}.bmp")
        mask.save(root / f"TWIN/{kind}.png")
        picture(root / f"NAMED/{kind}.png")
        mask.save(root / f"NAMED/{kind}_mask.png")
    return {kind: told for kind, (_, told) in masks.items()}


async def test_masks_are_what_they_show_or_refused_by_name(
    registry: Registry, command: Command, store: BlockingObjectStore, tmp_path: Path
) -> None:
    """D5: none of these is taken for "nothing" or "everything", and a photo beside a photo is no mask.

    A file called `.mask.png` is a mask: where it marks nothing clearly, its sample is set aside. Other names
    are a guess, so there the picture is taken without it.
    """
    told = _masks_of_every_kind(tmp_path / "data")
    arguments = ("data", "import", tmp_path / "data", "--dataset", "kinds-of-masks", "--json")
    answer = json.loads((await command(*arguments)).stdout)
    bad = {kind for kind, fact in told.items() if fact}
    assert answer["added"] == 3 * len(told) - len(bad)
    rejected = {row["file"]: row for row in answer["rejected"]}
    left_out = {row["file"]: row for row in answer["leftOut"]}
    assert set(rejected) == {f"TOLD/{kind}.mask.png" for kind in bad}
    assert "; red.png is not taken without it" in rejected["TOLD/red.mask.png"]["message"]
    assert set(left_out) == {
        f"{name.format(kind)}.png" for kind in bad for name in ("TWIN/{}", "NAMED/{}_mask")
    }
    for kind in bad:
        for row in (
            rejected[f"TOLD/{kind}.mask.png"],
            left_out[f"TWIN/{kind}.png"],
            left_out[f"NAMED/{kind}_mask.png"],
        ):
            assert row["reason"] == "BAD_MASK"
            assert told[kind] in row["message"]
    assert "red.bmp is taken without it; rename red.png" in left_out["TWIN/red.png"]["message"]

    pinned = await registry.admin.data.SnapshotDataPath(
        dataset_service_pb2.SnapshotDataPathRequest(name="datasets/kinds-of-masks/paths/main")
    )
    data = await asyncio.to_thread(store.get_bytes, f"manifests/{pinned.sha256}.jsonl", max_bytes=2**20)
    samples = parse_manifest(data, pinned.sha256)
    assert {PurePosixPath(sample.name).stem for sample in samples if sample.mask_sha256} == set(told) - bad

    class Stored:
        def read(self, key: str) -> bytes:
            return store.get_bytes(key, max_bytes=2**20)

    specification = InputSpecification(width=20, height=10)
    labels = await asyncio.to_thread(
        PackCache(tmp_path / "packs").load_labels, samples, specification, Stored()
    )
    assert labels.unreadable == {}
    expected = np.zeros((10, 20), np.uint8)
    expected[2:6, 3:9] = 1
    for sample in samples:
        if sample.label_key:
            assert (labels.sample(labels.rows([sample.label_key])[0])[..., 0] == expected).all(), sample.name

    again = json.loads((await command(*arguments)).stdout)
    assert (again["added"], again["unchanged"], again["uploadedObjects"]) == (0, answer["added"], 0)
    assert (again["rejected"], again["leftOut"]) == (answer["rejected"], answer["leftOut"])


async def test_duplicates_are_reported_under_one_code_and_across_codes(
    command: Command, tmp_path: Path
) -> None:
    """D2, D3: under two labels one is wrong; twice under one, they are one group of the split."""
    data = picture(tmp_path / "A/1.png").read_bytes()
    picture(tmp_path / "B/3.png")
    for file in ("A/2.png", "B/4.png"):
        (tmp_path / file).write_bytes(data)
    answer = json.loads((await command("data", "import", tmp_path, "--dataset", "twins", "--json")).stdout)
    assert (answer["added"], answer["uploadedObjects"]) == (4, 2)
    assert answer["identicalFiles"] == [["A/1.png", "A/2.png"]]
    assert {row["file"]: row["others"] for row in answer["samePixelsUnderOtherCodes"]} == {
        "A/1.png": ["B/4.png"],
        "A/2.png": ["B/4.png"],
        "B/4.png": ["A/1.png", "A/2.png"],
    }
    told = await command("data", "import", tmp_path, "--dataset", "twins")
    assert "the same file is there as A/1.png too" in " ".join(told.stdout.split())


async def test_d2_the_same_picture_in_other_bytes_is_told(command: Command, tmp_path: Path) -> None:
    """D2, D3: six copies of one picture are one group of the split, whatever their format is."""
    with Image.open(picture(tmp_path / "A/1.png")) as opened:
        opened.save(tmp_path / "A/2.bmp")
    (tmp_path / "A/3.png").write_bytes((tmp_path / "A/1.png").read_bytes())
    picture(tmp_path / "A/4.png")
    arguments = ("data", "import", tmp_path, "--dataset", "copies")
    answer = json.loads((await command(*arguments, "--json")).stdout)
    assert answer["identicalFiles"] == [["A/1.png", "A/3.png"]]
    assert {row["file"]: row["others"] for row in answer["samePixelsUnderSameCode"]} == {
        "A/1.png": ["A/2.bmp"],
        "A/2.bmp": ["A/1.png", "A/3.png"],
        "A/3.png": ["A/2.bmp"],
    }
    told = await command(*arguments)
    assert "the same picture is there as A/2.bmp too, in other bytes" in " ".join(told.stdout.split())


KILLED_AFTER = 20
TOGETHER = 3
"""Pictures in an upload."""
KILLED_IMPORT = f"""
import itertools, os, signal
from loupe import cli, importing

finished, whole = itertools.count(1), importing.SampleImport._put

def put(*arguments):
    size = whole(*arguments)
    if next(finished) == {KILLED_AFTER}:
        os.kill(os.getpid(), signal.SIGKILL)
    return size

importing.SampleImport._put = put
cli.main()
"""


async def test_a_killed_import_is_resumed_and_sends_only_what_lacks(
    registry: Registry,
    command: Command,
    store: BlockingObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """D2: a laptop that goes to sleep at image 9,000 of 10,000 must not begin anew."""
    images, total = tmp_path / "images", 250
    contents = [picture(images / f"A/{n}.png").read_bytes() for n in range(total)]
    monkeypatch.setattr(uploads, "_JOINED_BYTES", TOGETHER * max(map(len, contents)))

    def whole() -> int:
        keys = [*store.keys("samples/"), *store.keys("incoming/")]
        read = [store.get_bytes(key, max_bytes=2**20) for key in keys]
        return sum(any(content in data for data in read) for content in contents)

    arguments = ("data", "import", str(images), "--dataset", "killed", "--json")
    importing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED_IMPORT, *arguments),
        env={**os.environ, **import_path(), **_environment(registry)},
        stdout=subprocess.DEVNULL,
    )
    assert await importing.wait() == -signal.SIGKILL
    lacking = total - await asyncio.to_thread(whole)
    assert 0 < lacking <= total - KILLED_AFTER * TOGETHER
    answer = json.loads((await command(*arguments)).stdout)
    # What the other threads were sending at the kill may arrive only now: whole, so that it need not be sent,
    # or cut, so that it is sent twice.
    assert abs(answer["uploadedObjects"] - lacking) <= THREADS * (TOGETHER + 1)
    assert answer["added"] + answer["unchanged"] == total, answer
    assert int(answer["dataPath"]["sampleCount"]) == total
    assert await asyncio.to_thread(whole) == total


async def test_what_a_killed_import_left_cut_is_sent_again(
    command: Command, store: BlockingObjectStore, tmp_path: Path
) -> None:
    """D2: an object that holds other bytes than its name says is no reason to set the picture aside.

    Before uploads had a place of their own, a broken one was left at the content address.
    """
    cut, whole = (
        picture(tmp_path / "images" / "A" / f"{name}.png").read_bytes() for name in ("cut", "whole")
    )
    store.put_bytes(f"samples/{hashlib.sha256(cut).hexdigest()}", cut[:40])
    answer = json.loads(
        (await command("data", "import", str(tmp_path / "images"), "--dataset", "cut", "--json")).stdout
    )
    assert (answer["added"], answer["rejected"], answer["uploadedObjects"]) == (2, [], 2)
    for data in (cut, whole):
        assert store.get_bytes(f"samples/{hashlib.sha256(data).hexdigest()}", max_bytes=10_000) == data


async def imported(command: Command, folder: Path, *options: str) -> dict[str, Any]:
    """What the import answers, which must be UTF-8 whatever files are called."""
    done = await command("data", "import", folder, "--dataset", folder.name, "--json", *options)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout_bytes.decode("utf-8"))


async def test_odd_files_end_no_import_and_each_is_told(command: Command, tmp_path: Path) -> None:
    """D7: taken and refused are all that was found, by name; the good ones beside are imported."""
    code = tmp_path / "odd" / "TPFIP"
    good = [picture(code / name) for name in ("a.png", "\u00a0b.png", "\u3000c\u200b.png", "d\u2028e.png")]
    cut = io.BytesIO()
    Image.open(good[0]).save(cut, "BMP")
    (code / "cut.bmp").write_bytes(cut.getvalue()[:30])
    for name in ("turned\u202egnp.png", "bell\x07.png", "line\nbreak.png"):
        picture(code / name)
    (code / os.fsdecode("测试.png".encode("gbk"))).write_bytes(good[0].read_bytes())
    (code / "nowhere.png").symlink_to("gone.png")
    (code / "loop.png").symlink_to("loop.png")
    (code / "out.png").symlink_to(Path(__file__))
    os.mkfifo(code / "pipe.png")
    for name in ("Thumbs.db", "._a.png", "b.gif", "c.HEIC", "d.webp"):
        (code / name).write_bytes(b"x")
    answer = await imported(command, tmp_path / "odd")
    assert answer["added"] == len(good)
    assert {item["file"].removeprefix("TPFIP/"): item["reason"] for item in answer["rejected"]} == {
        "cut.bmp": "TRUNCATED",
        "turned\u202egnp.png": "BAD_NAME",
        "bell\x07.png": "BAD_NAME",
        "line\nbreak.png": "BAD_NAME",
    }
    assert {item["file"].removeprefix("TPFIP/"): item["reason"] for item in answer["leftOut"]} == {
        r"\xb2\xe2\xca\xd4.png": "BAD_NAME",
        "nowhere.png": "DANGLING_LINK",
        "loop.png": "LINK_LOOP",
        "out.png": "OUTSIDE_FOLDER",
        "pipe.png": "NOT_A_FILE",
        "Thumbs.db": "NOT_AN_IMAGE",
        "._a.png": "HIDDEN",
        "b.gif": "OTHER_FORMAT",
        "c.HEIC": "OTHER_FORMAT",
        "d.webp": "OTHER_FORMAT",
    }
    assert answer["found"] == answer["added"] + len(answer["rejected"]) + len(answer["leftOut"])
    assert answer["used"] == answer["found"] - len(answer["leftOut"])
    shown = await command("data", "import", tmp_path / "odd", "--dataset", "odd")
    assert r"turned\u202egnp.png" in shown.stdout
    assert not set("\x07\u202e\u200b\u2028") & set(shown.stdout)
    listed = json.loads((await command("data", "show", "odd/main", "--json")).stdout)
    assert [sample["file"] for sample in listed["samples"]] == sorted(f"TPFIP/{path.name}" for path in good)


@pytest.mark.parametrize("write", [labelme, coco, voc])
async def test_what_is_concluded_and_what_contradicts_is_told(
    command: Command, tmp_path: Path, write: Callable[[Path], None]
) -> None:
    """D2, D5: a picture under two labels, and one that was found by its name, are lines of the report."""
    root = tmp_path / f"told-{write.__name__}"
    write(root)
    one, other = sorted(root.rglob("p1_*.png"))
    other.write_bytes(one.read_bytes())
    for file in (*root.rglob("*.json"), *root.rglob("*.xml")):
        file.write_text(file.read_text().replace("p1_a.png", "D:/fab/p1_a.png"))
    answer = await imported(command, root, "--map", "thin line=TTFBS")
    assert [item["reason"] for item in answer["remarks"]] == ["FOUND_BY_NAME"]
    assert answer["samePixelsUnderOtherCodes"] == [
        {"file": "TTFBS/p1_a.png", "others": ["TTMUD/p1_b.png"]},
        {"file": "TTMUD/p1_b.png", "others": ["TTFBS/p1_a.png"]},
    ]


class MeddledWith:
    """A registry's stub that does something to files between their hashing and their upload."""

    def __init__(self, stub: Any, meddle: Callable[[], None]) -> None:  # noqa: ANN401 -- a generated stub
        self._stub = stub
        self._meddle = meddle

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 -- as above
        if method == "PlanSampleUploads":
            self._meddle()
        return getattr(self._stub, method)


async def test_what_changes_while_it_is_imported_is_told_and_never_stored(
    registry: Registry, store: BlockingObjectStore, tmp_path: Path
) -> None:
    """D7, D6: what was hashed is what is uploaded, or nothing is."""
    names = ("same", "twin", "gone", "pipe", "cut", "other", "grown", "empty")
    file = {name: picture(tmp_path / "A" / f"{name}.png") for name in names}
    mask = {name: tmp_path / "A" / f"{name}.mask.png" for name in ("same", "grown")}
    for mark, path in enumerate(mask.values()):
        pixels = np.zeros((10, 20), np.uint8)
        pixels[mark] = 255
        Image.fromarray(pixels).save(path)
    file["twin"].write_bytes(file["other"].read_bytes())
    file["empty"].write_bytes(b"")
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in file.items()}
    of_mask = hashlib.sha256(mask["grown"].read_bytes()).hexdigest()

    def meddle() -> None:
        file["gone"].unlink(missing_ok=True)
        file["pipe"].unlink(missing_ok=True)
        os.mkfifo(file["pipe"])
        file["cut"].write_bytes(file["cut"].read_bytes()[:40])
        file["other"].write_bytes(file["other"].read_bytes()[:-1] + b"x")
        mask["grown"].write_bytes(b"x" + mask["grown"].read_bytes())
        file["empty"].write_bytes(b"more")

    listing = read_data(tmp_path, kind="folders")
    stub = MeddledWith(registry.admin.data, meddle)
    result = await SampleImport(stub, lambda _: None).run(
        listing, dataset="datasets/meddled", path="main", description=""
    )
    told = {one.file.removeprefix("A/").removesuffix(".png"): one for one in result.outcomes}
    assert {name: (one.reason, bool(one.message_zh)) for name, one in told.items() if one.reason} == {
        "gone": ("VANISHED", True),
        "pipe": ("UNREADABLE", True),
        "cut": ("CHANGED", True),
        "grown": ("CHANGED", True),
        "empty": ("EMPTY", True),
        # Its bytes are still those that were hashed, in another file: they were uploaded from there.
        # `other` is listed with them, as it was when it was read.
    }
    assert result.count(ImportOutcome.OUTCOME_ADDED) == 3
    assert len(result.outcomes) == len(listing.samples)
    for sha256 in (*(hashes[name] for name in ("gone", "pipe", "cut")), of_mask):
        with pytest.raises(NotFound):
            await asyncio.to_thread(store.get_bytes, f"samples/{sha256}", max_bytes=10_000)


async def test_what_grows_while_it_is_hashed_or_cannot_be_read_is_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7: a picture that a camera is still writing, and one that belongs to somebody else."""
    for name in ("whole", "growing", "locked"):
        picture(tmp_path / "A" / f"{name}.png")
    listing = read_data(tmp_path)
    digest, opened = hashlib.file_digest, os.open

    def digest_of_a_growing_file(file: Any, kind: str) -> Any:  # noqa: ANN401 -- as hashlib's
        found = digest(file, kind)
        if os.fstat(file.fileno()).st_ino == (tmp_path / "A/growing.png").stat().st_ino:
            with (tmp_path / "A/growing.png").open("ab") as more:
                more.write(b"more")
        return found

    def opened_by_its_owner(path: Any, *options: Any) -> int:  # noqa: ANN401 -- as os.open's
        if Path(path).name == "locked.png":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *options)

    monkeypatch.setattr(hashlib, "file_digest", digest_of_a_growing_file)
    monkeypatch.setattr(os, "open", opened_by_its_owner)
    result = await SampleImport(registry.admin.data, lambda _: None).run(
        listing, dataset="datasets/growing", path="main", description=""
    )
    assert [(one.file, one.reason) for one in result.outcomes] == [
        ("A/growing.png", "CHANGED"),
        ("A/locked.png", "UNREADABLE"),
        ("A/whole.png", ""),
    ]


async def test_a_good_photo_beside_a_broken_twin_is_told(command: Command, tmp_path: Path) -> None:
    """D7: what looks like the mask of a refused picture may be a photo of its own."""
    code = tmp_path / "pairs" / "T"
    for name in ("ok.png", "a.png", "b_mask.png"):
        picture(code / name)
    for name, data in (("a.jpg", b""), ("b.png", b"junk")):
        (code / name).write_bytes(data)
    picture(code / "d\u202e.bmp")
    picture(code / "d\u202e.png")
    answer = await imported(command, tmp_path / "pairs")
    assert (answer["added"], {item["file"]: item["reason"] for item in answer["rejected"]}) == (
        1,
        {"T/a.jpg": "EMPTY", "T/b.png": "NOT_AN_IMAGE", "T/d\u202e.bmp": "BAD_NAME"},
    )
    assert {item["file"]: item["reason"] for item in answer["leftOut"]} == {
        "T/a.png": "PICTURE_REFUSED",
        "T/b_mask.png": "PICTURE_REFUSED",
        "T/d\u202e.png": "PICTURE_REFUSED",
    }
    assert answer["found"] == answer["used"] + len(answer["leftOut"])
    assert answer["found"] == answer["added"] + len(answer["rejected"]) + len(answer["leftOut"])


def deep(path: Path, largest: int) -> Path:
    """A grey picture of 16 bits, 20 by 10, whose largest value is that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.linspace(0, largest, 200).astype(np.uint16).reshape(10, 20)
    Image.fromarray(values).save(path)
    return path


async def test_the_bits_of_a_camera_are_kept_with_the_path(
    command: Command, registry: Registry, tmp_path: Path
) -> None:
    """D6: a second import without --bits, or with others, would make two shots of one part unlike."""
    deep(tmp_path / "first/T/a.png", 4000)
    deep(tmp_path / "second/T/b.png", 4000)
    first = await command("data", "import", tmp_path / "first", "--dataset", "deep", "--bits", "12", "--json")
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["dataPath"]["bits"] == 12
    other = await command("data", "import", tmp_path / "second", "--dataset", "deep", "--bits", "10")
    assert other.exit_code == 1
    assert "imported with --bits 12, not --bits 10" in other.output
    second = await command("data", "import", tmp_path / "second", "--dataset", "deep")
    assert "12 of 16, as the path says" in second.output
    answer = await registry.admin.data.ListSamples(
        dataset_service_pb2.ListSamplesRequest(parent="datasets/deep/paths/main")
    )
    alike = {sample.sha256 for sample in answer.samples}
    assert (len(answer.samples), len(alike)) == (2, 1)  # the same values, scaled in the same way
    # An importer that does not scale, such as an older one.
    listing = read_data(tmp_path / "second")
    importing = SampleImport(registry.admin.data, lambda _: None)
    bare = dataset_service_pb2.AddSamplesRequest(
        parent="datasets/deep/paths/main",
        candidates=[{"file": "T/c.png", "sha256": next(iter(alike))}],
    )
    refused = await registry.admin.data.AddSamples(bare)
    assert (refused.outcomes[0].reason, refused.outcomes[0].message_zh[:7]) == ("OTHER_BITS", "该文件为 16")
    picture(tmp_path / "third/T/grey.png")
    assert (await command("data", "import", tmp_path / "third", "--dataset", "grey")).exit_code == 0
    result = await importing.run(listing, dataset="datasets/grey", path="main", description="")
    assert (result.bits, result.outcomes[0].outcome) == (0, ImportOutcome.OUTCOME_ADDED)
    late = await command("data", "import", tmp_path / "second", "--dataset", "grey", "--bits", "12")
    assert "imported with all their bits, not --bits 12" in late.output


async def test_the_report_is_kept_and_names_the_same_picture_in_other_paths(
    command: Command, tmp_path: Path
) -> None:
    """D2, D7: what was left out is to be seen after the import ended, and twins in other paths are named."""
    source = picture(tmp_path / "one/T/a.png")
    (tmp_path / "one/T/notes.txt").write_text("x")
    for path in ("two/T/b.png", "two/U/c.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(source.read_bytes())
    imported = {}
    for name, dataset, path in (("one", "twins", "p1"), ("two", "twins", "p2"), ("one", "others", "p3")):
        arguments = ("data", "import", tmp_path / name, "--dataset", dataset, "--path", path)
        imported[path] = json.loads((await command(*arguments, "--json")).stdout)
    assert imported["p1"]["samePixelsInOtherPaths"] == []
    assert imported["p3"]["samePixelsInOtherPaths"] == [
        {
            "file": "T/a.png",
            "others": [
                "datasets/twins/paths/p1/T/a.png",
                "datasets/twins/paths/p2/T/b.png",
                "datasets/twins/paths/p2/U/c.png",
            ],
        }
    ]
    listed = json.loads((await command("data", "reports", "twins/p2", "--json")).stdout)["importReports"]
    assert [report["name"] for report in listed] == [imported["p2"]["report"]]
    shown = json.loads((await command("data", "report", imported["p2"]["report"], "--json")).stdout)
    assert {(line["file"], line["reason"]) for line in shown["lines"]} == {
        ("T/b.png", "SAME_UNDER_OTHER_CODE"),
        ("T/b.png", "SAME_IN_OTHER_PATH"),
        ("U/c.png", "SAME_UNDER_OTHER_CODE"),
        ("U/c.png", "SAME_IN_OTHER_PATH"),
    }
    (report,) = json.loads((await command("data", "reports", "twins/p1", "--json")).stdout)["importReports"]
    assert (report["foundCount"], report["usedCount"], report["addedCount"]) == ("2", "1", "1")
    assert int(report["sizeBytes"]) == source.stat().st_size
    people = await command("data", "report", names.short(report["name"]))
    assert "2 found, 1 used, 1 left out" in people.output
    table = await command("data", "report", report["name"], "--csv")
    kind, file, reason, _, chinese, sample = next(csv.reader(table.output.splitlines()[1:]))
    assert (kind, file, reason, sample) == ("left out", "T/notes.txt", "NOT_AN_IMAGE", "")
    assert chinese.startswith("按文件名")
