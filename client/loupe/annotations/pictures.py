"""Makes samples of annotated pictures: one code each (D1), masks drawn at upload, and what is not taken."""

import base64
import binascii
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from loupe import mask_files
from loupe.annotations import json_files
from loupe.annotations.shapes import MAX_PIXELS, Shape, area_px, opened_image
from loupe.folders import (
    IMAGE_SUFFIXES,
    FolderListing,
    FolderUnreadable,
    FoundSample,
    GeneratedBytes,
    ImportOptions,
    check_codes,
    complete,
    is_code,
)
from loupe.unusable import Unusable, fact_of, unreadable, unusable_on_failure
from loupe.walking import LeftOut, Walk, open_file
from PIL import Image

_PICTURE_FOLDERS = frozenset({"images", "image", "jpegimages"})
"""Folders of these names say nothing of a picture and are not part of its sample's name."""
_CLIP_TOLERANCE_PX = 0.5
"""Annotation tools round coordinates; less than this beyond the edge is no fault."""
_COST_PER_PIXEL, _COST_BESIDE = 20, 200_000_000
"""The largest cost of painting all regions of a picture: 20 times all over it, and seconds beside."""
_SUFFIX_OF_FORMAT = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif"}


@dataclass(frozen=True, slots=True)
class Region:
    """One annotated shape with its label as written."""

    label: str
    shape: Shape


