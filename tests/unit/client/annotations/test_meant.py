"""Annotations are taken as their authors meant them, or refused by name, in all formats alike (D5, D7)."""

import base64
import io
import json
import os
import tempfile
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loupe.commands.data import import_json, import_summary
from loupe.folders import FolderListing, FolderUnreadable, ImportOptions
from loupe.import_report import report_lines
from loupe.importing import ImportResult
from loupe.reading import detect, read_data
from loupe.registry.v1 import dataset_pb2
from PIL import Image
from rich.console import Console

from tests.support import written_pictures as written
from tests.unit.client.annotations.test_formats import (
    BOX,
    accounted,
    coco,
    image,
    labelme,
    mask_of,
    only,
    picture,
    told,
    voc,
)

CASES = Path(__file__).resolve().parents[5] / "shared/cases"
FORMATS = ["labelme", "coco", "voc"]
OK = ImportOptions(background_code="OK")


def annotate(root: Path, kind: str, name: str, written: str, label: str = "TPFIP") -> Path:
    """An annotation file of the format, `name` without its extension, for the picture `written`."""
    if kind == "labelme":
        labelme(root / f"{name}.json", {"label": label, "points": BOX}, imagePath=written)
        return root / f"{name}.json"
    if kind == "coco":
        rows = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 1, 4, 3]}]
        categories = [{"id": 1, "name": label}]
        coco(root / f"{name}.json", [image(file_name=written)], rows, categories=categories)
        return root / f"{name}.json"
    voc(root / f"{name}.xml", (label, (3, 2, 6, 4)), filename=written)
    return root / f"{name}.xml"


def remarks(listing: FolderListing) -> list[tuple[str, str]]:
    return [(one.file, one.reason) for one in listing.remarks]


def places(listing: FolderListing) -> list[tuple[str, str]]:
    """Where each sample's picture lies, and its code."""
    return [(sample.place, sample.code) for sample in listing.samples]


# --- what people reported -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A folder that went wrong, and what is right."""

    name: str
    samples: dict[str, str]
    """The code of each picture that is taken, by where it lies."""
    left_out: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    said: str = ""
    """In one of the messages."""
    options: ImportOptions = OK


_NOTHING = "NOTHING_LEFT"
REPORTED = [
    Case("01-labelme-absolute-windows", {"a.jpg": "TTFBS"}, remarks=("FOUND_BY_NAME",), said=r"line3\\a.jpg"),
    Case("02-labelme-dotdot-moved", {"a.jpg": "TTFBS"}, remarks=("FOUND_BY_NAME",), said=r"..\\pics\\a.jpg"),
    Case("03-labelme-absolute-embedded", {"a.jpg": "TTFBS"}),
    Case(
        "04-labelme-gbk-in-code-folders",
        {f"TTFBS/a{n}.jpg": "TPFIP" for n in range(3)},
        remarks=("ENCODING_CONCLUDED",) * 3,
        said="read as GB18030",
        options=ImportOptions(code_of_label={"划痕": "TPFIP"}),
    ),
    Case(
        "07-labelme-flags",
        {"a0.jpg": "TTFBS", "a1.jpg": "TPOTS", "a2.jpg": "OK"},
        remarks=("CODE_OF_FLAG",) * 3,
    ),
    Case(
        "10-labelme-webp",
        {"b.jpg": "TTFBS"},
        (("a.json", "OTHER_FORMAT"), ("a.webp", "OTHER_FORMAT")),
        said="WebP is not taken; save it as PNG",
    ),
    Case(
        "12-coco-duplicate-category-id",
        {},
        (("images/a.jpg", _NOTHING), ("images/b.jpg", _NOTHING), ("x.json", "CATEGORY_TWICE")),
        said="gives the id 1 the name 'TPOTS', and it has the name 'TTFBS' already",
    ),
    Case(
        "13-coco-normalised-bbox",
        {},
        (("images/a.jpg", "FRACTIONS"),) * 2 + (("images/a.jpg", _NOTHING),),
        said="look like fractions of the picture",
    ),
    Case(
        "18-coco-nfd",
        {unicodedata.normalize("NFD", "images/Größe-é.png"): "TPOTS", "images/划痕 1.png": "TPOTS"},
    ),
    Case(
        "24-voc-stale-filename",
        {},
        (
            ("Annotations/0002.xml", "STALE_NAME"),
            ("JPEGImages/0001.jpg", _NOTHING),
            ("JPEGImages/0002.jpg", _NOTHING),
        ),
        said="names JPEGImages/0001.jpg, and the file has the name of JPEGImages/0002.jpg",
    ),
]


@pytest.mark.parametrize("case", REPORTED, ids=[case.name for case in REPORTED])
def test_what_went_wrong_elsewhere_is_right_here(case: Case) -> None:
    """D5: inputs of people that comparable tools took otherwise than their authors meant them."""
    folder = CASES / case.name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    listing = read_data(folder, case.options)
    assert dict(places(listing)) == case.samples
    assert tuple(told(listing)) == case.left_out
    assert tuple(reason for _, reason in remarks(listing)) == case.remarks
    assert case.said in " ".join(one.message for one in (*listing.left_out, *listing.remarks))
    assert accounted(listing)


# --- which picture ------------------------------------------------------------------------------------------

