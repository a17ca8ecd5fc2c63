"""Folders as an importer reads them, of every format that is read, with one file mutated (D1, D7).

An input is a line of JSON, which says which file of which folder it is, and the file's bytes.
"""

import base64
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Self

from loupe.annotations import SUFFIX_OF_FORMAT
from loupe.folders import FolderListing, FolderUnreadable, GeneratedBytes, ImportOptions
from loupe.reading import read_data
from loupe.text import visible
from loupe.unusable import Unusable
from PIL import Image, ImageDraw

from tests.fuzz.images import corpus
from tests.fuzz.mutation import changed, changed_json
from tests.fuzz.target import Broken, Target, check_told

_WIDTH, _HEIGHT = 20, 10
_PICTURES = "picture-"
_UNFORESEEN = re.compile(
    r"\(((?:Type|Value|Key|Index|Attribute|Unbound\w*|Zero\w*|Overflow|Recursion|Assertion|Lookup|Memory|_ArrayMemory|\w*Runtime)"
    r"Error|error|StopIteration)\b"
)
"""A bug that the last catch of a reader told as the file's fault."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is read, and which of its files are mutated."""

    files: Mapping[str, bytes]
    mutated: tuple[str, ...]
    options: ImportOptions = field(default_factory=ImportOptions)
    kind: str = "auto"


