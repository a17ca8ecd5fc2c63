"""LabelMe, COCO and Pascal VOC as samples with codes and masks (D1), and what is not taken and why."""

import base64
import contextlib
import io
import json
import os
import re
import socket
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loupe.annotations import SUFFIX_OF_FORMAT
from loupe.annotations.formats import READERS
from loupe.folders import FolderListing, FolderUnreadable, FoundSample, ImportOptions
from loupe.reading import detect, read_data
from loupe.rendering import json_text
from loupe.text import encodable
from loupe.unusable import Unusable
from PIL import Image

BOX = [[2, 1], [6, 1], [6, 4], [2, 4]]
"""12 pixels."""


def picture(path: Path, width: int = 20, height: int = 10, **options: object) -> Path:
    """A small picture whose pixels depend on its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = int.from_bytes(path.name.encode(), "big") % 2**32
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    Image.fromarray(pixels, "L").save(path, **options)
    return path


def labelme(path: Path, *shapes: dict[str, Any], **changes: object) -> None:
    """A label file of LabelMe beside the picture of its stem."""
    value = {
        "version": "5.4.1",
        "flags": {},
        "shapes": [{"shape_type": "polygon", "group_id": None, "flags": {}, **one} for one in shapes],
        "imagePath": f"{path.stem}.png",
        "imageData": None,
        "imageHeight": 10,
        "imageWidth": 20,
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def coco(path: Path, images: list[Any], annotations: list[Any], **changes: object) -> None:
    """A COCO file with the categories 1=TPFIP and 2=TTFBS."""
    categories = [{"id": 1, "name": "TPFIP"}, {"id": 2, "name": "TTFBS"}]
    value = {"images": images, "annotations": annotations, "categories": categories, **changes}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def voc(
    path: Path, *objects: tuple[str, tuple[float, float, float, float]], size: str = "20 10", **changes: str
) -> None:
    """An XML file of Pascal VOC: label and xmin, ymin, xmax, ymax of each object."""
    width, height = size.split()
    boxes = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for label, (x0, y0, x1, y1) in objects
    )
    filename = changes.get("filename", f"{path.stem}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation>\n<filename>{filename}</filename>\n"
        f"<size><width>{width}</width><height>{height}</height><depth>1</depth></size>\n{boxes}</annotation>"
    )


def image(identity: int = 1, file_name: str = "a.png", **changes: object) -> dict[str, Any]:
    return {"id": identity, "file_name": file_name, "width": 20, "height": 10, **changes}


def flat(points: list[list[float]]) -> list[float]:
    return [number for point in points for number in point]


def mask_of(sample: FoundSample) -> np.ndarray:
    assert sample.mask is not None
    with Image.open(io.BytesIO(sample.mask.make())) as drawn:
        assert (drawn.mode, drawn.format) == ("L", "PNG")
        return np.asarray(drawn)


def told(listing: FolderListing) -> list[tuple[str, str]]:
    return [(item.file, item.reason) for item in listing.left_out]


def only(listing: FolderListing) -> FoundSample:
    assert told(listing) == []
    (sample,) = listing.samples
    return sample


def a_labelme(root: Path) -> str:
    picture(root / "a.png")
    labelme(root / "a.json", {"label": "TPFIP", "points": BOX})
    return "labelme"


def a_coco(root: Path) -> str:
    picture(root / "a.png")
    rows = [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [flat(BOX)], "bbox": [2, 1, 4, 3]}]
    coco(root / "instances.json", [image()], rows)
    return "coco"


def a_voc(root: Path) -> str:
    picture(root / "JPEGImages/a.png")
    voc(root / "Annotations/a.xml", ("TPFIP", (3, 2, 6, 4)))
    return "voc"


def test_every_format_has_a_reader() -> None:
    """Whoever adds a format writes two lines, of which only one needs the extra."""
    assert set(READERS) == set(SUFFIX_OF_FORMAT)


@pytest.mark.parametrize("write", [a_labelme, a_coco, a_voc])
def test_each_format_is_recognised_and_gives_the_same_sample(
    tmp_path: Path, write: Callable[[Path], str]
) -> None:
    """D1: which tool somebody used must not matter; VOC counts pixels from 1, both ends inside."""
    kind = write(tmp_path)
    listing = read_data(tmp_path)
    sample = only(listing)
    assert (listing.format, sample.file) == (kind, "TPFIP/a.png")
    expected = np.zeros((10, 20), np.uint8)
    expected[1:4, 2:6] = 255
    assert (mask_of(sample) == expected).all()
    assert sample.mask.make() == sample.mask.make()
    assert read_data(tmp_path, kind=kind).samples == listing.samples


def test_folders_stay_folders(tmp_path: Path) -> None:
    """D1: a folder per code is what most have; a JSON of something else beside it changes nothing."""
    picture(tmp_path / "TPFIP/a.png")
    (tmp_path / "settings.json").write_text('{"exposure_ms": 4}')
    assert detect(tmp_path) == "folders"
    assert [sample.file for sample in read_data(tmp_path).samples] == ["TPFIP/a.png"]


def test_two_formats_at_once_must_be_chosen_between(tmp_path: Path) -> None:
    """D1: an export in two formats is common; taking both would be every picture twice."""
    a_labelme(tmp_path)
    voc(tmp_path / "a.xml", ("TPFIP", (3, 2, 6, 4)))
    with pytest.raises(
        FolderUnreadable, match=r"a\.json \(labelme\), a\.xml \(voc\); choose one with --format"
    ):
        read_data(tmp_path)
    assert read_data(tmp_path, kind="voc").images_per_code == {"TPFIP": 1}


# --- codes --------------------------------------------------------------------------------------------------


def test_the_largest_area_is_the_code_and_the_others_are_named(tmp_path: Path) -> None:
    """D1: a sample has one code; overlaps count once, so many small boxes on one place beat nothing."""
    picture(tmp_path / "a.png")
    small = {"label": "TTFBS", "points": [[10, 5], [12, 5], [12, 8], [10, 8]]}
    labelme(tmp_path / "a.json", small, small, small, {"label": "TPFIP", "points": BOX})
    listing = read_data(tmp_path)
    (sample,) = listing.samples
    assert sample.code == "TPFIP"
    assert np.count_nonzero(mask_of(sample)) == 12
    (other,) = listing.left_out
    assert (other.file, other.reason) == ("a.png", "OTHER_CODES")
    assert "TPFIP (12 px); TTFBS (6 px) are not taken; --mask-codes TPFIP,TTFBS keeps them" in other.message


def test_an_indexed_mask_keeps_all_codes(tmp_path: Path) -> None:
    """D1: value i is the i-th declared code; a small defect on a large one stays to be seen."""
    picture(tmp_path / "a.png")
    small = {"label": "TTFBS", "points": [[3, 2], [5, 2], [5, 3], [3, 3]]}
    labelme(tmp_path / "a.json", small, {"label": "TPFIP", "points": BOX})
    listing = read_data(tmp_path, ImportOptions(mask_codes=("TGGS0", "TPFIP", "TTFBS")))
    (sample,) = listing.samples
    assert (sample.code, listing.mask_codes) == ("TPFIP", ("TGGS0", "TPFIP", "TTFBS"))
    values, counts = np.unique(mask_of(sample), return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {0: 188, 2: 10, 3: 2}
    with pytest.raises(FolderUnreadable, match="--mask-codes lacks TTFBS; write --mask-codes TPFIP,TTFBS"):
        read_data(tmp_path, ImportOptions(mask_codes=("TPFIP",)))


def test_indexed_masks_of_folders_are_sent_as_they_are(tmp_path: Path) -> None:
    """D1, D5: registry and training read the indices of a palette; there is no second reading here."""
    picture(tmp_path / "A/a.jpg")
    indices = Image.fromarray(np.arange(200, dtype=np.uint8).reshape(10, 20) % 3, "P")
    indices.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    indices.save(tmp_path / "A/a.png")
    listing = read_data(tmp_path, ImportOptions(mask_codes=("A", "B")))
    assert only(listing).mask == tmp_path / "A/a.png"
    with pytest.raises(FolderUnreadable, match="--mask-codes lacks A"):
        read_data(tmp_path, ImportOptions(mask_codes=("B", "C")))


def test_labels_that_are_no_codes_are_told_together_with_the_remedy(tmp_path: Path) -> None:
    """W3: annotators write words; one run must say all that has to be mapped, ready to be copied."""
    picture(tmp_path / "a.png")
    shapes = [
        {"label": label, "points": [[x + place, y] for x, y in BOX[: 4 - place % 2]]}
        for place, label in enumerate(("TPFIP", "thin line", "thin line", "划痕", "__ignore__"))
    ]
    labelme(tmp_path / "a.json", *shapes)
    with pytest.raises(FolderUnreadable) as refused:
        read_data(tmp_path)
    assert "2 label(s) are no defect codes" in str(refused.value)
    assert "'thin line' (2 times): --map \"thin line=thin_line\"" in str(refused.value)
    assert '--map "划痕=CODE"' in str(refused.value)
    codes = {"thin line": "TTFBS", "划痕": "TSFAS", "__ignore__": ""}
    listing = read_data(tmp_path, ImportOptions(code_of_label=codes))
    assert listing.samples[0].code == "TPFIP"
    assert told(listing) == [("a.png", "IGNORED"), ("a.png", "OTHER_CODES")]
    with pytest.raises(FolderUnreadable, match="--map names 'thick line', which is no label here"):
        read_data(tmp_path, ImportOptions(code_of_label={**codes, "thick line": "TTFBS"}))


def test_folders_are_mapped_too(tmp_path: Path) -> None:
    """W3: a folder named in words is a label as any other; two that become one code must not hide a file."""
    for file in ("thin line/a.png", "TTFBS/a.png", "TTFBS/b.png", "dust/c.png"):
        picture(tmp_path / file)
    listing = read_data(tmp_path, ImportOptions(code_of_label={"thin line": "TTFBS", "dust": ""}))
    assert [sample.file for sample in listing.samples] == ["TTFBS/a.png", "TTFBS/b.png"]
    assert told(listing) == [("dust/c.png", "IGNORED"), ("thin line/a.png", "NAME_TAKEN")]
    (left_out,) = read_data(tmp_path, ImportOptions(code_of_label={"dust": ""})).left_out[1:]
    assert (left_out.reason, '--map "thin line=CODE"' in left_out.message) == ("BAD_CODE", True)


@pytest.mark.parametrize("empty", ["labelme", "coco", "voc", "none"])
def test_a_picture_without_annotation_is_background_or_set_aside(tmp_path: Path, empty: str) -> None:
    """D1: nobody said that an unannotated picture is good, unless somebody says so."""
    a_labelme(tmp_path) if empty == "labelme" else a_voc(tmp_path) if empty == "voc" else a_coco(tmp_path)
    picture(tmp_path / "b.png")
    if empty == "labelme":
        labelme(tmp_path / "b.json")
    elif empty == "voc":
        voc(tmp_path / "Annotations/b.xml")
    elif empty == "coco":
        value = json.loads((tmp_path / "instances.json").read_text())
        coco(tmp_path / "instances.json", [*value["images"], image(2, "b.png")], value["annotations"])
    listing = read_data(tmp_path)
    assert told(listing) == [("b.png", "NO_ANNOTATION")]
    assert "--background-code" in listing.left_out[0].message
    listing = read_data(tmp_path, ImportOptions(background_code="OK"))
    assert listing.images_per_code == {"OK": 1, "TPFIP": 1}
    assert not mask_of(listing.samples[0]).any()


# --- LabelMe ------------------------------------------------------------------------------------------------


def test_all_shapes_of_labelme_are_painted(tmp_path: Path) -> None:
    """D1: polygon, rectangle, circle, line, linestrip, point and mask are what LabelMe can draw."""
    stencil = io.BytesIO()
    Image.fromarray(np.full((2, 3), 255, np.uint8)).save(stencil, "PNG")
    shapes: list[tuple[dict[str, Any], int]] = [
        ({"points": BOX}, 12),
        ({"shape_type": "rectangle", "points": [[6, 4], [2, 1]]}, 12),
        ({"shape_type": "circle", "points": [[10, 5], [10, 8]]}, 32),
        ({"shape_type": "line", "points": [[4, 5], [14, 5]]}, 24),
        ({"shape_type": "linestrip", "points": [[4, 5], [9, 5], [14, 5]]}, 24),
        ({"shape_type": "point", "points": [[8.5, 4.5]]}, 5),
        (
            {
                "shape_type": "mask",
                "points": [[4, 2], [6, 3]],
                "mask": base64.b64encode(stencil.getvalue()).decode(),
            },
            6,
        ),
    ]
    for index, (shape, _) in enumerate(shapes):
        picture(tmp_path / f"{index}.png")
        labelme(tmp_path / f"{index}.json", {"label": "A", **shape})
    listing = read_data(tmp_path, ImportOptions(line_width_px=2))
    assert told(listing) == []
    found = [np.count_nonzero(mask_of(sample)) for sample in listing.samples]
    assert found == [expected for _, expected in shapes]


def test_a_picture_within_labelmes_file_is_taken(tmp_path: Path) -> None:
    """D1: with `imageData` the label file is all there is; its bytes say its type, not imagePath."""
    data = picture(tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").unlink()
    encoded = base64.b64encode(data).decode()
    labelme(
        tmp_path / "line1/a.json",
        {"label": "A", "points": BOX},
        imageData=encoded,
        imagePath="..\\gone\\a.jpg",
    )
    sample = only(read_data(tmp_path))
    assert sample.file == "A/line1__a.png"
    assert sample.image.make() == data
    labelme(
        tmp_path / "line1/a.json", {"label": "A", "points": BOX}, imageData="no base64!", imagePath="a.jpg"
    )
    listing = read_data(tmp_path)
    assert told(listing) == [("line1/a.jpg", "BAD_PICTURE")]
    assert "no base64" in listing.left_out[0].message


def test_a_picture_within_does_not_take_the_place_of_one_beside_it(tmp_path: Path) -> None:
    """D7: the one that lay there was neither imported nor named, whatever the file held within."""
    there = picture(tmp_path / "a.png")
    encoded = base64.b64encode(there.read_bytes()).decode()
    labelme(tmp_path / "a.json", {"label": "A", "points": BOX}, imageData=encoded, imagePath="gone.png")
    listing = read_data(tmp_path)
    assert told(listing) == [("a.json", "TWICE"), ("a.png", "NOTHING_LEFT")]
    assert accounted(listing)


def test_what_pillow_warns_of_stays_off_the_terminal(tmp_path: Path) -> None:
    """Lines such as "Corrupt EXIF data" stood between those of the report, and said of no file."""
    picture(tmp_path / "a.tif", tiffinfo={270: "a description"})
    data = (tmp_path / "a.tif").read_bytes()
    longer = data.replace(struct.pack("<HHI", 270, 2, 14), struct.pack("<HHI", 270, 2, 60_000))
    assert longer != data
    (tmp_path / "a.tif").write_bytes(longer)
    labelme(tmp_path / "a.json", {"label": "A", "points": BOX}, imagePath="a.tif")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        read_data(tmp_path)
    assert [str(one.message) for one in warned] == []


# --- COCO ---------------------------------------------------------------------------------------------------


def test_coco_takes_polygons_run_lengths_and_boxes(tmp_path: Path) -> None:
    """D1: `segmentation` in its three shapes, else `bbox`; polygons of one annotation belong together."""
    ring = {"size": [10, 20], "counts": [21, 3, 7, 3, 166]}
    rows = [
        ({"segmentation": [flat(BOX), [10, 5, 12, 5, 12, 8, 10, 8]]}, 18),
        ({"segmentation": ring}, 6),
        ({"segmentation": {"size": [10, 20], "counts": "e03700V5"}}, None),
        ({"segmentation": [], "bbox": [2, 1, 4, 3]}, 12),
        ({"bbox": [2.0, 1.0, 4.0, 3.0]}, 12),
    ]
    images, annotations = [], []
    for index, (row, _) in enumerate(rows):
        picture(tmp_path / f"images/{index}.png")
        images.append(image(index, f"{index}.png"))
        annotations.append({"id": index, "image_id": index, "category_id": 2, **row})
    coco(tmp_path / "annotations/instances_default.json", images, annotations)
    listing = read_data(tmp_path)
    found = {sample.file: np.count_nonzero(mask_of(sample)) for sample in listing.samples}
    expected = {f"TTFBS/{index}.png": count for index, (_, count) in enumerate(rows) if count is not None}
    assert {file: found.get(file) for file in expected} == expected


def test_coco_in_splits_keeps_pictures_of_one_name_apart(tmp_path: Path) -> None:
    """D1: `train` and `val` number their pictures alike; the folder is part of the sample's name."""
    for split in ("train2017", "val2017"):
        picture(tmp_path / f"{split}/1.png", width=20 if split == "train2017" else 22)
        rows = [{"image_id": 1, "category_id": 1, "bbox": [2, 1, 4, 3]}]
        width = 20 if split == "train2017" else 22
        coco(tmp_path / f"annotations/instances_{split}.json", [image(1, "1.png", width=width)], rows)
    listing = read_data(tmp_path)
    assert told(listing) == []
    assert [sample.file for sample in listing.samples] == ["TPFIP/train2017__1.png", "TPFIP/val2017__1.png"]