LEADS_NOWHERE = [
    "D:\\fab\\line3\\a.png",
    "D:a.png",
    "\\\\server\\share\\line3\\a.png",
    "/home/anna/pics/a.png",
    "..\\pics\\a.png",
    "../../pics/a.png",
    "pics/a.png",
    "pics\\A.PNG",
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("written", LEADS_NOWHERE)
def test_a_path_that_leads_nowhere_means_the_picture_beside(tmp_path: Path, kind: str, written: str) -> None:
    """D5: folders are moved between computers; the name is what stays, and the report tells of it."""
    picture(tmp_path / "a.png")
    annotate(tmp_path, kind, "a", written)
    listing = read_data(tmp_path)
    assert (places(listing), told(listing)) == ([("a.png", "TPFIP")], [])
    assert remarks(listing) == [("a.png", "FOUND_BY_NAME")]
    assert repr(written) in listing.remarks[0].message


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("written", ["a.png", "D:\\fab\\pics\\a.png", "gone/a.png"])
def test_a_namesake_elsewhere_is_taken_only_if_it_alone_can_be_meant(
    tmp_path: Path, kind: str, written: str
) -> None:
    """D5: with two namesakes, or another picture where it should lie, nothing says which one it is."""
    annotate(tmp_path, kind, "labels/a", written)
    picture(tmp_path / "photos/a.png")
    listing = read_data(tmp_path, OK)
    assert (places(listing), remarks(listing)) == (
        [("photos/a.png", "TPFIP")],
        [("photos/a.png", "FOUND_BY_NAME")],
    )
    picture(tmp_path / "labels/b.png")
    listing = read_data(tmp_path, OK)
    assert "photos/a.png" not in dict(places(listing))
    assert "photos/a.png lies elsewhere and may be another one" in " ".join(
        item.message for item in listing.left_out
    )
    (tmp_path / "labels/b.png").unlink()
    picture(tmp_path / "more/a.png")
    listing = read_data(tmp_path, OK)
    assert listing.samples == ()
    assert "AMBIGUOUS_PICTURE" in dict(told(listing)).values()
    assert accounted(listing)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("written", ["D:\\fab\\line2\\a.png", "../line2/a.png", "/data/line2/a.png"])
def test_a_path_that_names_a_folder_that_is_there_means_no_other_folder(
    tmp_path: Path, kind: str, written: str
) -> None:
    """D5: numbered pictures have namesakes on every line: a.png of line 1 is not that of line 2."""
    annotate(tmp_path, kind, "line1/a", written)
    picture(tmp_path / "line1/a.png")
    picture(tmp_path / "line2/b.png")
    listing = read_data(tmp_path, OK)
    assert listing.samples == () or places(listing) == [("line2/b.png", "OK")]
    assert "line2/ is there and does not hold it" in " ".join(item.message for item in listing.left_out)
    (tmp_path / "line1/a.png").unlink()
    picture(tmp_path / "line2/a.png")
    assert ("line2/a.png", "TPFIP") in places(read_data(tmp_path))
    picture(tmp_path / "line1/a.png")
    listing = read_data(tmp_path, OK)
    if written.startswith(".."):
        assert ("line2/a.png", "TPFIP") in places(listing)
    else:
        assert [code for place, code in places(listing) if place.endswith("a.png")] == []


@pytest.mark.parametrize("kind", FORMATS)
def test_the_picture_that_another_annotation_names_exactly_is_not_taken_from_it(
    tmp_path: Path, kind: str
) -> None:
    """D5: the annotation that comes first in the alphabet took the picture of the one that lies beside it."""
    annotate(tmp_path, kind, "a-labels/7", "7.png", label="OTHER")
    annotate(tmp_path, kind, "line/7", "7.png")
    picture(tmp_path / "line/7.png")
    listing = read_data(tmp_path)
    assert places(listing) == [("line/7.png", "TPFIP")]
    assert [reason for _, reason in told(listing)] == ["TWICE"]


@pytest.mark.parametrize("kind", ["labelme", "voc"])
def test_of_two_annotations_of_one_picture_none_is_taken(tmp_path: Path, kind: str) -> None:
    """D5: a copy of a label file that was edited says something else; the first was taken."""
    picture(tmp_path / "a.png")
    annotate(tmp_path, kind, "a", "a.png")
    copy = annotate(tmp_path, kind, "copy", "a.png", label="TTFBS").name
    listing = read_data(tmp_path, OK)
    assert listing.samples == ()
    assert dict(told(listing)) == {"a.png": "NOTHING_LEFT", copy: "TWICE", copy.replace("copy", "a"): "TWICE"}
    assert accounted(listing)


def test_two_rows_of_coco_whose_paths_lead_nowhere_do_not_share_a_picture(tmp_path: Path) -> None:
    """D5: a.png of line 1 and that of line 2, of which one is here: it may be either."""
    picture(tmp_path / "a.png")
    rows = [{"image_id": n, "category_id": n, "bbox": [2, 1, 4, 3]} for n in (1, 2)]
    coco(tmp_path / "x.json", [image(1, "D:\\line1\\a.png"), image(2, "D:\\line2\\a.png")], rows)
    listing = read_data(tmp_path, OK)
    assert (listing.samples, {reason for _, reason in told(listing)}) == ((), {"TWICE", "NOTHING_LEFT"})
    coco(tmp_path / "x.json", [image(1, "D:\\line1\\a.png"), image(2, "D:\\line1\\a.png")], rows[:1])
    assert places(read_data(tmp_path)) == [("a.png", "TPFIP")]


@pytest.mark.parametrize("kind", ["labelme", "voc"])
def test_an_annotation_with_the_name_of_another_picture_is_refused(tmp_path: Path, kind: str) -> None:
    """D5: after files were renumbered, the name within is that of another picture."""
    for stem in ("0001", "0002"):
        picture(tmp_path / f"{stem}.png")
    name = annotate(tmp_path, kind, "0002", "0001.png").name
    listing = read_data(tmp_path, OK)
    assert listing.samples == ()
    assert (name, "STALE_NAME") in told(listing)
    (tmp_path / "0002.png").unlink()
    assert places(read_data(tmp_path)) == [("0001.png", "TPFIP")]


def test_the_folder_in_a_voc_file_is_believed(tmp_path: Path) -> None:
    """D5: an XML that was copied from another line names its folder."""
    for line in ("line1", "line2"):
        picture(tmp_path / f"{line}/a.png")
    voc(tmp_path / "line1/a.xml", ("TPFIP", (3, 2, 6, 4)))
    text = (tmp_path / "line1/a.xml").read_text()
    for folder, expected in (("line1", ["line1/a.png"]), ("VOC2012", ["line1/a.png"]), ("line2", [])):
        (tmp_path / "line1/a.xml").write_text(
            text.replace("<filename>", f"<folder>{folder}</folder><filename>")
        )
        assert [sample.place for sample in read_data(tmp_path).samples] == expected


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("written", ["Größe-é.png", "GRÖßE-É.PNG"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_found_composed_or_not_and_in_capitals_or_not(
    tmp_path: Path, kind: str, written: str, form: Literal["NFC", "NFD"]
) -> None:
    """D5: macOS and Windows take such names as one; the annotation comes from another system."""
    name = unicodedata.normalize(form, "Größe-é.png")
    picture(tmp_path / name)
    other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", written)
    annotate(tmp_path, kind, "a", other)
    listing = read_data(tmp_path)
    assert (places(listing), told(listing)) == ([(name, "TPFIP")], [])
    assert remarks(listing) == ([] if written[1] == "r" else [(name, "OTHER_CAPITALS")])
    if written[1] != "r":
        picture(tmp_path / unicodedata.normalize(form, "GRÖßE-é.png"))
        assert "AMBIGUOUS_PICTURE" in dict(told(read_data(tmp_path, OK))).values()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("written", ["a.webp", "D:\\fab\\a.WEBP", "gone/a.webp"])
def test_a_picture_of_another_format_is_called_so(tmp_path: Path, kind: str, written: str) -> None:
    """D7: "not in the folder" sends people to look for a file that lies there."""
    (tmp_path / "a.webp").write_bytes(b"x")
    picture(tmp_path / "b.png")
    annotate(tmp_path, kind, "a", written)
    listing = read_data(tmp_path)
    assert "WebP is not taken; save it as PNG" in " ".join(item.message for item in listing.left_out)
    assert accounted(listing)


@pytest.mark.parametrize("written", ["D:\\fab\\a.png", "../../a.png", "gone.webp", "a.json", ""])
def test_the_picture_within_is_taken_where_the_path_leads_nowhere(tmp_path: Path, written: str) -> None:
    """D5: the embedded picture is the annotated one, and no namesake elsewhere is."""
    data = picture(tmp_path / "elsewhere/a.png").read_bytes()
    picture(tmp_path / "elsewhere/a.png", 22)
    shape = {"label": "TPFIP", "points": BOX}
    encoded = base64.b64encode(data).decode()
    labelme(tmp_path / "labels/a.json", shape, imagePath=written, imageData=encoded)
    listing = read_data(tmp_path)
    (sample,) = listing.samples
    assert (sample.place, sample.image.make()) == ("labels/a.png", data)
    assert accounted(listing)


@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_that_a_refused_annotation_may_mean_are_no_background(tmp_path: Path, kind: str) -> None:
    """D5: a picture with a defect would be one without."""
    picture(tmp_path / "x/7.png")
    picture(tmp_path / "y/7.png")
    annotate(tmp_path, kind, "labels/a", "7.png")
    listing = read_data(tmp_path, OK)
    assert listing.samples == ()


def test_remarks_stand_in_the_report(tmp_path: Path) -> None:
    """D5: what was concluded can be wrong, and whoever imports must see it, as people and as scripts do."""
    picture(tmp_path / "a.png")
    annotate(tmp_path, "labelme", "a", "D:\\fab\\a.png")
    listing = read_data(tmp_path)
    result = ImportResult(dataset_pb2.DataPath(name="datasets/d/paths/p"), (), 0, 0)
    result = replace(result, lines=tuple(report_lines(listing, result)))
    (remark,) = import_json(listing, result)["remarks"]
    assert (remark["file"], remark["reason"]) == ("a.png", "FOUND_BY_NAME")
    shown = io.StringIO()
    Console(width=200, file=shown).print(import_summary(listing, result))
    assert "taken; look whether it is right: 1 FOUND_BY_NAME" in shown.getvalue()


# --- encodings ----------------------------------------------------------------------------------------------

ENCODINGS = [
    ("utf-8", False),
    ("utf-8-sig", False),
    ("utf-16", False),
    ("utf-16-be", False),
    ("utf-32", False),
    ("gbk", True),
    ("gb18030", True),
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("encoding", "is_concluded"), ENCODINGS)
def test_annotations_are_read_in_the_encodings_that_tools_write(
    tmp_path: Path, kind: str, encoding: str, *, is_concluded: bool
) -> None:
    """D5: labels of a Chinese Windows; the polygons were lost where the folders looked like codes."""
    picture(tmp_path / "TTFBS/气泡.png")
    file = annotate(tmp_path, kind, "TTFBS/气泡", "气泡.png", label="划痕")
    text = file.read_text(encoding="utf-8")
    if kind != "voc":
        text = json.dumps(json.loads(text), ensure_ascii=False)
    file.write_bytes(text.encode(encoding))
    listing = read_data(tmp_path, ImportOptions(code_of_label={"划痕": "TPFIP"}))
    assert (listing.format, places(listing), told(listing)) == (kind, [("TTFBS/气泡.png", "TPFIP")], [])
    name = file.relative_to(tmp_path).as_posix()
    assert remarks(listing) == ([(name, "ENCODING_CONCLUDED")] if is_concluded else [])


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("gb2312", "gbk"), ("GBK", "gbk"), ("big5", "big5"), ("utf-8", "gbk"), ("UTF-16", "utf-16")],
)
def test_xml_is_read_in_the_encoding_that_it_declares(tmp_path: Path, declared: str, encoding: str) -> None:
    """D5: a declaration of several bytes a character was refused, and a wrong one of UTF-8 too."""
    picture(tmp_path / "a.png")
    voc(tmp_path / "a.xml", ("氣泡", (3, 2, 6, 4)))
    text = f'<?xml version="1.0" encoding="{declared}"?>\n' + (tmp_path / "a.xml").read_text(encoding="utf-8")
    (tmp_path / "a.xml").write_bytes(text.encode(encoding))
    listing = read_data(tmp_path, ImportOptions(code_of_label={"氣泡": "TPFIP"}))
    assert (places(listing), told(listing)) == ([("a.png", "TPFIP")], [])
    (tmp_path / "a.xml").write_bytes(text.encode(encoding)[:-9] + b"\x80\xff\xff</annotation>")
    with pytest.raises(FolderUnreadable, match=r"a\.xml"):
        read_data(tmp_path)


def test_damaged_utf8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    """D5: one lost byte must not turn all labels into others."""
    picture(tmp_path / "a.png")
    labelme(tmp_path / "a.json", {"label": "划痕气泡", "points": BOX})
    text = json.dumps(json.loads((tmp_path / "a.json").read_text()), ensure_ascii=False)
    (tmp_path / "a.json").write_bytes(text.encode().replace("痕".encode(), "痕".encode()[:2]))
    with pytest.raises(FolderUnreadable, match=r"a\.json is not UTF-8 \(byte \d+\) and not GB18030"):
        read_data(tmp_path)


# --- which format -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("TPFIP/a.json", b'{"shapes": [], "imagePath": "\xff\xff"}'),
        ("TPFIP/a.json", b'{"shapes": ['),
        ("TPFIP/a.xml", b"<annotation>"),
        ("export.json", b'{"annotations": {}, "info": 1}'),
        ("export.json", b'[{"id": 1, "annotations": []}]'),
        ("export.json", b'{"a.png123": {"filename": "a.png", "regions": []}}'),
        ("annotations.xml", b"<annotations><image/></annotations>"),
    ],
)
def test_a_folder_with_annotations_that_cannot_be_read_is_not_taken_as_folders(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """D5: what people drew was lost without a word, because the folders looked like codes."""
    picture(tmp_path / "TPFIP/a.png")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FolderUnreadable, match=rf"^{name}.*--format folders$"):
        detect(tmp_path)
    assert read_data(tmp_path, kind="folders").images_per_code == {"TPFIP": 1}


