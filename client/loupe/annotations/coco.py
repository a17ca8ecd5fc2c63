"""COCO: one JSON file with `images`, `categories` and `annotations` of object detection.

Source: the COCO data format. `segmentation` is a list of polygons or run lengths; where it is empty, `bbox`
is taken. A category's name is the label.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeGuard, cast

from loupe.annotations import json_files
from loupe.annotations.claims import Claim, Claims, Unread, encoding_remark
from loupe.annotations.pictures import Annotations, Fault, Picture, Region, annotation_files
from loupe.annotations.references import Pictures, Reference, place_of
from loupe.annotations.run_lengths import run_lengths
from loupe.annotations.shapes import Polygon, Shape, box
from loupe.folders import ImportOptions, Remark
from loupe.text import encodable
from loupe.unusable import Unusable, unusable_on_failure
from loupe.walking import LeftOut, Walk

_SHAPE_FIELDS = ("bbox", "segmentation", "keypoints", "area")
"""An annotation without any of them is a label of the picture as a whole."""


def is_coco(value: object) -> bool:
    """Whether a JSON value is a COCO file."""
    return isinstance(value, dict) and isinstance(value.get("images"), list) and "annotations" in value


def read_coco(walked: Walk, _options: ImportOptions) -> Annotations:
    """Every COCO file below the folder, and every picture with the regions of all files that name it."""
    pictures = Pictures(walked)
    claims, unread = Claims(), Unread(pictures)
    left_out: list[LeftOut] = []
    remarks: list[Remark] = []
    names: set[str] = set()
    for file, name in annotation_files(walked, ".json"):
        try:
            with unusable_on_failure(name):
                content = json_files.load(file, name)
                read = _File(name, content.value)
                left_out += read.read(pictures, claims)
        except Unusable as unusable:
            left_out.append(unusable.line(name))
            unread.add_of_any(name)
        else:
            names.add(name)
            remarks += encoding_remark(name, content)
            if read.is_unsure:
                unread.add_of_any(name)
    annotated, of_claims, refused = claims.settle()
    return Annotations(
        [*annotated, *unread.pictures(pictures, annotated)],
        [*left_out, *refused],
        names,
        [*remarks, *of_claims],
    )


class _File:
    """One COCO file; Unusable if it is none, or if it contradicts itself."""

    def __init__(self, name: str, value: Any) -> None:  # noqa: ANN401 -- JSON is anything
        if not is_coco(value):
            raise Unusable("NOT_COCO", f"{name} has no list of images with annotations; it is not COCO's")
        self._name = name
        self._images = value["images"]
        self._annotations = json_files.field(value, "annotations", list, name)
        self._categories = _categories(value, name)
        self._names = _names_by_id(self._images)
        self._pictures: dict[object, Picture] = {}
        self._missing: set[object] = set()
        self.is_unsure = False
        """Whether an annotation of the file may belong to a picture that the file does not name."""

    def read(self, pictures: Pictures, claims: Claims) -> Iterator[LeftOut]:
        """Claim pictures for their regions; yields what is not taken."""
        waiting = Counter(row["image_id"] for row in self._annotations if _has_key(row, "image_id"))
        for index, row in enumerate(self._images):
            where = f"{self._name}: images[{index}]"
            try:
                with unusable_on_failure(where):
                    self._add_image(row, where, pictures, claims)
            except Unusable as unusable:
                key = row["id"] if _has_key(row, "id") else None
                count = 0 if key in self._pictures else waiting[key]
                self.is_unsure = True
                if count:
                    self._missing.add(key)
                also = f" ({count} annotation(s) with it)" if count else ""
                message = f"{unusable.message}{also}"
                yield LeftOut(_file_of(row, self._name), unusable.reason, message, is_part=True)
        yield from self._read_annotations()

    def _read_annotations(self) -> Iterator[LeftOut]:
        """Put the annotations on the pictures; yields those of no picture."""
        strays = False
        for index, row in enumerate(self._annotations):
            if _has_key(row, "image_id") and row["image_id"] in self._missing:
                continue
            where = f"{self._name}: annotations[{index}]"
            picture = self._pictures.get(row["image_id"]) if _has_key(row, "image_id") else None
            label = self._label(row)
            try:
                with unusable_on_failure(where):
                    self._add_annotation(row, where)
            except Unusable as unusable:
                if picture is None:
                    strays = self.is_unsure = True
                    yield unusable.line(self._name, is_part=True)
                else:
                    picture.faults.append(Fault(label, unusable))
        for picture in self._pictures.values() if strays else ():
            # A stray annotation may be for a picture on which nothing else is annotated.
            picture.is_unsure = True

    def _add_image(self, row: object, where: str, pictures: Pictures, claims: Claims) -> None:
        written = json_files.field(row, "file_name", str, where)
        key = json_files.field(row, "id", (int, str), where)
        if len(self._names[key]) > 1:
            others = " and ".join(repr(name) for name in list(self._names[key])[:3])
            raise Unusable("TWICE", f"{where} has the id {key!r}, which is that of {others}; ids must differ")
        reference = Reference(written, self._name, where, _places(self._name))
        found = pictures.find(reference)
        stated = json_files.size(cast("dict[str, Any]", row), "width", "height", where)
        picture = Picture(found.origin, pictures[found.origin], where)
        claim = Claim(picture, found, _file_of(row, self._name), is_part=True)
        # Rows of several files may name one picture, but two paths that lead nowhere mean two pictures.
        picture = claims.add(claim, "" if found.is_exact else PureWindowsPath(written).as_posix())
        picture.stated_size = stated or picture.stated_size
        self._pictures[key] = picture

    def _label(self, row: object) -> str | None:
        """What an annotation is labelled, if its category is known."""
        return self._categories.get(row["category_id"]) if _has_key(row, "category_id") else None

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
        if all(row.get(name) is None for name in _SHAPE_FIELDS):
            self._pictures[key].labels.append(label)
        else:
            self._pictures[key].regions += [Region(label, shape) for shape in _shapes(row, where)]


def _names_by_id(images: list[object]) -> defaultdict[object, dict[str, None]]:
    """The different pictures of each id; there should be one."""
    names: defaultdict[object, dict[str, None]] = defaultdict(dict)
    for row in images:
        if _has_key(row, "id"):
            written = row.get("file_name")
            names[row["id"]][written if isinstance(written, str) else json_files.shortened(written)] = None
    return names


def _categories(value: dict[str, Any], name: str) -> dict[object, str]:
    categories: dict[object, str] = {}
    for index, row in enumerate(json_files.field(value, "categories", list, name)):
        where = f"{name}: categories[{index}]"
        label = json_files.field(row, "name", str, where).strip()
        key = json_files.field(row, "id", (int, str), where)
        if (other := categories.setdefault(key, label)) != label:
            raise Unusable(
                "CATEGORY_TWICE",
                f"{where} gives the id {key!r} the name {label!r}, and it has the name {other!r} already: "
                "which is meant, nothing says; give each category an id of its own and export again",
            )
    return categories


def _places(name: str) -> tuple[str, ...]:
    """Where a file's pictures may be: beside it, in the folder, in `images`, in a folder of its split."""
    split = PurePosixPath(name).stem.rpartition("_")[2]
    return tuple(dict.fromkeys([place_of(name), "", "images", split, f"images/{split}"]))