def test_masks_beside_annotations_are_no_background(tmp_path: Path) -> None:
    """D5: with --background-code a mask that no annotation names would be a picture without a defect."""
    a_labelme(tmp_path)
    for name in ("a_mask.png", "a.mask.png", "b.png"):
        picture(tmp_path / name)
    listing = read_data(tmp_path, ImportOptions(background_code="OK"))
    assert [sample.file for sample in listing.samples] == ["OK/b.png", "TPFIP/a.png"]
    assert told(listing) == [(name, "MASK_WITHOUT_ANNOTATION") for name in ("a.mask.png", "a_mask.png")]


# --- Pascal VOC ---------------------------------------------------------------------------------------------


def _segmentation(path: Path, mode: str = "P", width: int = 20) -> None:
    """1 on two pixels, 2 on three, void on one."""
    pixels = np.zeros((10, width), np.uint8)
    pixels[0, :2], pixels[1, :3], pixels[2, 0] = 1, 2, 255
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = Image.fromarray(pixels, mode)
    if mode == "P":
        drawn.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [224, 224, 192] * 253)
    drawn.save(path)


@pytest.mark.parametrize("mode", ["P", "L"])
def test_a_segmentation_goes_before_the_boxes(tmp_path: Path, mode: str) -> None:
    """D1: pixels say more than a box; the class file says what values mean, and void is nothing."""
    a_voc(tmp_path)
    _segmentation(tmp_path / "SegmentationClass/a.png", mode)
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\nTPFIP:128,0,0::\nTTFBS:0,128,0::\n"
    )
    listing = read_data(tmp_path)
    (sample,) = listing.samples
    assert (sample.file, np.count_nonzero(mask_of(sample))) == ("TTFBS/a.png", 3)
    assert told(listing) == [("a.png", "OTHER_CODES")] or told(listing) == [
        ("JPEGImages/a.png", "OTHER_CODES")
    ]
    indexed = read_data(tmp_path, ImportOptions(mask_codes=("TTFBS", "TPFIP"))).samples[0]
    assert np.bincount(mask_of(indexed).ravel()).tolist() == [195, 3, 2]