@pytest.mark.parametrize("content", [b"5", b'"text"', b"[]", b"{}", b"null", b'{"exposure_ms": {"red": 4}}'])
def test_other_json_beside_folders_of_codes_changes_nothing(tmp_path: Path, content: bytes) -> None:
    """D1: settings of the camera are no annotations."""
    picture(tmp_path / "TPFIP/a.png")
    (tmp_path / "settings.json").write_bytes(content)
    assert detect(tmp_path) == "folders"


def test_a_format_is_found_behind_many_other_files(tmp_path: Path) -> None:
    """D5: only the first twenty files were opened."""
    picture(tmp_path / "TPFIP/a.png")
    for index in range(30):
        (tmp_path / f"{index}.json").write_text("{}")
        (tmp_path / f"{index}.xml").write_text("<settings/>")
    assert detect(tmp_path) == "folders"
    labelme(tmp_path / "TPFIP/a.json", {"label": "TPFIP", "points": BOX})
    assert detect(tmp_path) == "labelme"
    (tmp_path / "0.xml").write_text("<annotation>")
    with pytest.raises(FolderUnreadable, match=r"^0\.xml line 1.*--format labelme$"):
        detect(tmp_path)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_folder_of_a_code_is_no_background_and_contradictions_are_told(tmp_path: Path, kind: str) -> None:
    """D5: a picture in the folder of a defect is not one without defects."""
    for name in ("TTFBS/a", "TTFBS/b", "TPFIP/c", "OK/d"):
        picture(tmp_path / f"{name}.png")
    annotate(tmp_path, kind, "TTFBS/a", "a.png", label="TPFIP")
    annotate(tmp_path, kind, "TPFIP/c", "c.png", label="TTFBS")
    listing = read_data(tmp_path, OK)
    assert sorted(places(listing)) == [("OK/d.png", "OK"), ("TPFIP/c.png", "TTFBS"), ("TTFBS/a.png", "TPFIP")]
    assert told(listing) == [("TTFBS/b.png", "NO_ANNOTATION")]
    assert {reason for _, reason in remarks(listing)} == {"FOLDER_OF_OTHER_CODE"}