class Annotations(Target):
    """What the importer makes of folders of which one file is mutated."""

    cpu_s = 10.0
    memory_mib = 512

    def __init__(self) -> None:
        self._folders = folders()
        choices = [(name, file) for name, folder in self._folders.items() for file in folder.mutated]
        # Of pictures only the header is read here.
        self._pictures = [one for one in choices if one[0].startswith(_PICTURES)]
        self._choices = [one for one in choices if one not in self._pictures]
        self._root = Path()

    def __enter__(self) -> Self:
        """Write the folders, into memory where there is a file system in memory."""
        shm = Path("/dev/shm")  # noqa: S108 -- a folder of a name of its own
        self._root = Path(tempfile.mkdtemp(prefix="loupe-fuzz-", dir=shm if shm.is_dir() else None))
        for name, folder in self._folders.items():
            for file, data in folder.files.items():
                path = self._root / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folders."""
        shutil.rmtree(self._root)

    def make(self, random: Random) -> bytes:
        """A file of one of the folders, changed."""
        name, file = random.choice(self._choices if random.randrange(8) else self._pictures)
        data = self._folders[name].files[file]
        if file.endswith(".json") and random.randrange(5):
            made = changed_json(random, json.loads(data))
        else:
            made = changed(random, data)
        return json.dumps({"folder": name, "file": file}).encode() + b"\n" + made

    def run(self, data: bytes) -> str:
        """Read the folder, draw all masks, and make all pictures."""
        line, _, content = data.partition(b"\n")
        place = json.loads(line)
        folder = self._folders[place["folder"]]
        path = self._root / place["folder"] / place["file"]
        path.write_bytes(content)
        try:
            return self._read(self._root / place["folder"], folder)
        finally:
            path.write_bytes(folder.files[place["file"]])

    def _read(self, path: Path, folder: Folder) -> str:
        try:
            listing = read_data(path, folder.options, kind=folder.kind)
        except FolderUnreadable as error:
            self._check(str(error))
            return f"{folder.kind}: refused"
        _check_complete(listing)
        for item in listing.left_out:
            self._check(item.message)
            item.file.encode()
        for sample in listing.samples:
            sample.file.encode()
            for source in (sample.mask, sample.image):
                if source is not None and not isinstance(source, Path):
                    self._make(source)
        if not listing.left_out:
            return f"{listing.format}: taken"
        return f"{listing.format}: {'in part' if listing.samples else 'nothing'} taken"

    def _make(self, source: GeneratedBytes) -> None:
        try:
            source.make()
        except Unusable as error:
            self._check(error.message)

    def _check(self, message: str) -> None:
        # The command line shows it so.
        check_told(visible(message))
        if bug := _UNFORESEEN.search(message):
            raise Broken(f"a bug is told as the file's fault: {bug[1]} in {message[:1000]}")


def _check_complete(listing: FolderListing) -> None:
    """D7: found = used + left out."""
    named = {item.file for item in listing.left_out if not item.is_part}
    if listing.found != len(listing.used | named):
        raise Broken(f"{listing.found} found, {sorted(listing.used)} used, {sorted(named)} left out")


# --- the folders --------------------------------------------------------------------------------------------


def folders() -> dict[str, Folder]:
    """Small folders of every format; always the same."""
    grey, mask, indexed = _picture(), _mask(), _mask(indexed=True)
    both = ImportOptions(background_code="GOOD", mask_codes=("TPFIP", "TTFBS"))
    lax = ImportOptions(background_code="GOOD")
    labelme, coco, voc = _labelme(), _coco(), _voc()
    voc_files = {"JPEGImages/a.png": grey, "Annotations/a.xml": voc, "SegmentationClass/a.png": indexed}
    made = {
        "labelme": Folder({"a.png": grey, "b.png": grey, "a.json": labelme}, ("a.json", "a.png"), lax),
        "labelme-codes": Folder({"a.png": grey, "a.json": labelme}, ("a.json",), both, "labelme"),
        "labelme-moved": Folder({"a.png": grey, "x/a.json": _moved()}, ("x/a.json",), lax),
        "labelme-within": Folder({"a.json": _labelme(within=True)}, ("a.json",), lax, "labelme"),
        "coco": Folder({"a.png": grey, "images/b.png": grey, "a.json": coco}, ("a.json", "a.png"), lax),
        "coco-codes": Folder(
            {"a.png": grey, "images/b.png": grey, "a.json": coco}, ("a.json",), both, "coco"
        ),
        "voc": Folder({"a.png": grey, "a.xml": voc}, ("a.xml", "a.png"), lax),
        "voc-masks": Folder(
            {
                **voc_files,
                "labelmap.txt": b"# label:color_rgb:parts:actions\nbackground:0,0,0::\nTPFIP:1,2,3::\n",
            },
            ("Annotations/a.xml", "SegmentationClass/a.png", "labelmap.txt"),
            both,
            "voc",
        ),
        "folders": Folder(
            {
                "TPFIP/a.png": grey,
                "TPFIP/a.mask.png": mask,
                "TTFBS/b.jpg": grey,
                "TTFBS/b.png": mask,
                "groups.csv": b'file,group\nTPFIP/a.png,G1\nb.jpg,G2\n"TTFBS\\b.jpg",G2\n',
            },
            ("groups.csv", "TPFIP/a.mask.png"),
        ),
    }
    # Pictures of every kind, of which the importer reads the headers.
    square = json.dumps({"shapes": [_shape("polygon", _SQUARE)], "imagePath": "a.tif"}).encode()
    for index, (kind, data) in enumerate(corpus()):
        file = f"a.{kind.lower()}"
        shapes = square.replace(b"a.tif", file.encode())
        made[f"{_PICTURES}{index}"] = Folder({file: data, "a.json": shapes}, (file,), kind="labelme")
    if missing := set(SUFFIX_OF_FORMAT) - {folder.kind for folder in made.values()}:
        raise AssertionError(f"no folder of {missing}")
    return made


_SQUARE = [[2.0, 1.0], [6.0, 1.0], [6.0, 4.0], [2.0, 4.0]]


def _shape(kind: str, points: list[list[float]], **others: object) -> dict[str, Any]:
    return {"label": "TPFIP", "shape_type": kind, "points": points, "group_id": None, "flags": {}, **others}


def _labelme(*, within: bool = False) -> bytes:
    small = base64.b64encode(_png(Image.new("1", (4, 3), 1))).decode()
    return json.dumps(
        {
            "version": "5.4.1",
            "flags": {},
            "shapes": [
                _shape("polygon", _SQUARE),
                _shape("rectangle", [[1, 1], [4.5, 8]], label="TTFBS"),
                _shape("circle", [[5, 5], [7, 5]]),
                _shape("line", [[0, 0], [9, 9]]),
                _shape("linestrip", [[0, 0], [9, 9], [19, 3]]),
                _shape("point", [[3, 3]]),
                _shape("mask", [[1, 1], [4, 3]], mask=small),
            ],
            "imagePath": "a.png",
            "imageData": base64.b64encode(_picture()).decode() if within else None,
            "imageHeight": _HEIGHT,
            "imageWidth": _WIDTH,
        }
    ).encode()


def _moved() -> bytes:
    """A picture with a flag, named as it lay on another computer, in UTF-16."""
    path = "D:\\产线\\3\\a.png"
    value = {"flags": {"TPFIP": True, "划痕": False}, "shapes": [], "imagePath": path, "imageData": None}
    return json.dumps(value, ensure_ascii=False).encode("utf-16")


def _coco() -> bytes:
    size = {"width": _WIDTH, "height": _HEIGHT}
    runs = {"size": [_HEIGHT, _WIDTH], "counts": [30, 20, 150]}
    told = {"size": [_HEIGHT, _WIDTH], "counts": "n0d0f4"}
    shapes: list[dict[str, Any]] = [
        {"segmentation": [[2, 1, 6, 1, 6, 4, 2, 4], [8, 8, 9, 8, 9, 9]], "bbox": [2, 1, 4, 3]},
        {"segmentation": runs, "iscrowd": 1},
        {"segmentation": told, "iscrowd": 1},
        {"segmentation": [], "bbox": [2.5, 1, 4, 3.5]},
    ]
    rows = [
        {"id": index, "image_id": 1 + index % 2, "category_id": 1 + index // 2, "area": 12.0, **shape}
        for index, shape in enumerate(shapes)
    ]
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.png", **size}, {"id": 2, "file_name": "b.png", **size}],
            "categories": [{"id": 1, "name": "TPFIP"}, {"id": 2, "name": "TTFBS", "supercategory": "x"}],
            "annotations": rows,
        }
    ).encode()


def _voc() -> bytes:
    box = "<bndbox><xmin>3</xmin><ymin>2</ymin><xmax>6</xmax><ymax>4.0</ymax></bndbox>"
    return (
        "<annotation><folder>x</folder><filename>a.png</filename>"
        f"<size><width>{_WIDTH}</width><height>{_HEIGHT}</height><depth>1</depth></size><segmented>1</segmented>"
        f"<object><name>TPFIP</name><pose/><truncated>0</truncated>{box}</object>"
        f"<object><name>TTFBS</name>{box}</object></annotation>"
    ).encode()


def _picture() -> bytes:
    image = Image.linear_gradient("L").resize((_WIDTH, _HEIGHT))
    return _png(image)


def _mask(*, indexed: bool = False) -> bytes:
    mask = Image.new("P" if indexed else "L", (_WIDTH, _HEIGHT))
    ImageDraw.Draw(mask).rectangle((2, 2, 9, 7), fill=1 if indexed else 255)
    if indexed:
        mask.putpalette([0, 0, 0, 255, 0, 0])
    return _png(mask)


def _png(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