def test_a_segmentation_without_class_names_takes_them_from_boxes_or_says_what_lacks(tmp_path: Path) -> None:
    """D1: values mean nothing by themselves; a single label among the boxes does say it."""
    a_voc(tmp_path)
    _segmentation(tmp_path / "SegmentationClass/a.png")
    assert np.count_nonzero(mask_of(only(read_data(tmp_path)))) == 5
    (tmp_path / "Annotations/a.xml").unlink()
    listing = read_data(tmp_path)
    assert [(item.file, item.reason) for item in listing.left_out] == [
        ("JPEGImages/a.png", "NOTHING_LEFT"),
        ("SegmentationClass/a.png", "UNKNOWN_CATEGORY"),
    ]
    assert "write them into labelmap.txt" in listing.left_out[1].message


# --- what is not taken --------------------------------------------------------------------------------------

BILLION_LAUGHS = (
    '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]>\n<annotation><filename>&y;</filename></annotation>'
)
EXTERNAL = '<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<annotation><filename>a.png</filename></annotation>'


def _faulty(kind: str, fault: Any) -> Callable[[Path], None]:  # noqa: ANN401 -- as the table has it
    def write(root: Path) -> None:
        picture(root / "a.png")
        if kind == "labelme":
            labelme(root / "a.json", **fault)
        elif kind == "coco":
            coco(root / "i.json", *fault)
        elif kind == "voc":
            voc(root / "a.xml", *fault.pop("objects", ()), **fault)
        else:
            (root / kind).write_bytes(fault)

    return write