# --- labels without a region --------------------------------------------------------------------------------


def whole(root: Path, kind: str, *labels: str, boxed: str = "") -> None:
    """A picture that has labels as a whole, and perhaps a region."""
    picture(root / "a.png")
    if kind == "labelme":
        shapes = [{"label": boxed, "points": BOX}] if boxed else []
        flags = {**dict.fromkeys(("TPFIP", "TTFBS"), False), **dict.fromkeys(labels, True)}
        labelme(root / "a.json", *shapes, flags=flags)
    elif kind == "coco":
        ids = {"TPFIP": 1, "TTFBS": 2}
        rows: list[dict[str, Any]] = [{"image_id": 1, "category_id": ids[label]} for label in labels]
        rows += [{"image_id": 1, "category_id": ids[boxed], "bbox": [2, 1, 4, 3]}] if boxed else []
        coco(root / "x.json", [image()], rows)
    else:
        voc(root / "a.xml", *([(boxed, (3, 2, 6, 4))] if boxed else []))
        text = (root / "a.xml").read_text()
        objects = "".join(f"<object><name>{one}</name><difficult>0</difficult></object>" for one in labels)
        (root / "a.xml").write_text(text.replace("</annotation>", f"{objects}</annotation>"))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_label_of_the_whole_picture_is_its_code(tmp_path: Path, kind: str) -> None:
    """D5: it was the code of pictures without a defect. No region is no mask, which is not an empty mask."""
    whole(tmp_path, kind, "TTFBS")
    listing = read_data(tmp_path, OK)
    (sample,) = listing.samples
    assert (sample.file, sample.mask, told(listing)) == ("TTFBS/a.png", None, [])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("labels", "boxed"), [(("TPFIP", "TTFBS"), ""), (("TTFBS",), "TPFIP")])