@dataclass(slots=True)
class Picture:
    """A picture with what is annotated on it."""

    origin: str
    """Its path below the folder."""
    image: Path | GeneratedBytes
    annotation: str = ""
    """Where that is written; empty for a picture that no annotation names."""
    stated_size: tuple[int, int] | None = None
    """Width and height as the annotation says."""
    regions: list[Region] = field(default_factory=list)
    faulty: int = 0
    """Annotations of it that could not be taken; such a picture is no background."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """The result of a reader."""

    pictures: list[Picture]
    left_out: list[LeftOut]
    read: set[str]
    """Files whose annotations were read."""


@dataclass(frozen=True, slots=True)
class DrawnMask:
    """A mask as an 8-bit grey PNG, drawn when it is needed."""

    width: int
    height: int
    layers: tuple[tuple[Shape, int], ...]
    """Painted in this order."""

    def make(self) -> bytes:
        """The same bytes every time."""
        canvas = np.zeros((self.height, self.width), np.uint8)
        for shape, value in self.layers:
            shape.paint(canvas, value)
        buffer = io.BytesIO()
        Image.fromarray(canvas, "L").save(buffer, "PNG")
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class EmbeddedPicture:
    """A picture within a LabelMe file, as base64."""

    json_file: Path

    def make(self) -> bytes:
        """Its bytes; Unusable if there are none."""
        name = self.json_file.name
        text = json_files.field(json_files.load(self.json_file, name), "imageData", str, name)
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Unusable(
                "BAD_PICTURE", f"{name}: imageData is no base64 ({error}); put the picture beside the file"
            ) from error


def annotation_files(walked: Walk, suffix: str) -> Iterator[tuple[Path, str]]:
    """Files of a kind anywhere below the folder, with their path below it."""
    return ((file, name) for name, file in walked.files.items() if name.lower().endswith(suffix))


class Pictures:
    """The image files below a folder, found as annotations mean them, and never outside of it."""

    def __init__(self, walked: Walk, *, without: frozenset[str] = frozenset()) -> None:
        """`without` names folders that hold other images, in small letters."""
        self.folder = walked.folder
        self._files = {
            name: path
            for name, path in walked.files.items()
            if path.suffix.lower() in IMAGE_SUFFIXES and without.isdisjoint(name.lower().split("/")[:-1])
        }
        self._others = {name for name in walked.files if Path(name).suffix.lower() not in IMAGE_SUFFIXES}
        self._loose: defaultdict[str, list[str]] = defaultdict(list)
        for origin in self._files:
            pure = PurePosixPath(origin)
            for spelling in {pure.name, pure.stem}:
                self._loose[spelling].append(origin)

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        """Path below the folder and file, in order."""
        return iter(sorted(self._files.items()))

    def __contains__(self, origin: str) -> bool:
        return origin in self._files

    def __getitem__(self, origin: str) -> Path:
        return self._files[origin]

    def find(self, written: str, places: Sequence[str], where: str) -> str:
        """The path below the folder of the picture that `where` calls `written`; Unusable.

        It is looked for in each of `places` (folders below the folder, "" for itself), and then by its name
        alone, if that is there once.
        """
        path = PureWindowsPath(written)
        plain = path.as_posix()
        if not plain or plain == "." or "\0" in plain:
            raise Unusable("BAD_ANNOTATION", f"{where} names no picture; export it again")
        spellings = [os.path.normpath(f"{place}/{plain}" if place else plain) for place in places]
        if path.drive or path.root or all(one.startswith("..") for one in spellings):
            raise Unusable(
                "OUTSIDE_FOLDER",
                f"{where} names {written!r}, which leads outside of {self.folder.name}/; only pictures in "
                "the folder are read: put it there and name it relative to the annotation",
            )
        for spelling in spellings:
            if spelling in self._files:
                return spelling
        candidates = self._loose.get(path.name, [])
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            some = ", ".join(candidates[:3])
            raise Unusable(
                "AMBIGUOUS_PICTURE",
                f"{where} names {written!r}, and there are {len(candidates)} of that name ({some}); "
                "name it with its folder",
            )
        other = next((one for one in spellings if one in self._others), None)
        if other is not None:
            kind = PurePosixPath(other).suffix[1:].upper()
            raise Unusable(
                "OTHER_FORMAT",
                f"{where} names {written!r}, and {kind or 'a file without an extension'} is not taken; "
                "save it as PNG and name that",
            )
        raise Unusable(
            "MISSING_PICTURE",
            f"{where} names {written!r}, which is not in {self.folder.name}/; put it beside the annotations",
        )


def assemble(walked: Walk, kind: str, found: Annotations, options: ImportOptions) -> FolderListing:
    """The samples of annotated pictures; FolderUnreadable if a label is no code and no --map says more."""
    codes = _codes_of(found.pictures, options)
    left_out = list(found.left_out)
    samples: dict[str, FoundSample] = {}
    for picture in found.pictures:
        try:
            with unusable_on_failure(picture.annotation or picture.origin):
                sample = _sample(picture, codes, options, left_out)
        except Unusable as unusable:
            left_out.append(_refused(picture, unusable.reason, unusable.message))
            continue
        taken = samples.setdefault(sample.file, sample)
        if taken is not sample:
            message = f"{taken.origin} is imported as {sample.file} already; rename one of the two"
            left_out.append(_refused(picture, "NAME_TAKEN", message))
    listing = FolderListing(
        folder=walked.folder,
        samples=tuple(samples.values()),
        left_out=tuple(left_out),
        format=kind,
        mask_codes=options.mask_codes,
    )
    return complete(listing, walked, options, found.read)


def _refused(picture: Picture, reason: str, message: str) -> LeftOut:
    """The line of a picture that is no sample; one within a LabelMe file is a part of that file."""
    return LeftOut(picture.origin, reason, message, is_part=not isinstance(picture.image, Path))


def _codes_of(pictures: Iterable[Picture], options: ImportOptions) -> dict[str, str]:
    """Each label's code; empty for one that is to be left out."""
    counts = Counter(region.label for picture in pictures for region in picture.regions)
    codes = {label: options.code_of_label.get(label, label) for label in counts}
    bad = [label for label, code in codes.items() if code and not is_code(code)]
    bad += [label for label in codes if not label and label not in options.code_of_label]
    if bad:
        suggestions = "".join(
            f'\n  {label!r} ({counts[label]} times): --map "{label}={_suggested(label)}"'
            for label in sorted(bad)
        )
        raise FolderUnreadable(
            f"{len(bad)} label(s) are no defect codes; a code is 1 to 32 of A-Z a-z 0-9 _ - (W3). Say "
            f"what they mean, or leave them out with nothing behind the =:{suggestions}"
        )
    unused = sorted(set(options.code_of_label) - set(counts))
    if unused:
        labels = ", ".join(repr(label) for label in sorted(counts)) or "none"
        raise FolderUnreadable(f"--map names {unused[0]!r}, which is no label here; the labels are: {labels}")
    check_codes((code for code in codes.values() if code), options)
    return codes