def _shape(**changes: object) -> dict[str, Any]:
    return {"shapes": [{"label": "A", "points": BOX, **changes}]}


def _row(**changes: object) -> list[dict[str, Any]]:
    return [{"id": 1, "image_id": 1, "category_id": 1, **changes}]


FAULTS: list[tuple[str, Any, str, str]] = [
    # kind, what is written, reason, what is told
    ("labelme", {"imageWidth": 21}, "SIZE_DIFFERS", "a.json is for a picture of 21×10, this one is 20×10"),
    ("labelme", {"imageWidth": 10, "imageHeight": 20}, "SIZE_DIFFERS", "turned by a quarter"),
    ("labelme", {"imagePath": "gone.png"}, "MISSING_PICTURE", "a.json: imagePath names 'gone.png'"),
    ("labelme", {"imagePath": "../../etc/passwd"}, "OUTSIDE_FOLDER", "leads outside of"),
    ("labelme", {"imagePath": "..\\..\\b.png"}, "OUTSIDE_FOLDER", "leads outside of"),
    ("labelme", {"imagePath": "C:\\data\\b.png"}, "OUTSIDE_FOLDER", "leads outside of"),
    ("labelme", {"imagePath": "/etc/passwd"}, "OUTSIDE_FOLDER", "leads outside of"),
    ("labelme", {"imagePath": "", "imageData": ""}, "MISSING_PICTURE", "neither imagePath nor imageData"),
    ("labelme", {"shapes": "none"}, "BAD_ANNOTATION", "a.json has 'none' as shapes, expected a list"),
    ("labelme", _shape(label=None), "BAD_ANNOTATION", "a.json: shapes[0] has None as label"),
    ("labelme", _shape(points=BOX[:2]), "BAD_ANNOTATION", "polygon of 2 points, not 3"),
    ("labelme", _shape(points=[[1, "x"]] * 3), "BAD_ANNOTATION", "is 'x', not a coordinate"),
    ("labelme", _shape(points=[[1, 1e400]] * 3), "BAD_ANNOTATION", "is inf, not a coordinate"),
    ("labelme", _shape(shape_type="blob"), "UNKNOWN_SHAPE", "a 'blob'"),
    (
        "labelme",
        _shape(shape_type="mask", mask="AAAA"),
        "BAD_ANNOTATION",
        "shapes[0].mask is no PNG",
    ),
    (
        "labelme",
        _shape(points=[[30, 1], [36, 1], [36, 4]]),
        "OUTSIDE_PICTURE",
        "1 of 1 region(s) of a.json reach more than a pixel outside of the picture of 20×10",
    ),
    ("coco", ([image()], _row(category_id=9, bbox=[1, 1, 2, 2])), "UNKNOWN_CATEGORY", "[0] has category 9; "),
    ("coco", ([image()], _row(image_id=7, bbox=[1, 1, 2, 2])), "UNKNOWN_IMAGE", "[0] is for image 7"),
    ("coco", ([image()], _row(bbox=[])), "NO_SHAPE", "annotations[0] has neither segmentation nor bbox"),
    ("coco", ([image()], _row(segmentation=[[1, 2, 3]])), "BAD_ANNOTATION", "segmentation[0] is no polygon"),
    ("coco", ([image()], _row(bbox=[1, 1, 0, 2])), "NO_SHAPE", "bbox is 0 by 2"),
    ("coco", ([image()], _row(segmentation={"size": [10, 20], "counts": [7]})), "BAD_RLE", "add up to 7"),
    ("coco", ([image()], _row(segmentation={"size": [5, 5], "counts": [24, 1]})), "SIZE_DIFFERS", "of 5×5"),
    ("coco", ([image(height=11)], _row(bbox=[1, 1, 2, 2])), "SIZE_DIFFERS", "images[0] is for"),
    ("coco", ([image(file_name="../../../b.png")], []), "OUTSIDE_FOLDER", "i.json: images[0] names"),
    ("coco", ([image(), image(file_name="b.png")], []), "TWICE", "the id 1, which is that of 'a.png' and 'b"),
    ("coco", ([image(2, "b.png")], _row(image_id=2)), "MISSING_PICTURE", "(1 annotation(s) with it)"),
    ("coco", (["x"], []), "BAD_ANNOTATION", "images[0] is 'x', not an object"),
    ("voc", {"filename": "../../b.png"}, "OUTSIDE_FOLDER", "a.xml: filename names"),
    ("voc", {"size": "20 12"}, "SIZE_DIFFERS", "for a picture of 20×12"),
    ("voc", {"objects": [("", (1, 1, 2, 2))]}, "BAD_ANNOTATION", "object[0] has no name"),
    ("voc", {"objects": [("A", (5, 1, 2, 2))]}, "NO_SHAPE", "ends before it begins"),
    ("voc", {"objects": [("A", ("x", 1, 2, 2))]}, "BAD_ANNOTATION", "xmin is 'x', not a number"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fault", "reason", "message"),
    FAULTS,
    ids=[f"{kind}-{reason}-{n}" for n, (kind, _, reason, _) in enumerate(FAULTS)],
)
def test_every_bad_input_is_told_with_file_fact_and_remedy(
    tmp_path: Path,
    kind: str,
    fault: Any,  # noqa: ANN401 -- as the table has it
    reason: str,
    message: str,
) -> None:
    """D1: silence would look like success, and a wrong guess would be a wrong label.

    Whatever is wrong with a picture's annotation, it never counts as a picture without a defect.
    """
    _faulty(kind, fault)(tmp_path)
    listing = read_data(tmp_path, ImportOptions(background_code="OK"), kind=kind)
    found = {item.reason: item.message for item in listing.left_out}
    assert message in found[reason]
    assert accounted(listing)
    assert listing.samples == ()


@pytest.mark.parametrize(
    ("file", "content", "told_of_it"),
    [
        (
            "a.json",
            b'{"shapes": [],\n  "imagePath" "a.png"}',
            r"a\.json line 2 column 15: Expecting ':' delimiter",
        ),
        ("a.json", b'{"shapes": "\xff"}', r"a\.json is not UTF-8 \(byte 12\)"),
        ("a.json", b"[" * 100_000, r"a\.json is nested too deeply"),
        (
            "a.json",
            b'{"shapes": ' + b"9" * 5000 + b"}",
            r"a\.json has a number that is too long; export",
        ),
        (
            "a.xml",
            b"<annotation>\n <filename>a.png</file>\n</annotation>",
            r"a\.xml line 2 column \d+: mismatched tag",
        ),
        ("a.xml", b"", r"a\.xml line 1 column 1: no element found"),
        ("a.xml", BILLION_LAUGHS.encode(), r"a\.xml declares a DTD or entities"),
        ("a.xml", EXTERNAL.encode(), r"a\.xml declares a DTD or entities"),
    ],
)
@pytest.mark.parametrize("chosen", [True, False])
def test_broken_and_hostile_files_are_refused_with_their_place(
    tmp_path: Path, file: str, content: bytes, told_of_it: str, *, chosen: bool
) -> None:
    """Issue 3: line and column where there are some; nothing is expanded, nothing else is opened."""
    picture(tmp_path / "a.png")
    (tmp_path / file).write_bytes(content)
    if not chosen:
        with pytest.raises(FolderUnreadable, match=told_of_it):
            read_data(tmp_path)
        return
    kind = "voc" if file.endswith("xml") else "labelme"
    listing = read_data(tmp_path, ImportOptions(background_code="OK"), kind=kind)
    assert listing.samples == ()
    messages = {item.file: item.message for item in listing.left_out}
    assert re.search(told_of_it, messages[file])
    assert "nothing of what" in messages["a.png"]


def test_what_reaches_outside_by_a_pixel_is_cut_and_by_more_is_refused(tmp_path: Path) -> None:
    """D5: rounding is no fault, and more says that the annotation is for another picture or size."""
    picture(tmp_path / "a.png")
    rounded = {"label": "A", "points": [[18, 8], [20.9, 8], [20.9, 10.9], [18, 10.9]]}
    disc = {"label": "A", "shape_type": "circle", "points": [[1, 5], [5, 5]]}
    labelme(tmp_path / "a.json", rounded, disc)
    sample = only(read_data(tmp_path))
    assert np.count_nonzero(mask_of(sample)[8:, 18:]) == 4
    over = {"label": "A", "points": [[-1.1, 1], [4, 1], [4, 4], [-1.1, 4]]}
    labelme(tmp_path / "a.json", over, rounded, rounded)
    listing = read_data(tmp_path)
    assert (listing.samples, told(listing)) == ((), [("a.png", "OUTSIDE_PICTURE")])
    assert listing.left_out[0].message.startswith("1 of 3 region(s) of a.json reach more than a pixel")


def test_pictures_that_cannot_be_annotated_upon_are_set_aside(tmp_path: Path) -> None:
    """D4, D1: unreadable, hugely declared, or turned by EXIF: the annotation's upright may not be ours."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(tmp_path / "turned.jpg", exif=exif)
    picture(tmp_path / "turned2.png", exif=exif)
    (tmp_path / "text.png").write_bytes(b"these are words")
    Image.new("1", (9_000, 9_001)).save(tmp_path / "bomb.png")
    for stem, suffix in (("turned", "jpg"), ("turned2", "png"), ("text", "png"), ("bomb", "png")):
        shape = {"label": "A", "points": BOX}
        labelme(
            tmp_path / f"{stem}.json", shape, imagePath=f"{stem}.{suffix}", imageWidth=None, imageHeight=None
        )
    listing = read_data(tmp_path)
    assert listing.samples == ()
    assert told(listing) == [
        ("bomb.png", "TOO_LARGE"),
        ("text.png", "BAD_PICTURE"),
        ("turned.jpg", "TURNED"),
        ("turned2.png", "TURNED"),
    ]


# --- odd files and broken ones ------------------------------------------------------------------------------


def a_folder_of_codes(root: Path) -> str:
    picture(root / "TPFIP/a.png")
    return "folders"


def put_odd_files(root: Path, place: Path) -> dict[str, str]:
    """One of every kind that is no picture, with the reason that it gets; `place` holds pictures."""
    for name in ("Thumbs.db", "desktop.ini", "c.gif", "d.HEIC", "b.webp", "._a.png", ".DS_Store"):
        (place / name).write_bytes(b"x")
    (place / ".cache").mkdir()
    (place / ".cache/a.png").write_bytes(b"x")
    gbk = "测试.png".encode("gbk")
    (place / os.fsdecode(gbk)).write_bytes(b"x")
    (root / os.fsdecode("测试".encode("gbk"))).mkdir()
    (root / os.fsdecode("测试".encode("gbk")) / "a.png").write_bytes(b"x")
    (place / "nowhere.png").symlink_to("gone.png")
    (place / "loop.png").symlink_to("loop.png")
    (place / "up").symlink_to(root)
    (place / "out.png").symlink_to(Path(__file__))
    os.mkfifo(place / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(place):
        listening.bind("socket.png")
    at = "" if place == root else f"{place.relative_to(root).as_posix()}/"
    told = {
        **dict.fromkeys(("Thumbs.db", "desktop.ini"), "NOT_AN_IMAGE"),
        **dict.fromkeys(("c.gif", "d.HEIC", "b.webp"), "OTHER_FORMAT"),
        **dict.fromkeys(("._a.png", ".DS_Store", ".cache/a.png"), "HIDDEN"),
        r"\xb2\xe2\xca\xd4.png": "BAD_NAME",
        "nowhere.png": "DANGLING_LINK",
        "loop.png": "LINK_LOOP",
        "up": "LINK_TO_FOLDER",
        "out.png": "OUTSIDE_FOLDER",
        "pipe.png": "NOT_A_FILE",
        "socket.png": "NOT_A_FILE",
    }
    return {**{at + name: reason for name, reason in told.items()}, r"\xb2\xe2\xca\xd4/a.png": "BAD_NAME"}


def accounted(listing: FolderListing) -> bool:
    """Whether everything that lies there is used, or named with its reason in one line of its own."""
    there = {
        encodable((Path(root) / name).relative_to(listing.folder).as_posix())
        for root, folders, names in os.walk(listing.folder)
        for name in [*names, *(one for one in folders if Path(root, one).is_symlink())]
    }
    named = sorted(item.file for item in listing.left_out if not item.is_part and item.message)
    return listing.found == len(there) and sorted(there - listing.used) == named and listing.used <= there


@pytest.mark.parametrize("write", [a_folder_of_codes, a_labelme, a_coco, a_voc])
@pytest.mark.parametrize("chosen", [True, False])
def test_odd_files_are_each_a_line_and_the_rest_is_taken(
    tmp_path: Path, write: Callable[[Path], str], *, chosen: bool
) -> None:
    """D7: no file ends or hangs an import and none goes unmentioned, whatever the format."""
    kind = write(tmp_path)
    (there,) = tmp_path.rglob("a.png")
    expected = put_odd_files(tmp_path, there.parent)
    listing = read_data(tmp_path, kind=kind if chosen else "auto")
    assert [sample.file for sample in listing.samples] == ["TPFIP/a.png"]
    assert dict(told(listing)) == expected
    assert len(listing.left_out) == len(expected)
    assert accounted(listing)


@pytest.mark.parametrize(
    "made",
    [os.mkfifo, lambda path: path.symlink_to("gone"), lambda path: path.symlink_to(path)],
    ids=["pipe", "dangling", "loop"],
)
@pytest.mark.parametrize("suffix", [".json", ".xml", ".png"])
def test_what_an_annotation_names_may_be_no_file(
    tmp_path: Path, suffix: str, made: Callable[[Path], None]
) -> None:
    """D7: the odd file may be the annotation, or the picture that one names."""
    a_labelme(tmp_path)
    made(tmp_path / f"odd{suffix}")
    (tmp_path / "b.json").write_text(json.dumps({"shapes": [], "imagePath": "odd.png"}))
    listing = read_data(tmp_path, kind="labelme")
    assert [sample.file for sample in listing.samples] == ["TPFIP/a.png"]
    assert {file for file, _ in told(listing)} == {f"odd{suffix}", "b.json"}
    assert accounted(listing)


SOURCES = {
    "labelme": ("a.json", a_labelme),
    "coco": ("instances.json", a_coco),
    "voc": ("Annotations/a.xml", a_voc),
}
VALUES: list[Any] = [
    *(None, True, -1, 10**400, 1e308, float("nan"), "", "\ud800", "\0", "../a.png"),
    *([], [[[]]], {"": 0}, [[1e300, 0]] * 3, [2**63, -(2**63)]),
]


def _replaced(
    value: Any,  # noqa: ANN401 -- JSON is anything
    place: int,
    new: object,
) -> tuple[Any, int]:
    """The JSON with what is at a place in the order of its writing replaced, and what is left of `place`."""
    if place == 0:
        return new, -1
    place -= 1
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            changed, place = _replaced(inner, place, new)
            if place < 0:
                copy: Any = {**value} if isinstance(value, dict) else [*value]
                copy[key] = changed
                return copy, -1
    return value, place


def tried(root: Path, kind: str) -> None:
    """Read; the labels of a file that is changed by chance may be no codes, which is asked about."""
    try:
        listing = read_data(root, ImportOptions(background_code="OK"), kind=kind)
    except FolderUnreadable as unreadable:
        assert "label" in str(unreadable)  # noqa: PT017 -- both ends are right
    else:
        assert accounted(listing)
        json_text([[item.file, item.message] for item in listing.left_out]).encode()
        for item in (*listing.left_out, *listing.samples):
            item.file.encode()
        for sample in listing.samples:
            with contextlib.suppress(Unusable):
                assert sample.mask is not None
                sample.mask.make()


@pytest.mark.parametrize("kind", SOURCES)
def test_an_annotation_file_cut_or_changed_anywhere_is_a_line(tmp_path: Path, kind: str) -> None:
    """D7: a broken file of a stranger is a line with its place, and the pictures beside it are imported."""
    name, write = SOURCES[kind]
    write(tmp_path)
    picture(tmp_path / "beside/b.png")
    whole = (tmp_path / name).read_bytes()
    for place in range(len(whole)):
        for data in (
            whole[:place],
            *(whole[:place] + one + whole[place + 1 :] for one in (b"\xff", b"9", b"[", b"<")),
        ):
            (tmp_path / name).write_bytes(data)
            tried(tmp_path, kind)


@pytest.mark.parametrize("kind", ["labelme", "coco"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_any_value_in_any_place_of_the_json_is_a_line(tmp_path: Path, kind: str) -> None:
    """D7: JSON says nothing about types, sizes and ranges; whatever stands there must not end the import."""
    name, write = SOURCES[kind]
    write(tmp_path)
    whole = json.loads((tmp_path / name).read_text())
    if kind == "coco":
        whole["annotations"].append(
            {
                "image_id": 1,
                "category_id": 1,
                "segmentation": {"size": [10, 20], "counts": [2**64, 10**30, 4]},
            }
        )
        whole["annotations"].append(
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [10, 20], "counts": "PPYo0"}}
        )
    else:
        mask = base64.b64encode((tmp_path / "a.png").read_bytes()).decode()
        whole["shapes"] += [
            {"label": "TPFIP", "points": BOX[::2], "shape_type": shape, "mask": mask}
            for shape in ("circle", "line", "mask")
        ]
    for new in VALUES:
        place = 1
        while True:
            changed, left = _replaced(whole, place, new)
            if left >= 0:
                break
            (tmp_path / name).write_text(json.dumps(changed))
            tried(tmp_path, kind)
            place += 1


# --- groups -------------------------------------------------------------------------------------------------


def test_groups_of_annotated_pictures_are_found_by_where_they_lie(tmp_path: Path) -> None:
    """D3: groups.csv names the pictures as they lie there, not as they are imported."""
    for line in ("line1", "line2"):
        picture(tmp_path / f"{line}/1.png")
        labelme(tmp_path / f"{line}/1.json", {"label": "A", "points": BOX})
    (tmp_path / "groups.csv").write_text("file,tile_group\nline1/1.png,p1\nline2/1.png,p2\n")
    listing = read_data(tmp_path)
    assert {sample.file: sample.group for sample in listing.samples} == {
        "A/line1__1.png": "p1",
        "A/line2__1.png": "p2",
    }
    assert listing.unmatched_group_rows == ()


@pytest.mark.parametrize(
    ("mapped", "groups"),
    [
        # Each folder's pictures get the other's name.
        ("A=B B=A", {"B/x.png": "gAx", "B/y.png": "gAy", "A/x.png": "gBx", "A/y.png": "gBy"}),
        # Those of B are left out, because those of A have taken their names.
        ("A=B", {"B/x.png": "gAx", "B/y.png": "gAy"}),
        ("A=", {"B/x.png": "gBx", "B/y.png": "gBy"}),
    ],
)
@pytest.mark.parametrize("spelling", ["{}/{}.png", "data\\{}\\{}.png", "{}/{}"])
def test_groups_follow_the_pictures_that_lie_at_the_names_in_the_table(
    tmp_path: Path, spelling: str, mapped: str, groups: dict[str, str]
) -> None:
    """D3, D5: a picture that is imported under the name of another does not get its group."""
    for place in ("A/x", "A/y", "B/x", "B/y"):
        picture(tmp_path / f"{place}.png")
    rows = [f"{spelling.format(code, stem)},g{code}{stem}" for code in "AB" for stem in "xy"]
    (tmp_path / "groups.csv").write_text("\n".join(["file,group", *rows]))
    options = ImportOptions(code_of_label=dict(pair.split("=") for pair in mapped.split()))
    listing = read_data(tmp_path, options)
    assert {sample.file: sample.group for sample in listing.samples} == groups
    assert listing.unmatched_group_rows == ()


def test_a_shortened_name_that_a_left_out_picture_has_too_is_refused(tmp_path: Path) -> None:
    """D5: which of the two the table means is not guessed."""
    picture(tmp_path / "A/x.png")
    picture(tmp_path / "B/x.png")
    (tmp_path / "groups.csv").write_text("file,group\nx.png,g\n")
    with pytest.raises(FolderUnreadable, match=r"x\.png is not there, and may be any of 2 pictures"):
        read_data(tmp_path, ImportOptions(code_of_label={"B": ""}))


def test_an_annotated_picture_does_not_get_the_group_of_one_that_lies_at_its_new_name(tmp_path: Path) -> None:
    """D3: `a.png` is imported as `T/a.png`, and another picture lies there."""
    for place, label in (("a", "T"), ("T/a", "U")):
        picture(tmp_path / f"{place}.png")
        labelme(tmp_path / f"{place}.json", {"label": label, "points": BOX})
    (tmp_path / "groups.csv").write_text("file,group\na.png,outer\nT/a.png,inner\n")
    groups = {sample.file: sample.group for sample in read_data(tmp_path).samples}
    assert groups == {"T/a.png": "outer", "U/T__a.png": "inner"}
    (tmp_path / "groups.csv").write_text("file,group\na.png,outer\nU/T__a.png,inner\n")
    assert {sample.file: sample.group for sample in read_data(tmp_path).samples} == groups


def test_groups_are_found_in_names(tmp_path: Path) -> None:
    """D3: most fabs have the panel in the file's name; an expression that finds none is a slip."""
    for name in ("P7_a.png", "P7_b.png", "P8_a.png", "other.png"):
        picture(tmp_path / "A" / name)
    listing = read_data(tmp_path, ImportOptions(group_by=re.compile(r"^(P\d+)_")))
    assert [sample.group for sample in listing.samples] == ["P7", "P7", "P8", ""]
    assert (listing.ungrouped, listing.group_column) == (1, r"^(P\d+)_")
    whole = read_data(tmp_path, ImportOptions(group_by=re.compile(r"P\d+")))
    assert [sample.group for sample in whole.samples] == ["P7", "P7", "P8", ""]
    with pytest.raises(FolderUnreadable, match=r"finds a group in none of 4 names, such as 'P7_a\.png'"):
        read_data(tmp_path, ImportOptions(group_by=re.compile("^panel")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ImportOptions(background_code="not ok"), "--background-code 'not ok' is no defect code"),
        (ImportOptions(background_code="OK"), "put such pictures into <CODE>/"),
        (ImportOptions(mask_codes=("A", "")), "--mask-codes '' is no defect code"),
        (ImportOptions(mask_codes=("A", "A")), "names a code twice"),
        (ImportOptions(mask_codes=tuple(f"C{n}" for n in range(255))), "has room for 254"),
    ],
)
def test_options_are_checked_before_anything_is_read(
    tmp_path: Path, options: ImportOptions, message: str
) -> None:
    """W3: a code given by hand is a code as any other."""
    picture(tmp_path / "A/a.png")
    with pytest.raises(FolderUnreadable, match=message):
        read_data(tmp_path, options)