def test_labels_that_contradict_each_other_are_refused(
    tmp_path: Path, kind: str, labels: tuple[str, ...], boxed: str
) -> None:
    """D5: a sample has one code, and nothing says which one is meant."""
    whole(tmp_path, kind, *labels, boxed=boxed)
    codes = {"TPFIP": "TPFIP", "TTFBS": "TTFBS"}
    listing = read_data(tmp_path, ImportOptions(background_code="OK", code_of_label=codes))
    assert (listing.samples, told(listing)) == ((), [("a.png", "SEVERAL_CODES")])
    listing = read_data(tmp_path, ImportOptions(code_of_label={"TPFIP": "TPFIP", "TTFBS": ""}))
    assert [sample.code for sample in listing.samples] == ["TPFIP"]


def test_flags_beside_regions_may_be_notes(tmp_path: Path) -> None:
    """D5: "verified" is no defect, and nobody but its author knows."""
    picture(tmp_path / "a.png")
    labelme(tmp_path / "a.json", {"label": "TPFIP", "points": BOX}, flags={"verified": True})
    assert only(read_data(tmp_path)).code == "TPFIP"
    picture(tmp_path / "b.png")
    labelme(tmp_path / "b.json", flags={"verified": True})
    asked = r"'verified' \(1 times, perhaps a note\): --map \"verified=verified\""
    with pytest.raises(FolderUnreadable, match=asked):
        read_data(tmp_path, OK)
    leave_out = ImportOptions(background_code="OK", code_of_label={"verified": ""})
    assert dict(places(read_data(tmp_path, leave_out))) == {"a.png": "TPFIP", "b.png": "OK"}
    as_code = ImportOptions(code_of_label={"verified": "TTFBS"})
    assert dict(places(read_data(tmp_path, as_code)))["b.png"] == "TTFBS"


@pytest.mark.parametrize("flags", [{"TPFIP": "yes"}, {"TPFIP": 1}, ["TPFIP"]])
def test_flags_that_are_neither_set_nor_unset_are_refused(tmp_path: Path, flags: object) -> None:
    """D5: a picture with a defect would be one without."""
    picture(tmp_path / "a.png")
    labelme(tmp_path / "a.json", flags=flags)
    assert read_data(tmp_path, OK).samples == ()


# --- regions ------------------------------------------------------------------------------------------------


def region(root: Path, kind: str, sides: tuple[float, float, float, float]) -> None:
    """A picture with a box, in each format's own way of counting."""
    left, top, right, bottom = sides
    picture(root / "a.png")
    if kind == "labelme":
        points = [[left, top], [right, top], [right, bottom], [left, bottom]]
        labelme(root / "a.json", {"label": "TPFIP", "points": points})
    elif kind == "coco":
        rows = [{"image_id": 1, "category_id": 1, "bbox": [left, top, right - left, bottom - top]}]
        coco(root / "x.json", [image()], rows)
    else:
        voc(root / "a.xml", ("TPFIP", (left, top, right, bottom)))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("sides", [(0.1, 0.2, 0.5, 0.75), (0, 0, 1, 1)])
def test_fractions_of_the_picture_are_no_pixels(
    tmp_path: Path, kind: str, sides: tuple[float, float, float, float]
) -> None:
    """D5: the mask was one pixel in the corner."""
    region(tmp_path, kind, sides)
    listing = read_data(tmp_path, OK)
    assert (listing.samples, told(listing)) == ((), [("a.png", "FRACTIONS"), ("a.png", "NOTHING_LEFT")])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("sides", [(2, 1, 22, 4), (-3, 1, 4, 4), (2, 1, 4, 12), (30, 1, 34, 4)])
def test_coordinates_beyond_the_picture_are_refused(
    tmp_path: Path, kind: str, sides: tuple[float, float, float, float]
) -> None:
    """D5: they say that the annotation is for another picture, or for another size of this one."""
    region(tmp_path, kind, sides)
    listing = read_data(tmp_path, OK)
    assert (listing.samples, told(listing)) == ((), [("a.png", "OUTSIDE_PICTURE")])
    region(tmp_path, kind, (2, 1, 20, 10))
    assert told(read_data(tmp_path)) == []


def in_base64(image: Image.Image, **options: object) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return base64.b64encode(file.getvalue()).decode()


def test_a_mask_of_labelme_must_be_as_large_as_its_corners_say(tmp_path: Path) -> None:
    """D5: a mask whose corners were scaled would lie elsewhere."""
    small = in_base64(Image.new("L", (5, 3), 255))
    for corners, is_taken in (
        ([[2, 1], [6, 3]], True),
        ([[2, 1], [7, 4]], True),
        ([[4, 2], [12, 6]], False),
        ([[0.1, 0.1], [0.5, 0.9]], False),
    ):
        picture(tmp_path / "a.png")
        labelme(tmp_path / "a.json", {"label": "A", "shape_type": "mask", "points": corners, "mask": small})
        assert bool(read_data(tmp_path).samples) is is_taken


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_of_which_a_part_cannot_be_taken_is_refused(tmp_path: Path, kind: str) -> None:
    """D5: the code of the rest, and a mask that lacks a defect, are not what was meant."""
    picture(tmp_path / "a.png")
    if kind == "labelme":
        shapes = [{"label": "TPFIP", "points": BOX}, {"label": "TTFBS", "points": BOX[:2]}]
        labelme(tmp_path / "a.json", *shapes)
    elif kind == "coco":
        rows = [{"image_id": 1, "category_id": n, "bbox": [2, 1, 6 * (2 - n), 3]} for n in (1, 2)]
        coco(tmp_path / "x.json", [image()], rows)
    else:
        voc(tmp_path / "a.xml", ("TPFIP", (3, 2, 6, 4)), ("TTFBS", (9, 2, 6, 4)))
    listing = read_data(tmp_path, OK)
    assert listing.samples == ()
    assert [reason for _, reason in told(listing)][-1] != "OTHER_CODES"
    assert "INCOMPLETE" in dict(told(listing)).values() or ("a.png", "INCOMPLETE") in told(listing)
    listing = read_data(tmp_path, ImportOptions(code_of_label={"TTFBS": ""}))
    assert [sample.code for sample in listing.samples] == ["TPFIP"]


