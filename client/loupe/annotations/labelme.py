"""LabelMe: a JSON file per picture, `imagePath` beside it or the picture within as `imageData`.

Source: LabelMe's label files of versions 3 to 5. Shapes: polygon, rectangle, circle (centre and a point on
it), line, linestrip, point, mask (a PNG within).
"""

import base64
import io
import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from loupe.annotations import json_files
from loupe.annotations.pictures import (
    Annotations,
    EmbeddedPicture,
    Picture,
    Pictures,
    Region,
    annotation_files,
    unannotated,
)
from loupe.annotations.shapes import Circle, Point, Polygon, Shape, Stencil, Stroke, box, opened_image
from loupe.folders import GeneratedBytes, ImportOptions
from loupe.unusable import Unusable, fact_of, unusable_on_failure
from loupe.walking import LeftOut, Walk


def is_labelme(value: object) -> bool:
    """Whether a JSON value is a label file of LabelMe."""
    return isinstance(value, dict) and "shapes" in value and ("imagePath" in value or "imageData" in value)


def read_labelme(walked: Walk, options: ImportOptions) -> Annotations:
    """Every label file below the folder, and every picture."""
    pictures = Pictures(walked)
    found: dict[str, Picture] = {}
    left_out: list[LeftOut] = []
    unread: dict[str, str] = {}
    read: set[str] = set()
    for file, name in annotation_files(walked, ".json"):
        try:
            with unusable_on_failure(name):
                value = json_files.load(file, name)
                picture = _picture(file, name, value, pictures, found)
                faults = list(_read_shapes(value, picture, name, options))
        except Unusable as unusable:
            left_out.append(LeftOut(name, unusable.reason, unusable.message))
            unread[PurePosixPath(name).stem] = name
        else:
            read.add(name)
            picture.faulty = len(faults)
            found[picture.origin] = picture
            left_out += [LeftOut(picture.origin, one.reason, one.message, is_part=True) for one in faults]
    for origin, path in pictures:
        found.setdefault(origin, unannotated(origin, path, unread.get(PurePosixPath(origin).stem)))
    return Annotations(list(found.values()), left_out, read)


def _picture(
    file: Path,
    name: str,
    value: Any,  # noqa: ANN401 -- JSON is anything
    pictures: Pictures,
    found: dict[str, Picture],
) -> Picture:
    """What a label file is for, which must be none of those that were found."""
    if not is_labelme(value):
        raise Unusable("NOT_LABELME", f"{name} has no shapes and no picture; it is not LabelMe's")
    stated = json_files.size(value, "imageWidth", "imageHeight", name)
    origin, image = _image(file, name, value, pictures)
    if origin in found:
        other = found[origin].annotation
        raise Unusable("TWICE", f"{name} is for {origin}, as {other} is; keep one of the two")
    return Picture(origin, image, name, stated)


def _image(
    file: Path, name: str, value: dict[str, Any], pictures: Pictures
) -> tuple[str, Path | GeneratedBytes]:
    written = value.get("imagePath")
    place = PurePosixPath(name).parent.as_posix()
    if isinstance(written, str) and written:
        try:
            origin = pictures.find(written, ["" if place == "." else place], f"{name}: imagePath")
        except Unusable as unusable:
            if unusable.reason != "MISSING_PICTURE" or not value.get("imageData"):
                raise
        else:
            return origin, pictures[origin]
    if not value.get("imageData"):
        raise Unusable("MISSING_PICTURE", f"{name} has neither imagePath nor imageData; export it again")
    # Named after its label file, which is there once; `imagePath` may be anything.
    suffix = PureWindowsPath(written).suffix if isinstance(written, str) else ""
    origin = PurePosixPath(name).with_suffix(suffix or ".png").as_posix()
    if origin in pictures:
        raise Unusable(
            "TWICE",
            f"{name} has a picture within, and {origin} lies beside it; name that as imagePath, or move it",
        )
    return origin, EmbeddedPicture(file)


def _read_shapes(
    value: dict[str, Any], picture: Picture, name: str, options: ImportOptions
) -> Iterator[Unusable]:
    """Put the shapes into the picture; yields why one is not taken."""
    for index, row in enumerate(json_files.field(value, "shapes", list, name)):
        where = f"{name}: shapes[{index}]"
        try:
            label = json_files.field(row, "label", str, where)
            picture.regions.append(Region(label.strip(), _shape(row, where, options)))
        except Unusable as unusable:
            yield unusable


def _shape(row: dict[str, Any], where: str, options: ImportOptions) -> Shape:
    kind = row.get("shape_type") or "polygon"
    corners = json_files.points(row.get("points"), f"{where}.points")
    wanted = {"polygon": 3, "rectangle": 2, "circle": 2, "line": 2, "linestrip": 2, "mask": 2}.get(
        str(kind), 1
    )
    if len(corners) < wanted:
        raise Unusable(
            "BAD_ANNOTATION", f"{where} is a {kind} of {len(corners)} points, not {wanted}; draw it again"
        )
    match kind:
        case "polygon":
            return Polygon(corners)
        case "rectangle":
            return _rectangle(corners)
        case "circle":
            (x, y), (edge_x, edge_y) = corners[:2]
            return Circle((x, y), math.hypot(edge_x - x, edge_y - y))
        case "line" | "linestrip":
            return Stroke(corners, options.line_width_px)
        case "point":
            return Circle(corners[0], options.line_width_px / 2)
        case "mask":
            return _stencil(row, corners, where)
    raise Unusable("UNKNOWN_SHAPE", f"{where} is a {kind!r}; draw it as a polygon")


def _rectangle(corners: tuple[Point, ...]) -> Polygon:
    if len(corners) == 4:
        return Polygon(corners)
    (x0, y0), (x1, y1) = corners[:2]
    return box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def _stencil(row: dict[str, Any], corners: tuple[Point, ...], where: str) -> Stencil:
    text = json_files.field(row, "mask", str, where)
    try:
        png = base64.b64decode(text, validate=True)
        with opened_image(io.BytesIO(png), "PNG") as image:
            width, height = image.size
    except Exception as error:  # Pillow's parsers raise almost anything on hostile bytes
        raise Unusable(
            "BAD_ANNOTATION", f"{where}.mask is no PNG in base64 ({fact_of(error)}); draw it again"
        ) from error
    return Stencil(round(corners[0][0]), round(corners[0][1]), png, width, height)