def _sample(
    picture: Picture, codes: dict[str, str], options: ImportOptions, left_out: list[LeftOut]
) -> FoundSample:
    width, height, suffix = _header(picture)
    if picture.stated_size not in (None, (width, height)):
        raise _other_size(picture, picture.stated_size, (width, height))
    _refuse_costly(picture, width, height)
    by_code = _regions_by_code(picture, codes, (width, height), left_out)
    name = _listed_name(picture.origin, suffix)
    if not by_code:
        return _background(picture, name, DrawnMask(width, height, ()), options)
    code = next(iter(by_code))
    if len(by_code) > 1:
        areas = {code: area_px(shapes, width, height) for code, shapes in by_code.items()}
        code = min(by_code, key=lambda one: (-areas[one], one))
        others = ", ".join(f"{one} ({areas[one]:,} px)" for one in sorted(by_code) if one != code)
        if options.mask_codes:
            lost = f"{others} are in the mask only"
        else:
            lost = f"{others} are not taken; --mask-codes {','.join(sorted(by_code))} keeps them in the mask"
        message = f"a sample has one code, that of the largest area: {code} ({areas[code]:,} px); {lost}"
        left_out.append(LeftOut(picture.origin, "OTHER_CODES", message, is_part=True))
    if options.mask_codes:
        values = {code: options.mask_codes.index(code) + 1 for code in by_code}
        layers = [(shape, values[one]) for one, shapes in by_code.items() for shape in shapes]
        # Large ones first, so that a small defect on a stain stays visible.
        layers.sort(key=lambda layer: _extent(layer[0]), reverse=True)
    else:
        layers = [(shape, 255) for shape in by_code[code]]
    return FoundSample(
        f"{code}/{name}", picture.image, DrawnMask(width, height, tuple(layers)), origin=picture.origin
    )


def _refuse_costly(picture: Picture, width: int, height: int) -> None:
    """Unusable where painting takes too long, or where a shape of bearable cost cannot be painted."""
    limit = _COST_PER_PIXEL * width * height + _COST_BESIDE
    if sum(region.shape.cost(width, height) for region in picture.regions) > limit:
        raise Unusable(
            "TOO_COMPLEX",
            f"painting the {len(picture.regions)} region(s) of {picture.annotation} takes more than "
            f"{limit:,} pixels and edges; draw them with fewer points, or smaller masks",
        )
    for region in picture.regions:
        try:
            region.shape.check()
        except Exception as error:  # Pillow's parsers raise almost anything on hostile bytes
            raise Unusable(
                "BAD_ANNOTATION",
                f"{picture.annotation}: the mask of a shape {region.label!r} is no PNG in base64 "
                f"({fact_of(error)}); draw it again",
            ) from error


def unannotated(origin: str, path: Path, unread: str | None) -> Picture:
    """A picture that no annotation names; `unread` is a file that could not be read and may have done so."""
    return Picture(origin, path, unread or "", faulty=unread is not None)


def _background(picture: Picture, name: str, mask: DrawnMask, options: ImportOptions) -> FoundSample:
    if picture.regions or picture.faulty:
        raise Unusable(
            "NOTHING_LEFT",
            f"nothing of what {picture.annotation} says of it can be taken, so it has no code; see there",
        )
    if not picture.annotation and mask_files.is_mask(PurePosixPath(picture.origin).name):
        raise Unusable(
            "MASK_WITHOUT_ANNOTATION",
            "a mask by its name, and masks beside annotations are not read; rename it if it is a picture, or "
            "import the masks with --format folders",
        )
    if not options.background_code:
        fact = f"{picture.annotation} marks nothing on it" if picture.annotation else "no annotation names it"
        raise Unusable(
            "NO_ANNOTATION",
            f"{fact}; annotate it, or say with --background-code which code such pictures have",
        )
    return FoundSample(f"{options.background_code}/{name}", picture.image, mask, origin=picture.origin)