@pytest.mark.parametrize("fault", ["mask", "classes", "twin"])
def test_boxes_do_not_stand_in_for_a_segmentation_that_cannot_be_taken(tmp_path: Path, fault: str) -> None:
    """D5: a box says more pixels than were drawn, and without one the picture became a background."""
    picture(tmp_path / "JPEGImages/a.png")
    picture(tmp_path / "JPEGImages/b.png")
    voc(tmp_path / "Annotations/a.xml", ("TPFIP", (3, 2, 6, 4)))
    for name in "ab":
        picture(tmp_path / f"SegmentationClass/{name}.png")
    classes = b"background\nTPFIP\n"
    (tmp_path / "labelmap.txt").write_bytes(b"\xff\xff" if fault == "classes" else classes)
    if fault == "twin":
        picture(tmp_path / "more/a.png")
        picture(tmp_path / "more/b.png")
    listing = read_data(tmp_path, OK, kind="voc")
    assert listing.samples == ()
    assert accounted(listing)


def test_class_files_are_read_in_gbk(tmp_path: Path) -> None:
    """D5: a label map of a Chinese Windows lost its masks."""
    picture(tmp_path / "JPEGImages/a.png")
    mask = np.zeros((10, 20), np.uint8)
    mask[:2, :3] = 1
    (tmp_path / "SegmentationClass").mkdir()
    Image.fromarray(mask, "L").save(tmp_path / "SegmentationClass/a.png")
    (tmp_path / "labelmap.txt").write_bytes("背景\n划痕\n".encode("gbk"))
    codes = {"划痕": "TPFIP"}
    sample = only(read_data(tmp_path, ImportOptions(code_of_label=codes)))
    assert (sample.code, np.count_nonzero(mask_of(sample))) == ("TPFIP", 6)


@pytest.mark.parametrize("kind", FORMATS)
def test_one_place_with_two_labels_is_refused(tmp_path: Path, kind: str) -> None:
    """D2, D5: which is right, nothing says; the first in the alphabet was taken."""
    picture(tmp_path / "a.png")
    if kind == "labelme":
        labelme(tmp_path / "a.json", *({"label": label, "points": BOX} for label in ("TPFIP", "TTFBS")))
    elif kind == "coco":
        rows = [{"image_id": 1, "category_id": n, "bbox": [2, 1, 4, 3]} for n in (1, 2)]
        coco(tmp_path / "x.json", [image()], rows)
    else:
        voc(tmp_path / "a.xml", ("TPFIP", (3, 2, 6, 4)), ("TTFBS", (3, 2, 6, 4)))
    listing = read_data(tmp_path, OK)
    assert (listing.samples, told(listing)) == ((), [("a.png", "CONTRADICTORY")])
    listing = read_data(tmp_path, ImportOptions(code_of_label={"TTFBS": "TPFIP"}))
    assert np.count_nonzero(mask_of(only(listing))) == 12


def test_annotations_that_are_there_twice_count_once(tmp_path: Path) -> None:
    """D5: the same box of the same category in two rows is one region."""
    picture(tmp_path / "a.png")
    rows = [{"id": n, "image_id": 1, "category_id": 1, "bbox": [2, 1, 4, 3]} for n in (1, 2)]
    coco(tmp_path / "x.json", [image()], rows)
    assert np.count_nonzero(mask_of(only(read_data(tmp_path)))) == 12


# --- COCO's numbers -----------------------------------------------------------------------------------------


def test_a_coco_file_that_gives_an_id_to_two_things_says_which(tmp_path: Path) -> None:
    """D5: the later category and the earlier picture won."""
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / name)
    rows = [{"image_id": 1, "category_id": 1, "bbox": [2, 1, 4, 3]}]
    coco(tmp_path / "x.json", [image(1, "a.png"), image(1, "b.png")], rows)
    listing = read_data(tmp_path, OK)
    assert listing.samples == ()
    twice = [item.message for item in listing.left_out if item.reason == "TWICE"]
    assert len(twice) == 2
    assert all("that of 'a.png' and 'b.png'; ids must differ (1 annotation" in message for message in twice)
    coco(tmp_path / "x.json", [image(1, "a.png"), image(1, "a.png")], rows)
    assert places(read_data(tmp_path)) == [("a.png", "TPFIP")]
    same = [{"id": 1, "name": "TPFIP"}, {"id": 1, "name": " TPFIP "}, {"id": 2, "name": "TPFIP"}]
    coco(tmp_path / "x.json", [image()], rows, categories=same)
    assert places(read_data(tmp_path)) == [("a.png", "TPFIP")]
    coco(tmp_path / "x.json", [image()], rows, categories=[*same, {"id": 2, "name": "TTFBS"}])
    listing = read_data(tmp_path, OK)
    assert listing.samples == ()
    assert "the id 2 the name 'TTFBS', and it has the name 'TPFIP' already" in listing.left_out[-1].message


# --- whatever trees there are -------------------------------------------------------------------------------

