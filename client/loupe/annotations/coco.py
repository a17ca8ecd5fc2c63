"""COCO: one JSON file with `images`, `categories` and `annotations` of object detection.

Source: the COCO data format. `segmentation` is a list of polygons or run lengths; where it is empty, `bbox`
is taken. A category's name is the label.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, cast

from loupe.annotations import json_files
from loupe.annotations.pictures import Annotations, Picture, Pictures, Region, annotation_files, unannotated
from loupe.annotations.run_lengths import run_lengths
from loupe.annotations.shapes import Polygon, Shape, box
from loupe.folders import ImportOptions
from loupe.unusable import Unusable, unusable_on_failure
from loupe.walking import LeftOut, Walk


def is_coco(value: object) -> bool:
    """Whether a JSON value is a COCO file."""
    return isinstance(value, dict) and isinstance(value.get("images"), list) and "annotations" in value


def read_coco(walked: Walk, _options: ImportOptions) -> Annotations:
    """Every COCO file below the folder, and every picture with the regions of all files that name it."""
    pictures = Pictures(walked)
    by_origin: dict[str, Picture] = {}
    left_out: list[LeftOut] = []
    unread: str | None = None
    names: set[str] = set()
    for file, name in annotation_files(walked, ".json"):
        try:
            with unusable_on_failure(name):
                read = _File(name, json_files.load(file, name))
                left_out += read.read(pictures, by_origin)
            names.add(name)
            unread = name if read.unsure else unread
        except Unusable as unusable:
            left_out.append(LeftOut(name, unusable.reason, unusable.message))
            unread = name
    for origin, path in pictures:
        by_origin.setdefault(origin, unannotated(origin, path, unread))
    return Annotations(list(by_origin.values()), left_out, names)


class _File:
    """One COCO file; Unusable if it is none."""

    def __init__(self, name: str, value: Any) -> None:  # noqa: ANN401 -- JSON is anything
        if not is_coco(value):
            raise Unusable("NOT_COCO", f"{name} has no list of images with annotations; it is not COCO's")
        self._name = name
        self._images = value["images"]
        self._annotations = json_files.field(value, "annotations", list, name)
        self._categories = _categories(value, name)
        self._pictures: dict[object, Picture] = {}
        self._missing: set[object] = set()
        self.unsure = False
        """Whether an annotation of the file may belong to a picture that the file does not name."""

    def read(self, pictures: Pictures, by_origin: dict[str, Picture]) -> Iterator[LeftOut]:
        """Put pictures and regions beside those of the files before; yields what is not taken."""
        waiting = Counter(row["image_id"] for row in self._annotations if _has_key(row, "image_id"))
        for index, row in enumerate(self._images):
            where = f"{self._name}: images[{index}]"
            try:
                with unusable_on_failure(where):
                    self._add_image(row, where, pictures, by_origin)
            except Unusable as unusable:
                key = row["id"] if _has_key(row, "id") else None
                count = 0 if key in self._pictures else waiting[key]
                self.unsure = True
                if count:
                    self._missing.add(key)
                also = f" ({count} annotation(s) with it)" if count else ""
                message = f"{unusable.message}{also}"
                yield LeftOut(_file_of(row, self._name), unusable.reason, message, is_part=True)
        for index, row in enumerate(self._annotations):
            if _has_key(row, "image_id") and row["image_id"] in self._missing:
                continue
            where = f"{self._name}: annotations[{index}]"
            try:
                with unusable_on_failure(where):
                    self._add_annotation(row, where)
            except Unusable as unusable:
                picture = self._pictures.get(row["image_id"]) if _has_key(row, "image_id") else None
                if picture is None:
                    self.unsure = True
                else:
                    picture.faulty += 1
                file = picture.origin if picture else self._name
                yield LeftOut(file, unusable.reason, unusable.message, is_part=True)

    def _add_image(self, row: object, where: str, pictures: Pictures, by_origin: dict[str, Picture]) -> None:
        written = json_files.field(row, "file_name", str, where)
        key = json_files.field(row, "id", (int, str), where)
        if key in self._pictures:
            raise Unusable("TWICE", f"{where} has the id {key!r} of another image; ids must differ")
        origin = pictures.find(written, _places(self._name), where)
        stated = json_files.size(cast("dict[str, Any]", row), "width", "height", where)
        picture = by_origin.setdefault(origin, Picture(origin, pictures[origin]))
        picture.annotation = picture.annotation or where
        picture.stated_size = stated or picture.stated_size
        self._pictures[key] = picture

    def _add_annotation(self, row: Any, where: str) -> None:  # noqa: ANN401 -- as above
        key = json_files.field(row, "image_id", (int, str), where)
        if key not in self._pictures:
            raise Unusable("UNKNOWN_IMAGE", f"{where} is for image {key!r}, which images does not list")
        category = json_files.field(row, "category_id", (int, str), where)
        if category not in self._categories:
            known = (
                ", ".join(f"{id_}={label}" for id_, label in list(self._categories.items())[:10]) or "none"
            )
            raise Unusable(
                "UNKNOWN_CATEGORY", f"{where} has category {category!r}; the file's categories are {known}"
            )
        label = self._categories[category]
        self._pictures[key].regions += [Region(label, shape) for shape in _shapes(row, where)]


def _categories(value: dict[str, Any], name: str) -> dict[object, str]:
    categories: dict[object, str] = {}
    for index, row in enumerate(json_files.field(value, "categories", list, name)):
        where = f"{name}: categories[{index}]"
        label = json_files.field(row, "name", str, where).strip()
        categories[json_files.field(row, "id", (int, str), where)] = label
    return categories


def _places(name: str) -> list[str]:
    """Where a file's pictures may be: beside it, in the folder, in `images`, in a folder of its split."""
    path = PurePosixPath(name)
    beside = path.parent.as_posix()
    split = path.stem.rpartition("_")[2]
    return list(dict.fromkeys(["" if beside == "." else beside, "", "images", split, f"images/{split}"]))