def _regions_by_code(
    picture: Picture, codes: dict[str, str], size: tuple[int, int], left_out: list[LeftOut]
) -> dict[str, list[Shape]]:
    width, height = size
    by_code: defaultdict[str, list[Shape]] = defaultdict(list)
    reasons: Counter[str] = Counter()
    for region in picture.regions:
        shape = region.shape
        if shape.frame not in (None, size):
            raise _other_size(picture, shape.frame, size)
        code = codes[region.label]
        left, top, right, bottom = shape.bounds
        if not code:
            reasons["IGNORED"] += 1
        elif left >= width or top >= height or right < 0 or bottom < 0:
            reasons["OUTSIDE_PICTURE"] += 1
        else:
            beyond = max(-left, -top, right - width, bottom - height)
            reasons["CLIPPED"] += beyond > _CLIP_TOLERANCE_PX
            by_code[code].append(shape)
    for reason, count in (+reasons).items():
        message = f"{count} of {len(picture.regions)} region(s) of {picture.annotation} {_PARTS[reason]}"
        message = message.format(width=width, height=height)
        left_out.append(LeftOut(picture.origin, reason, message, is_part=True))
    return dict(by_code)


_PARTS = {
    "IGNORED": "have a label that --map leaves out",
    "OUTSIDE_PICTURE": "lie wholly outside of the picture of {width}×{height}; correct them",
    "CLIPPED": "reach outside of the picture of {width}×{height}; the part outside was cut off",
}


def _header(picture: Picture) -> tuple[int, int, str]:
    """Width, height and suffix by what the file itself says, without decoding it."""
    embedded = not isinstance(picture.image, Path)
    name = f"{picture.annotation}: imageData" if embedded else picture.origin
    try:
        source = (
            open_file(picture.image) if isinstance(picture.image, Path) else io.BytesIO(picture.image.make())
        )
    except OSError as error:
        raise unreadable(name, error) from error
    try:
        with source, opened_image(source, *_SUFFIX_OF_FORMAT) as image:
            (width, height), kind = image.size, str(image.format)
            # `getexif` decodes a PNG without EXIF completely, to look behind its pixels.
            has_exif = kind != "PNG" or "exif" in image.info
            orientation = image.getexif().get(0x0112, 1) if has_exif else 1
            turned = orientation not in (0, 1)
            if orientation in {5, 6, 7, 8}:
                # As shown: that is how it is decoded. Some versions of Pillow turn that of a TIFF already.
                width, height = _shown(image, (width, height))
    except Image.DecompressionBombError as error:
        raise Unusable(
            "TOO_LARGE", f"{name} says it has more pixels than can be taken: {fact_of(error)}"
        ) from error
    except Exception as error:  # Pillow's parsers raise almost anything on hostile bytes
        raise Unusable(
            "BAD_PICTURE", f"{name} is no readable image ({fact_of(error)}); replace it"
        ) from error
    if width * height > MAX_PIXELS:
        raise Unusable("TOO_LARGE", f"{name} has {width}×{height} pixels; the limit is {MAX_PIXELS:,}")
    if turned and picture.regions:
        raise Unusable(
            "TURNED",
            f"{name} is turned by its EXIF orientation, and annotations may mean it as shown or as stored; "
            "save it upright without one, and its annotation again",
        )
    suffix = PurePosixPath(picture.origin).suffix
    return width, height, _SUFFIX_OF_FORMAT[kind] if embedded else suffix


def _shown(image: Image.Image, size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a picture on its side, as it is shown."""
    if image.format != "TIFF":
        return size[::-1]
    stored = (image.tag_v2[256], image.tag_v2[257])  # type: ignore[attr-defined]
    return stored[::-1]


def _other_size(picture: Picture, stated_size: tuple[int, int] | None, size: tuple[int, int]) -> Unusable:
    stated_text = f"{stated_size[0]}×{stated_size[1]}" if stated_size else "?"
    turned = " (turned by a quarter)" if stated_size == size[::-1] else ""
    return Unusable(
        "SIZE_DIFFERS",
        f"{picture.annotation} is for a picture of {stated_text}, this one is {size[0]}×{size[1]}{turned}; "
        "annotate this one, or put back the one that was annotated",
    )


def _listed_name(origin: str, suffix: str) -> str:
    """The sample's file name: that of the picture, with its folders in front where they say something."""
    path = PurePosixPath(origin)
    folders = (part for part in path.parts[:-1] if part.lower() not in _PICTURE_FOLDERS)
    return "__".join((*folders, path.stem + suffix))


def _extent(shape: Shape) -> float:
    left, top, right, bottom = shape.bounds
    return (right - left) * (bottom - top)


def _suggested(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", label).strip("_")[:32] or "CODE"