_FOLDERS = ["", "line1", "line2", "images", "labels", "deep/line1"]
_NAMES = ["a.png", "A.png", "b.png", "Größe.png", unicodedata.normalize("NFD", "Größe.png"), "划痕 1.png"]
_FORMS: dict[str, Callable[[str, str], str]] = {
    "bare": lambda _, name: name,
    "below": lambda folder, name: f"{folder}/{name}" if folder else name,
    "up": lambda folder, name: f"../{folder}/{name}",
    "windows": lambda folder, name: "D:\\fab\\" + folder.replace("/", "\\") + "\\" + name,
    "posix": lambda folder, name: f"/data/{folder}/{name}",
    "capitals": lambda _, name: name.upper(),
    "other composition": lambda _, name: unicodedata.normalize(
        "NFC" if unicodedata.normalize("NFD", name) == name else "NFD", name
    ),
    "stem": lambda _, name: name.rpartition(".")[0],
}
_ANNOTATIONS = st.tuples(
    st.sampled_from(_FOLDERS),
    st.sampled_from(["a", "b", "c", "Größe", "划痕 1"]),
    st.sampled_from(sorted(_FORMS)),
    st.sampled_from(_FOLDERS),
    st.sampled_from(_NAMES),
    st.sampled_from([encoding for encoding, _ in ENCODINGS if encoding != "gbk"]),
)