def _shapes(row: dict[str, Any], where: str) -> list[Shape]:
    segmentation = row.get("segmentation")
    if isinstance(segmentation, dict):
        return [run_lengths(segmentation, f"{where}.segmentation")]
    if segmentation is not None and not isinstance(segmentation, list):
        raise Unusable(
            "BAD_ANNOTATION", f"{where}.segmentation is neither polygons nor run lengths; export again"
        )
    if segmentation:
        return [_polygon(flat, f"{where}.segmentation[{index}]") for index, flat in enumerate(segmentation)]
    numbers = row.get("bbox")
    if not isinstance(numbers, list) or len(numbers) != 4:
        raise Unusable("NO_SHAPE", f"{where} has neither segmentation nor bbox; draw it again or remove it")
    x, y, width, height = (json_files.number(one, f"{where}.bbox") for one in numbers)
    if width <= 0 or height <= 0:
        raise Unusable("NO_SHAPE", f"{where}.bbox is {width:g} by {height:g}; draw it again or remove it")
    return [box(x, y, x + width, y + height)]


def _polygon(flat: object, where: str) -> Polygon:
    if not isinstance(flat, list) or len(flat) < 6 or len(flat) % 2:
        count = len(flat) if isinstance(flat, list) else "no"
        raise Unusable(
            "BAD_ANNOTATION", f"{where} is no polygon: x y of 3 points or more, here {count} numbers"
        )
    numbers = [json_files.number(one, where) for one in flat]
    return Polygon(tuple(zip(numbers[::2], numbers[1::2], strict=True)))


def _has_key(row: object, field: str) -> bool:
    return isinstance(row, dict) and isinstance(row.get(field), int | str)


def _file_of(row: object, name: str) -> str:
    written = row.get("file_name") if isinstance(row, dict) else None
    return written if isinstance(written, str) and written else name
