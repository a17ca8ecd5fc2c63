"""Pascal VOC: an XML file per picture with boxes, and where there are some PNGs in `SegmentationClass`.

Source: Everingham et al., The PASCAL VOC development kit. Boxes count pixels from 1, both ends inside. A
segmentation goes before the boxes of the same picture. What its values mean is said by `labelmap.txt` (as
CVAT writes it) or `class_names.txt` (as LabelMe does), else by the boxes if they have one label, else by
VOC's own twenty classes in a `VOC20xx` folder.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from loupe.annotations import json_files
from loupe.annotations.claims import PerFile, read_each
from loupe.annotations.mask_pixels import IndexedPixels, indices, marks_nothing
from loupe.annotations.pictures import Annotations, Fault, Picture, Region
from loupe.annotations.references import Found, Pictures, Reference, place_of, stem_key
from loupe.annotations.shapes import Polygon, box
from loupe.folders import VOC_MASK_FOLDER, ImportOptions
from loupe.text_encodings import decode, decode_as
from loupe.translation import sentence
from loupe.unusable import Unusable, unreadable, unusable_on_failure
from loupe.walking import LeftOut, Walk, open_file, read_file

_OTHER_IMAGES = frozenset({"segmentationclass", "segmentationobject", "segmentationclasspng"})
_VOID = 255
_MAX_XML_BYTES = 16 * 2**20
_CLASS_FILES = ("labelmap.txt", "class_names.txt")
_DECLARED = re.compile(rb"\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_UNKNOWN_TO_EXPAT = {
    **dict.fromkeys(("gb2312", "gbk", "cp936", "gb18030"), "gb18030"),
    **{name: name for name in ("big5", "shift_jis", "euc-jp", "euc-kr")},
}
"""Declared encodings of several bytes a character, by the codec that reads them."""
_WITHOUT_SHAPE = frozenset({"name", "pose", "truncated", "difficult", "occluded", "attributes"})
"""An object with nothing else is a label of the picture as a whole."""
_OTHER_SHAPES = frozenset({"polygon", "polyline", "robndbox", "ellipse", "segm", "mask", "rle"})
"""What other tools draw beside a box, or in its place."""
_UNLABELLED = frozenset({"background", "_background_", "__ignore__", "void"})


def read_voc(walked: Walk, _options: ImportOptions) -> Annotations:
    """Every XML file below the folder, every segmentation, and every picture."""
    pictures = Pictures(walked, without=_OTHER_IMAGES)
    form = PerFile(".xml", load_xml, _reference, partial(_picture, pictures))
    found = read_each(walked, pictures, form)
    found.left_out.extend(_add_segmentations(walked, found))
    return found


def is_voc(root: ET.Element) -> bool:
    """Whether an XML file with this root is an annotation of Pascal VOC."""
    return root.tag == "annotation"


def load_xml(file: Path, name: str) -> json_files.Content:
    """The root of an XML file; Unusable with line and column if it is none, or if it could blow up."""
    try:
        with open_file(file) as opened:
            data = opened.read(_MAX_XML_BYTES + 1)
    except OSError as error:
        raise unreadable(name, error) from error
    if len(data) > _MAX_XML_BYTES:
        raise Unusable("TOO_LARGE", f"{name} is larger than {_MAX_XML_BYTES:,} bytes; it is no annotation")
    source, concluded = _text(data, name)
    try:
        root: ET.Element = fromstring(source, forbid_dtd=True)
    except ET.ParseError as error:
        line, column = error.position
        fault = str(error).partition(":")[0]
        raise Unusable(
            "BROKEN_XML", f"{name} line {line} column {column + 1}: {fault}; mend the XML or export it again"
        ) from error
    except DefusedXmlException as error:
        raise Unusable(
            "UNSAFE_XML",
            f"{name} declares a DTD or entities, which can blow up or read files; remove the <!DOCTYPE>",
        ) from error
    except (LookupError, ValueError) as error:
        raise Unusable("UNREADABLE", f"{name} cannot be read: {error}; save it as UTF-8") from error
    return json_files.Content(root, concluded)


def _text(data: bytes, name: str) -> tuple[str | bytes, str]:
    """The text, and its encoding if that is concluded; bytes, if they declare one that expat knows."""
    found = _DECLARED.match(data)
    declared = found[1].decode().lower() if found else "utf-8"
    if declared in _UNKNOWN_TO_EXPAT:
        return decode_as(data, _UNKNOWN_TO_EXPAT[declared], name), ""
    if declared not in ("utf-8", "utf8"):
        return data, ""
    decoded = decode(data, name)
    return decoded.text, decoded.concluded


def _reference(root: ET.Element, name: str) -> Reference:
    """How an annotation names its picture; Unusable if it is none."""
    if root.tag != "annotation":
        raise Unusable("NOT_VOC", f"{name} is a <{root.tag}>, not an <annotation>; it is not Pascal VOC's")
    written = (root.findtext("filename") or "").strip()
    beside = PurePosixPath(name).parent
    places = [place_of(name)]
    for place in (beside.parent, PurePosixPath()):
        places += [(place / one).as_posix() for one in ("JPEGImages", "images")]
    return Reference(
        written or PurePosixPath(name).stem,
        name,
        f"{name}: filename",
        tuple(dict.fromkeys([*places, ""])),
        (root.findtext("folder") or "").strip(),
    )


def _picture(
    pictures: Pictures, _file: Path, root: ET.Element, reference: Reference
) -> tuple[Picture, Found]:
    """What an annotation says of its picture."""
    name = reference.annotation
    found = pictures.find(reference)
    pictures.check_stem(found, reference)
    size = root.find("size")
    stated = None
    if size is not None:
        row = {side: _number(size, side, f"{name}: size") for side in ("width", "height")}
        # Some tools write 0 for a size that they do not know.
        stated = None if 0 in row.values() else json_files.size(row, "width", "height", name)
    picture = Picture(found.origin, pictures[found.origin], name, stated)
    _read_objects(root, picture, name)
    return picture, found


def _read_objects(root: ET.Element, picture: Picture, name: str) -> None:
    """Put the boxes into the picture, and why one is not taken."""
    for index, one in enumerate(root.iter("object")):
        where = f"{name}: object[{index}]"
        label = (one.findtext("name") or "").strip()
        try:
            if not label:
                raise Unusable("BAD_ANNOTATION", f"{where} has no name; give it one")  # noqa: TRY301
            if _WITHOUT_SHAPE.issuperset(child.tag for child in one):
                picture.labels.append(label)
            else:
                picture.regions.append(Region(label, _box(one, where)))
        except Unusable as unusable:
            picture.faults.append(Fault(label or None, unusable))


def _box(one: ET.Element, where: str) -> Polygon:
    other = next((child.tag for child in one if child.tag in _OTHER_SHAPES and _says(child)), None)
    if other is not None:
        fact = sentence(
            "{where} has a <{other}>, which is not read, and its box alone is not what was drawn; export it "
            "as COCO or LabelMe, or with boxes only",
            where=where,
            other=other,
        )
        raise Unusable("NO_SHAPE", *fact)
    bounds = one.find("bndbox")
    if bounds is None:
        raise Unusable("NO_SHAPE", f"{where} has no bndbox; draw it as an upright box")
    sides = [_number(bounds, side, f"{where}.bndbox") for side in ("xmin", "ymin", "xmax", "ymax")]
    json_files.check_no_fractions(sides, f"{where}.bndbox")
    left, top, right, bottom = sides
    if right < left or bottom < top:
        raise Unusable("NO_SHAPE", f"{where}.bndbox ends before it begins; draw it again")
    return box(left - 1, top - 1, right, bottom)


def _says(element: ET.Element) -> bool:
    """Whether there is anything in it."""
    return len(element) > 0 or bool((element.text or "").strip())


def _number(parent: ET.Element, tag: str, where: str) -> float:
    text = (parent.findtext(tag) or "").strip()
    try:
        return json_files.number(float(text), f"{where}.{tag}")
    except ValueError as error:
        raise Unusable(
            "BAD_ANNOTATION", f"{where}.{tag} is {text!r}, not a number; export it again"
        ) from error


# --- SegmentationClass --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Classes:
    """What the values of a segmentation mean."""

    label_of_value: dict[int, str]
    named_by: str


def _add_segmentations(walked: Walk, found: Annotations) -> Iterator[LeftOut]:
    """Put the segmentations in the place of the boxes; adds to `found.read` what was read for it."""
    by_stem: dict[str, list[Picture]] = {}
    for picture in found.pictures:
        by_stem.setdefault(stem_key(picture.origin), []).append(picture)
    for directory in sorted(map(PurePosixPath, walked.folders)):
        if directory.name != VOC_MASK_FOLDER:
            continue
        classes: _Classes | Unusable
        try:
            classes = _classes(walked, directory)
            found.read.update({classes.named_by} & walked.files.keys())
        except Unusable as unusable:
            classes = unusable
        for name, png in walked.files.items():
            if PurePosixPath(name).parent != directory or png.suffix.lower() != ".png":
                continue
            pictures = by_stem.get(stem_key(name), [])
            try:
                _put_segments(png, name, pictures, classes)
                found.read.add(name)
            except Unusable as unusable:
                yield unusable.line(name)
                for picture in pictures:
                    # Its boxes are not what the segmentation says.
                    picture.regions, picture.labels, picture.is_unsure = [], [], True
            for picture in pictures:
                picture.annotation = picture.annotation or name


def _put_segments(png: Path, name: str, pictures: list[Picture], classes: "_Classes | Unusable") -> None:
    """Put a segmentation on the picture that has its name; Unusable."""
    if len(pictures) != 1:
        fact = f"{len(pictures)} pictures have its name" if pictures else "no picture has its name"
        raise Unusable("MASK_WITHOUT_IMAGE", f"{name}: {fact}; it must be there once")
    if isinstance(classes, Unusable):
        raise Unusable(classes.reason, f"{name}: what its values mean cannot be read: {classes.message}")
    regions = _segments(png, name, pictures[0], classes)
    if pictures[0].regions and not regions:
        # Its boxes say something else.
        raise marks_nothing(name)
    pictures[0].regions = regions


def _segments(png: Path, name: str, picture: Picture, classes: _Classes) -> list[Region]:
    with unusable_on_failure(name):
        values = indices(read_file(png), name)
    height, width = values.shape
    present = set(np.unique(values).tolist()) - {0, _VOID}
    if not present:
        return []
    labels = {region.label for region in picture.regions}
    if not classes.label_of_value and len(labels) == 1:
        return [Region(labels.pop(), IndexedPixels(png, frozenset(present), width, height))]
    unknown = sorted(present - set(classes.label_of_value))
    if unknown:
        fact = (
            f"{classes.named_by} names {len(classes.label_of_value)}" if classes.named_by else "nothing says"
        )
        raise Unusable(
            "UNKNOWN_CATEGORY",
            f"{name} has the value {unknown[0]}, and {fact} what values mean; write them into "
            f"{_CLASS_FILES[0]}, a line each from 0 (background) on",
        )
    by_label: dict[str, set[int]] = {}
    for value in sorted(present):
        by_label.setdefault(classes.label_of_value[value], set()).add(value)
    return [
        Region(label, IndexedPixels(png, frozenset(values), width, height))
        for label, values in by_label.items()
        if label.lower() not in _UNLABELLED
    ]


def _classes(walked: Walk, directory: PurePosixPath) -> _Classes:
    """From the nearest class file between the segmentations and the folder."""
    for place in directory.parents:
        for one in _CLASS_FILES:
            name = (place / one).as_posix()
            if name in walked.files:
                return _Classes(_class_file(walked.files[name], name), name)
    if (walked.folder / directory).parent.name.upper().startswith("VOC20"):
        return _Classes(dict(enumerate(_VOC_CLASSES)), "Pascal VOC")
    return _Classes({}, "")


def _class_file(file: Path, name: str) -> dict[int, str]:
    """A label a line, in the order of the values; `label:r,g,b:parts:actions` with comments in CVAT's."""
    try:
        lines = decode(read_file(file), name).text.splitlines()
    except OSError as error:
        raise unreadable(name, error) from error
    labels = [line.partition(":")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
    # LabelMe's list begins with what has the value -1.
    return dict(enumerate(labels[1:] if labels[:1] == ["__ignore__"] else labels))


_VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