def same(one: str, other: str) -> bool:
    """Whether Windows and macOS take names as one."""
    return unicodedata.normalize("NFC", one).lower() == unicodedata.normalize("NFC", other).lower()


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(FORMATS),
    pictures=st.sets(st.tuples(st.sampled_from(_FOLDERS), st.sampled_from(_NAMES)), max_size=6),
    annotations=st.lists(_ANNOTATIONS, max_size=5, unique_by=lambda one: (one[0], one[1])),
)
def test_no_annotation_is_on_a_picture_that_it_does_not_name(
    kind: str, pictures: set[tuple[str, str]], annotations: list[tuple[str, str, str, str, str, str]]
) -> None:
    """D5, D7: whatever trees, names, paths and encodings: all is taken or told, and nothing is guessed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for place, name in pictures:
            picture(root / place / name)
        written: dict[str, tuple[str, str]] = {}
        for index, (place, stem, form, named, name, encoding) in enumerate(annotations):
            text = _FORMS[form](named, name)
            file = annotate(root, kind, f"{place}/{stem}" if place else stem, text, label=f"L{index}")
            data = file.read_text(encoding="utf-8")
            data = data if kind == "voc" else json.dumps(json.loads(data), ensure_ascii=False)
            file.write_bytes(data.encode(encoding))
            written[f"L{index}"] = (place, text)
        tree = {path.relative_to(root).as_posix(): path.is_dir() for path in root.rglob("*")}
        listing = read_data(root, OK, kind=kind)
        assert accounted(listing)
        for sample in listing.samples:
            if sample.code != "OK":
                assert_meant(sample.place, *written[sample.code], tree)


def assert_meant(taken: str, place: str, written: str, tree: dict[str, bool]) -> None:
    """`taken` has the name that is written, and nothing in the tree says that another may be meant.

    `place` is the folder of the annotation; `tree` says of each path whether it is a folder.
    """
    path, found = PureWindowsPath(written), PurePosixPath(taken)
    assert same(path.name, found.name) or same(path.name, found.stem)
    if not path.drive and not path.root:
        literal = PurePosixPath(os.path.normpath(f"{place}/{path.as_posix()}" if place else path.as_posix()))
        if literal.as_posix() in tree:
            assert found == literal
        elif len(path.parts) > 1 and literal.parts[0] != ".." and tree.get(literal.parent.as_posix()):
            assert found.parent == literal.parent
    namesakes = [one for one in tree if one != taken and same(PurePosixPath(one).name, path.name)]
    if namesakes:
        beside = found.parent == PurePosixPath(place)
        assert beside or same(found.parent.name, path.parent.name) or found.parent.name in ("", "images")


# --- masks within annotations -------------------------------------------------------------------------------

MARKED = np.zeros((4, 6), np.uint8)
MARKED[1:3, 2:5] = 1
GREY = Image.fromarray(MARKED * 255)
WHITE = Image.new("L", GREY.size, 255)
TURNED = Image.Exif()
TURNED[0x0112] = 3


def indexed(*colours: int) -> Image.Image:
    drawn = Image.fromarray(MARKED, "P")
    drawn.putpalette(list(colours))
    return drawn


CLEAR = {
    "0 and 255": GREY,
    "0 and 1, as LabelMe writes": Image.fromarray(MARKED),
    "1 bit": GREY.convert("1"),
    "16 bits": Image.fromarray(MARKED.astype(np.uint16) * 65535),
    "palette": indexed(0, 0, 0, 255, 255, 255),
    "RGB": GREY.convert("RGB"),
    "opaque alpha": Image.merge("LA", [GREY, WHITE]),
}
UNCLEAR: dict[str, tuple[Image.Image, dict[str, Any], str]] = {
    "white with alpha": (Image.merge("LA", [WHITE, GREY]), {}, "transparent in part"),
    "transparent black": (GREY, {"transparency": 0}, "transparent in part"),
    "two greys": (Image.fromarray(MARKED * 127 + 3), {}, "more than black and white"),
    "0 and 130": (Image.fromarray(MARKED * 130), {}, "more than black and white"),
    "0 and 200 of 65535": (Image.fromarray(MARKED.astype(np.uint16) * 200), {}, "more than black and white"),
    "inverted palette": (indexed(255, 255, 255, 0, 0, 0), {}, "something else than its values say"),
    "black palette": (indexed(0, 0, 0, 0, 0, 0), {}, "something else than its values say"),
    "red palette": (indexed(0, 0, 0, 255, 0, 0), {}, "more than black and white"),
    "turned": (GREY, {"exif": TURNED}, "turned by its orientation tag"),
    "two frames": (GREY, {"save_all": True, "append_images": [GREY.rotate(180)]}, "2 pages or frames"),
    "nothing": (Image.new("L", GREY.size), {}, "marks nothing"),
}


def with_mask(root: Path, image: Image.Image, **options: object) -> FolderListing:
    """A picture of which LabelMe has this mask, at (3, 2)."""
    picture(root / "a.png")
    corners = [[3, 2], [8, 5]]
    mask = in_base64(image, **options)
    labelme(root / "a.json", {"label": "A", "shape_type": "mask", "points": corners, "mask": mask})
    return read_data(root, OK)


@pytest.mark.parametrize("name", CLEAR)
def test_a_clear_mask_of_labelme_marks_what_it_shows(tmp_path: Path, name: str) -> None:
    expected = np.zeros((10, 20), np.uint8)
    expected[2:6, 3:9] = MARKED * 255
    assert np.array_equal(mask_of(only(with_mask(tmp_path, CLEAR[name]))), expected)


@pytest.mark.parametrize("name", UNCLEAR)
def test_an_unclear_mask_of_labelme_is_refused_with_the_fact(tmp_path: Path, name: str) -> None:
    """D5: white with alpha marked everything, an inverted palette the background, a black one nothing."""
    drawn, options, fact = UNCLEAR[name]
    listing = with_mask(tmp_path, drawn, **options)
    assert not listing.samples
    (line,) = listing.left_out
    assert (line.file, line.reason) == ("a.png", "NO_SHAPE" if fact == "marks nothing" else "BAD_MASK")
    assert fact in line.message
    assert line.message_zh.isprintable()
    assert "a.json: shapes[0].mask" in line.message_zh


def test_an_annotation_that_marks_nothing_is_no_defect_and_no_background(tmp_path: Path) -> None:
    """D5: run lengths of background only, and a mask that ends where the picture begins."""
    picture(tmp_path / "a.png")
    row = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": [10, 20], "counts": [200]}}
    coco(tmp_path / "x.json", [image()], [row])
    listing = read_data(tmp_path, OK)
    assert told(listing) == [("a.png", "NOTHING_LEFT"), ("a.png", "NO_SHAPE")]
    assert "marks nothing" in listing.left_out[1].message
    (tmp_path / "x.json").unlink()
    beside = {"points": [[-1, 2], [-1, 5]], "mask": in_base64(Image.new("L", (1, 4), 255))}
    labelme(tmp_path / "a.json", {"label": "A", "shape_type": "mask", **beside})
    assert told(read_data(tmp_path, OK)) == [("a.png", "OUTSIDE_PICTURE")]


def segmented(root: Path, image: Image.Image | bytes, **options: object) -> FolderListing:
    """A picture of Pascal VOC with this segmentation, whose values 1 and above are called C1 and so on."""
    picture(root / "JPEGImages/a.png")
    voc(root / "Annotations/a.xml")
    file = root / "SegmentationClass/a.png"
    file.parent.mkdir(exist_ok=True)
    if isinstance(image, bytes):
        file.write_bytes(image)
    else:
        image.save(file, **options)
    names = "".join(f"C{value}:0,0,0::\n" for value in range(1, 200))
    (root / "labelmap.txt").write_text(f"background:0,0,0::\n{names}")
    return read_data(root, OK)


VALUES_2 = np.zeros((10, 20), np.uint8)
VALUES_2[2:5, 3:9] = 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("is_palette", [False, True])
def test_the_values_of_a_segmentation_are_those_that_were_written(
    tmp_path: Path,
    bits: int,
    is_palette: bool,  # noqa: FBT001 -- pytest gives it
) -> None:
    """D5: Pillow spreads grey of 2 and 4 bits over 0 to 255, so 1 was 85 or 17, and another code."""
    colour_type, chunks = (3, {"PLTE": bytes(6)}) if is_palette else (0, {})
    data = written.png(VALUES_2[..., None], bits, colour_type, chunks)
    listing = segmented(tmp_path, data)
    if is_palette or bits == 8:
        sample = only(listing)
        assert sample.code == "C1"
        assert np.array_equal(mask_of(sample) > 0, VALUES_2 > 0)
    else:
        assert not listing.samples
        assert listing.left_out[-1].reason == "BAD_MASK"
        assert "8-bit grey" in listing.left_out[-1].message


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"exif": TURNED}, "turned by its orientation tag"),
        ({"save_all": True, "append_images": [Image.new("L", (20, 10), 3)]}, "2 pages or frames"),
    ],
)
def test_a_segmentation_is_judged_as_mask_files_are(
    tmp_path: Path, options: dict[str, Any], fact: str
) -> None:
    listing = segmented(tmp_path, Image.fromarray(VALUES_2), **options)
    assert not listing.samples
    assert fact in next(line.message for line in listing.left_out if line.reason == "BAD_MASK")


def test_boxes_whose_segmentation_marks_nothing_are_contradicted(tmp_path: Path) -> None:
    """D5: the picture was one without a defect."""
    segmented(tmp_path, Image.new("L", (20, 10)))
    voc(tmp_path / "Annotations/a.xml", ("C1", (3, 2, 6, 4)))
    listing = read_data(tmp_path, OK)
    assert not listing.samples
    assert "NO_SHAPE" in [line.reason for line in listing.left_out]


@pytest.mark.parametrize("tag", ["polygon", "robndbox", "segm"])
@pytest.mark.parametrize("has_box", [False, True])
def test_what_pascal_voc_draws_beside_a_box_is_not_dropped(
    tmp_path: Path,
    tag: str,
    has_box: bool,  # noqa: FBT001 -- pytest gives it
) -> None:
    """D5: the box was taken, and the polygon forgotten."""
    picture(tmp_path / "a.png")
    voc(tmp_path / "a.xml", ("A", (3, 2, 6, 4)))
    text = (tmp_path / "a.xml").read_text()
    box = text[text.index("<bndbox>") : text.index("</bndbox>") + len("</bndbox>")]
    drawn = f"<{tag}><x1>3</x1><y1>2</y1></{tag}>"
    (tmp_path / "a.xml").write_text(text.replace(box, drawn + box * has_box))
    listing = read_data(tmp_path, OK)
    assert not listing.samples
    line = next(line for line in listing.left_out if line.reason == "NO_SHAPE")
    assert f"<{tag}>" in line.message
    assert f"<{tag}>" in line.message_zh
    (tmp_path / "a.xml").write_text(text.replace(box, f"<{tag}/>{box}"))
    assert read_data(tmp_path, OK).samples