def _shapes(row: dict[str, Any], where: str) -> list[Shape]:
    segmentation = row.get("segmentation")
    if isinstance(segmentation, dict):
        return [run_lengths(segmentation, f"{where}.segmentation")]
    if segmentation is not None and not isinstance(segmentation, list):
        raise Unusable(
            "BAD_ANNOTATION", f"{where}.segmentation is neither polygons nor run lengths; export again"
        )
    if segmentation:
        polygons = [
            _polygon(flat, f"{where}.segmentation[{index}]") for index, flat in enumerate(segmentation)
        ]
        corners = chain.from_iterable(polygon.points for polygon in polygons)
        json_files.check_no_fractions(chain.from_iterable(corners), f"{where}.segmentation")
        return [*polygons]
    numbers = row.get("bbox")
    if not isinstance(numbers, list) or len(numbers) != 4:
        raise Unusable("NO_SHAPE", f"{where} has neither segmentation nor bbox; draw it again or remove it")
    sides = [json_files.number(one, f"{where}.bbox") for one in numbers]
    json_files.check_no_fractions(sides, f"{where}.bbox")
    x, y, width, height = sides
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


def _has_key(row: object, field: str) -> TypeGuard[dict[str, Any]]:
    return isinstance(row, dict) and isinstance(row.get(field), int | str)


def _file_of(row: object, name: str) -> str:
    written = row.get("file_name") if isinstance(row, dict) else None
    return encodable(written) if isinstance(written, str) and written else name
