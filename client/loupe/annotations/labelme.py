"""LabelMe: a JSON file per picture, `imagePath` beside it or the picture within as `imageData`.

Source: LabelMe's label files of versions 3 to 5. Shapes: polygon, rectangle, circle (centre and a point on
it), line, linestrip, point, mask (a PNG within).
"""

import base64
import io
import math
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from loupe.annotations import json_files
from loupe.annotations.claims import PerFile, read_each
from loupe.annotations.mask_pixels import Stencil
from loupe.annotations.pictures import Annotations, EmbeddedPicture, Fault, Picture, Region
from loupe.annotations.references import LEADS_NOWHERE, Found, Pictures, Reference, place_of
from loupe.annotations.shapes import Circle, Point, Polygon, Shape, Stroke, box, opened_image
from loupe.folders import IMAGE_SUFFIXES, GeneratedBytes, ImportOptions
from loupe.text import fact_of
from loupe.unusable import Unusable
from loupe.walking import Walk

_MASK_SIDE_PX = 1
"""So much may the corners of a mask differ from its picture: some tools count the last pixel, some do not."""


def is_labelme(value: object) -> bool:
    """Whether a JSON value is a label file of LabelMe."""
    return (
        isinstance(value, dict)
        and ("shapes" in value or "flags" in value)
        and ("imagePath" in value or "imageData" in value)
    )


def read_labelme(walked: Walk, options: ImportOptions) -> Annotations:
    """Every label file below the folder, and every picture."""
    pictures = Pictures(walked)
    form = PerFile(".json", json_files.load, _reference, partial(_picture, pictures, options))
    return read_each(walked, pictures, form)


def _reference(value: Any, name: str) -> Reference:  # noqa: ANN401 -- JSON is anything
    """How a label file names its picture; Unusable if it is none."""
    if not is_labelme(value):
        raise Unusable("NOT_LABELME", f"{name} has no shapes and no picture; it is not LabelMe's")
    written = value.get("imagePath")
    known = written if isinstance(written, str) else ""
    return Reference(known, name, f"{name}: imagePath", (place_of(name),))


def _picture(
    pictures: Pictures,
    options: ImportOptions,
    file: Path,
    value: Any,  # noqa: ANN401 -- as above
    reference: Reference,
) -> tuple[Picture, Found]:
    """What a label file says of its picture."""
    name = reference.annotation
    stated = json_files.size(value, "imageWidth", "imageHeight", name)
    found, image = _image(file, value, pictures, reference)
    picture = Picture(found.origin, image, name, stated, flags=_flags(value, name))
    _read_shapes(value, picture, name, options)
    return picture, found


def _image(
    file: Path, value: dict[str, Any], pictures: Pictures, reference: Reference
) -> tuple[Found, Path | GeneratedBytes]:
    name, has_embedded = reference.annotation, bool(value.get("imageData"))
    if reference.written:
        try:
            found = pictures.find(reference, may_be_elsewhere=not has_embedded)
            pictures.check_stem(found, reference)
        except Unusable as unusable:
            if not has_embedded or unusable.reason not in LEADS_NOWHERE:
                raise
        else:
            return found, pictures[found.origin]
    if not has_embedded:
        raise Unusable("MISSING_PICTURE", f"{name} has neither imagePath nor imageData; export it again")
    # Named after its label file, which is there once; `imagePath` may be anything.
    suffix = PureWindowsPath(reference.written).suffix
    suffix = suffix if suffix.lower() in IMAGE_SUFFIXES else ".png"
    origin = PurePosixPath(name).with_suffix(suffix).as_posix()
    if origin in pictures:
        raise Unusable(
            "TWICE",
            f"{name} has a picture within, and {origin} lies beside it; name that as imagePath, or move it",
        )
    return Found(origin, is_exact=True), EmbeddedPicture(file)


def _flags(value: dict[str, Any], name: str) -> dict[str, bool]:
    """The labels of the picture as a whole, each with whether it is set; Unusable."""
    flags = value.get("flags") or {}
    if not isinstance(flags, dict) or not all(isinstance(is_set, bool) for is_set in flags.values()):
        fact = json_files.shortened(flags)
        raise Unusable(
            "BAD_ANNOTATION", f"{name} has {fact} as flags, expected true or false for each; export it again"
        )
    return {flag.strip(): is_set for flag, is_set in flags.items()}


def _read_shapes(value: dict[str, Any], picture: Picture, name: str, options: ImportOptions) -> None:
    """Put the shapes into the picture, and why one is not taken."""
    for index, row in enumerate(json_files.field({"shapes": [], **value}, "shapes", list, name)):
        where = f"{name}: shapes[{index}]"
        label = None
        try:
            label = json_files.field(row, "label", str, where).strip()
            picture.regions.append(Region(label, _shape(row, where, options)))
        except Unusable as unusable:
            picture.faults.append(Fault(label, unusable))


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
    if kind != "mask":
        json_files.check_no_fractions(chain.from_iterable(corners), f"{where}.points")
    match kind:
        case "polygon":
            return Polygon(corners)
        case "rectangle":
            return _rectangle(corners)
        case "circle":
            (x, y), (edge_x, edge_y) = corners[:2]
            return Circle((x, y), math.hypot(edge_x - x, edge_y - y), (edge_x, edge_y))
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
    (x0, y0), (x1, y1) = corners[:2]
    if abs(x1 - x0 + 1 - width) > _MASK_SIDE_PX or abs(y1 - y0 + 1 - height) > _MASK_SIDE_PX:
        raise Unusable(
            "BAD_ANNOTATION",
            f"{where}.mask is {width}×{height}, and its points are {x1 - x0 + 1:g}×{y1 - y0 + 1:g} pixels "
            "apart; draw it again",
        )
    return Stencil(round(corners[0][0]), round(corners[0][1]), png, width, height, f"{where}.mask")
