"""Annotations that cost much more than they weigh (D7)."""

import base64
import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loupe.annotations import json_files
from loupe.annotations.shapes import RunLengths
from loupe.folders import FolderListing
from loupe.reading import read_data
from PIL import Image

from tests.unit.client.annotations.test_formats import coco, flat, image, labelme, picture, told

SQUARE = [[2.0, 2.0], [5.0, 2.0], [5.0, 5.0], [2.0, 5.0]]


def stencil(side: int) -> dict[str, Any]:
    """A mask of LabelMe: of one value, so that its bytes are few."""
    data = io.BytesIO()
    Image.new("1", (side, side), 1).save(data, "PNG")
    corners = [[0, 0], [side - 1, side - 1]]
    mask = base64.b64encode(data.getvalue()).decode()
    return {"label": "TPFIP", "shape_type": "mask", "points": corners, "mask": mask}


def polygon(points: int) -> dict[str, Any]:
    """A saw that covers its picture."""
    teeth = [[index % 20 + 0.5, index % 2 * 9.5] for index in range(points)]
    return {"label": "TPFIP", "shape_type": "polygon", "points": teeth}


def beside(folder: Path, *shapes: dict[str, Any]) -> FolderListing:
    """A picture with these shapes, and one with a square."""
    for name in ("costly", "honest"):
        picture(folder / f"{name}.png")
    labelme(folder / "costly.json", *shapes)
    labelme(folder / "honest.json", {"label": "TPFIP", "points": SQUARE})
    return read_data(folder)


@pytest.mark.parametrize(
    "shapes",
    [
        [stencil(5_000)] * 9,
        [polygon(150_000)],
        [{**polygon(60_000), "shape_type": "linestrip"}],
    ],
    ids=["masks", "polygon", "line"],
)
def test_what_costs_too_much_to_paint_is_refused_and_the_rest_taken(
    tmp_path: Path, shapes: list[dict[str, Any]]
) -> None:
    """13 MB of LabelMe's masks took 89 s: a mask of a few bytes may have as many pixels as it likes."""
    listing = beside(tmp_path, *shapes)
    assert told(listing) == [("costly.png", "TOO_COMPLEX")]
    assert [sample.file for sample in listing.samples] == ["TPFIP/honest.png"]


def test_what_annotators_and_models_draw_is_taken(tmp_path: Path) -> None:
    """Hundreds of outlines, one of ten thousand points, masks of a whole picture, hundreds of run lengths."""
    folder = tmp_path / "labelme"
    folder.mkdir()
    labels = {"shapes": [polygon(100)] * 500 + [polygon(10_000)] + [stencil(10)] * 100}
    listing = beside(folder, *labels["shapes"])
    assert len(listing.samples) == 2, told(listing)
    folder = tmp_path / "coco"
    folder.mkdir()
    picture(folder / "a.png", 1500, 1000)
    runs = {"size": [1000, 1500], "counts": [700_000, 20_000, 780_000]}
    rows = [{"id": n, "image_id": 1, "category_id": 1, "segmentation": runs} for n in range(300)]
    rows.append({"id": 300, "image_id": 1, "category_id": 1, "segmentation": [flat(SQUARE)]})
    coco(folder / "a.json", [image(width=1500, height=1000)], rows)
    listing = read_data(folder)
    assert len(listing.samples) == 1, told(listing)


def test_run_lengths_of_any_size_are_refused_by_their_name(tmp_path: Path) -> None:
    """A number beyond 64 bits is no place for an overflow: the annotation is told, the others are taken."""
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    huge = {"size": [2**40, 2**40], "counts": [2**80]}
    rows = [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": huge},
        {"id": 2, "image_id": 2, "category_id": 1, "segmentation": [flat(SQUARE)]},
    ]
    coco(tmp_path / "a.json", [image(), image(2, "b.png")], rows)
    listing = read_data(tmp_path)
    assert ("a.png", "BAD_RLE") in told(listing)
    assert len(listing.samples) == 1


def test_json_of_very_many_values_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list costs twenty times its two brackets: a file of 2 GB would take the machine's memory."""
    monkeypatch.setattr(json_files, "_MAX_VALUES", 1_000)
    picture(tmp_path / "a.png")
    labelme(tmp_path / "a.json", polygon(2_000))
    picture(tmp_path / "b.png")
    labelme(tmp_path / "b.json", {"label": "TPFIP", "points": SQUARE})
    listing = read_data(tmp_path)
    assert ("a.json", "TOO_LARGE") in told(listing)
    assert [sample.file for sample in listing.samples] == ["TPFIP/b.png"]


def test_a_mask_takes_no_more_memory_than_its_file(tmp_path: Path) -> None:
    """A PNG of 100 bytes whose chunk says that it has 2 GB made Pillow allocate them."""
    picture(tmp_path / "JPEGImages/a.png")
    mask = tmp_path / "SegmentationClass/a.png"
    mask.parent.mkdir()
    Image.new("P", (20, 10)).save(mask)
    data = mask.read_bytes()
    at = data.index(b"IDAT")
    mask.write_bytes(data[: at - 4] + (2**31 - 1).to_bytes(4, "big") + data[at:-20])
    tracemalloc.start()
    listing = read_data(tmp_path, kind="voc")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told(listing)
    assert most < 2**28


@given(runs=st.lists(st.integers(0, 9), min_size=1, max_size=12), height=st.integers(1, 7))
def test_run_lengths_mark_every_other_run(runs: list[int], height: int) -> None:
    """Column by column, background first: by a way that costs as much as is marked, as by the plain one."""
    runs = [*runs, -sum(runs) % height]
    width = sum(runs) // height
    if width == 0:
        return
    canvas = np.zeros((height, width), np.uint8)
    RunLengths(width, height, np.array(runs, np.int64)).paint(canvas, 7)
    plain = [7 * (index % 2) for index, run in enumerate(runs) for _ in range(run)]
    assert (canvas == np.array(plain).reshape(width, height).T).all()
