"""Makes samples of annotated pictures: one code each (D1), masks drawn at upload, and what is not taken."""

import base64
import binascii
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from loupe import mask_files
from loupe.annotations import json_files
from loupe.annotations.shapes import MAX_PIXELS, Polygon, Shape, area_px, opened_image
from loupe.folders import (
    FolderListing,
    FolderUnreadable,
    FoundSample,
    GeneratedBytes,
    ImportOptions,
    Remark,
    check_codes,
    complete,
    is_code,
    name_taken,
)
from loupe.text import fact_of
from loupe.unusable import Unusable, unreadable, unusable_on_failure
from loupe.walking import LeftOut, Walk, open_file
from PIL import Image

_PICTURE_FOLDERS = frozenset({"images", "image", "jpegimages"})
"""Folders of these names say nothing of a picture and are not part of its sample's name."""
_OVER_EDGE_PX = 1
"""Tools round coordinates, and some count pixels from 1: so far beyond the edge is no fault (D5)."""
_COST_PER_PIXEL, _COST_BESIDE = 20, 200_000_000
"""The largest cost of painting all regions of a picture: 20 times all over it, and seconds beside."""
_SUFFIX_OF_FORMAT = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif"}


@dataclass(frozen=True, slots=True)
class Region:
    """One annotated shape with its label as written."""

    label: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Fault:
    """An annotation of a picture that cannot be taken, with its label as written, if it has one."""

    label: str | None
    unusable: Unusable


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
    labels: list[str] = field(default_factory=list)
    """Of the picture as a whole, without a region."""
    flags: dict[str, bool] = field(default_factory=dict)
    """LabelMe's, which are labels of the picture if they are codes, and may be notes."""
    faults: list[Fault] = field(default_factory=list)
    is_unsure: bool = False
    """Whether an annotation that could not be taken may be about it; such a picture is no background."""


@dataclass(frozen=True, slots=True)
class Annotations:
    """The result of a reader."""

    pictures: list[Picture]
    left_out: list[LeftOut]
    read: set[str]
    """Files whose annotations were read."""
    remarks: list[Remark] = field(default_factory=list)


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
        text = json_files.field(json_files.load(self.json_file, name).value, "imageData", str, name)
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Unusable(
                "BAD_PICTURE", f"{name}: imageData is no base64 ({error}); put the picture beside the file"
            ) from error


def annotation_files(walked: Walk, suffix: str) -> Iterator[tuple[Path, str]]:
    """Files of a kind anywhere below the folder, with their path below it."""
    return ((file, name) for name, file in walked.files.items() if name.lower().endswith(suffix))


def assemble(walked: Walk, kind: str, found: Annotations, options: ImportOptions) -> FolderListing:
    """The samples of annotated pictures; FolderUnreadable if a label is no code and no --map says more."""
    codes = _codes_of(found.pictures, options)
    left_out = list(found.left_out)
    remarks = list(found.remarks)
    samples: dict[str, FoundSample] = {}
    for picture in found.pictures:
        left_out += [fault.unusable.line(picture.origin, is_part=True) for fault in picture.faults]
        try:
            with unusable_on_failure(picture.annotation or picture.origin):
                sample = _sample(picture, codes, options, left_out)
        except Unusable as unusable:
            left_out.append(unusable.line(picture.origin, is_part=_is_within(picture)))
            continue
        taken = samples.setdefault(sample.file, sample)
        if taken is not sample:
            left_out.append(name_taken(taken, picture.origin, is_part=_is_within(picture)))
        else:
            remarks += _remarks(picture, sample, codes)
    taken_origins = {sample.origin for sample in samples.values()}
    all_origins = {picture.origin for picture in found.pictures}
    listing = FolderListing(
        folder=walked.folder,
        samples=tuple(samples.values()),
        left_out=tuple(left_out),
        format=kind,
        mask_codes=options.mask_codes,
        # Of a picture that is not taken, nothing was concluded.
        remarks=tuple(
            sorted(
                (one for one in remarks if one.file in taken_origins or one.file not in all_origins),
                key=lambda remark: (remark.file, remark.reason),
            )
        ),
    )
    return complete(listing, walked, options, found.read)


def _is_within(picture: Picture) -> bool:
    """Whether it is a part of its LabelMe file."""
    return not isinstance(picture.image, Path)


def _remarks(picture: Picture, sample: FoundSample, codes: dict[str, str]) -> Iterator[Remark]:
    """What a person should look at: a code of flags, or one that the picture's folder contradicts."""
    if picture.flags and not picture.regions and picture.labels:
        message = f"{sample.code} is the flag that {picture.annotation} sets, which marks nothing else"
        yield Remark(picture.origin, "CODE_OF_FLAG", message)
    other = _code_of_folder(picture.origin, codes)
    if other not in (None, sample.code):
        message = f"annotated as {sample.code}, and it lies in the folder {other}; look which is right"
        yield Remark(picture.origin, "FOLDER_OF_OTHER_CODE", message)


def _code_of_folder(origin: str, codes: dict[str, str]) -> str | None:
    """The code by whose name a folder above the picture is called, if one of the annotations has it."""
    known = set(codes.values())
    return next((part for part in reversed(PurePosixPath(origin).parts[:-1]) if part in known), None)


def _codes_of(pictures: Sequence[Picture], options: ImportOptions) -> dict[str, str]:
    """Each label's code; empty for one that is to be left out."""
    unclear = _read_flags(pictures, options)
    counts = Counter(region.label for picture in pictures for region in picture.regions)
    counts.update(label for picture in pictures for label in picture.labels)
    codes = {label: options.code_of_label.get(label, label) for label in counts}
    bad = {label for label, code in codes.items() if code and not is_code(code)} | unclear
    bad |= {label for label in codes if not label and label not in options.code_of_label}
    if bad:
        suggestions = "".join(
            f"\n  {label!r} ({counts[label]} times{', perhaps a note' if label in unclear else ''}): "
            f'--map "{label}={_suggested(label)}"'
            for label in sorted(bad)
        )
        raise FolderUnreadable(
            f"{len(bad)} label(s) are no defect codes, or may be none; a code is 1 to 32 of A-Z a-z 0-9 "
            f"_ - (W3). Say what they mean, or leave them out with nothing behind the =:{suggestions}"
        )
    others = {name for picture in pictures for name in picture.flags}
    others.update(fault.label for picture in pictures for fault in picture.faults if fault.label is not None)
    unused = sorted(set(options.code_of_label) - set(counts) - others)
    if unused:
        labels = ", ".join(repr(label) for label in sorted(counts)) or "none"
        raise FolderUnreadable(f"--map names {unused[0]!r}, which is no label here; the labels are: {labels}")
    check_codes((code for code in codes.values() if code), options)
    return codes


def _read_flags(pictures: Sequence[Picture], options: ImportOptions) -> set[str]:
    """Make those flags labels that are; returns those of which nothing says whether they are.

    Flags are labels where nothing else is. Beside annotated regions they may be notes, such as "verified".
    """
    labels = {region.label for picture in pictures for region in picture.regions}
    known = {*labels, *options.code_of_label, *options.code_of_label.values(), *options.mask_codes}
    known.add(options.background_code)
    unclear: set[str] = set()
    for picture in pictures:
        flagged = [name for name, is_set in picture.flags.items() if is_set]
        if picture.regions:
            picture.labels += [name for name in flagged if name in known]
        else:
            picture.labels += flagged
            unclear.update(name for name in flagged if labels and name not in known)
    return unclear


def _sample(
    picture: Picture, codes: dict[str, str], options: ImportOptions, left_out: list[LeftOut]
) -> FoundSample:
    width, height, suffix = _header(picture)
    if picture.stated_size not in (None, (width, height)):
        raise _other_size(picture, picture.stated_size, (width, height))
    _refuse_incomplete(picture, options)
    _refuse_costly(picture, width, height)
    by_code = _regions_by_code(picture, codes, (width, height), left_out)
    whole = {codes[label] for label in picture.labels} - {""}
    name = _listed_name(picture.origin, suffix)
    nothing = DrawnMask(width, height, ())
    if not by_code and not whole:
        return _background(picture, name, nothing, codes, options)
    code = _code(picture, by_code, whole, (width, height))
    if not by_code:
        # Nobody said which pixels show a defect: there is no mask, which is not an empty one.
        mask = nothing if code == options.background_code else None
        return FoundSample(f"{code}/{name}", picture.image, mask, origin=picture.origin)
    if len(by_code) > 1:
        left_out.append(_other_codes(picture, code, by_code, (width, height), options))
    if options.mask_codes:
        values = {code: options.mask_codes.index(code) + 1 for code in by_code}
        layers = [(shape, values[one]) for one, shapes in by_code.items() for shape in shapes]
        # Large ones first, so that a small defect on a stain stays visible.
        layers.sort(key=lambda layer: _covered(layer[0]), reverse=True)
    else:
        layers = [(shape, 255) for shape in by_code[code]]
    return FoundSample(
        f"{code}/{name}", picture.image, DrawnMask(width, height, tuple(layers)), origin=picture.origin
    )


def _code(picture: Picture, by_code: dict[str, list[Shape]], whole: set[str], size: tuple[int, int]) -> str:
    """That of the picture as a whole, if it has one, else that of the largest area; Unusable."""
    if len(whole) > 1 or (by_code and not whole <= set(by_code)):
        said = f"as a whole {', '.join(sorted(whole))}"
        said += f", and regions of {', '.join(sorted(by_code))}" if by_code else ""
        raise Unusable(
            "SEVERAL_CODES",
            f"{picture.annotation} gives the picture {said}; a sample has one code: leave one, or leave the "
            "others out with --map",
        )
    if whole:
        return whole.pop()
    if len(by_code) == 1:
        return next(iter(by_code))
    areas = {code: area_px(shapes, *size) for code, shapes in by_code.items()}
    return min(by_code, key=lambda one: (-areas[one], one))


def _other_codes(
    picture: Picture,
    code: str,
    by_code: dict[str, list[Shape]],
    size: tuple[int, int],
    options: ImportOptions,
) -> LeftOut:
    """Says that a sample has one code, and what becomes of the others."""
    areas = {one: area_px(shapes, *size) for one, shapes in by_code.items()}
    others = ", ".join(f"{one} ({areas[one]:,} px)" for one in sorted(by_code) if one != code)
    if options.mask_codes:
        lost = f"{others} are in the mask only"
    else:
        lost = f"{others} are not taken; --mask-codes {','.join(sorted(by_code))} keeps them in the mask"
    why = "that of the picture as a whole" if picture.labels else "that of the largest area"
    message = f"a sample has one code, {why}: {code} ({areas[code]:,} px); {lost}"
    return LeftOut(picture.origin, "OTHER_CODES", message, is_part=True)


def _refuse_incomplete(picture: Picture, options: ImportOptions) -> None:
    """Unusable where annotations cannot be taken: code and mask of the others would not be what was meant."""
    lacking = [
        fault
        for fault in picture.faults
        if fault.label is None or options.code_of_label.get(fault.label, fault.label)
    ]
    if lacking and (picture.regions or picture.labels):
        raise Unusable(
            "INCOMPLETE",
            f"{len(lacking)} annotation(s) of it cannot be taken, and code and mask of the others would not "
            f"be what {picture.annotation} means: {lacking[0].unusable.message}",
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
        region.shape.check()


def _background(
    picture: Picture, name: str, mask: DrawnMask, codes: dict[str, str], options: ImportOptions
) -> FoundSample:
    if picture.regions or picture.faults or picture.is_unsure:
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
    folder = _code_of_folder(picture.origin, codes)
    if folder not in (None, options.background_code):
        raise Unusable(
            "NO_ANNOTATION",
            f"nothing is annotated on it, and it lies in the folder {folder}, which is the code of others; "
            "annotate it, or import the folders with --format folders",
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
    code_of_polygon: dict[Shape, str] = {}
    ignored = outside = 0
    for region in picture.regions:
        shape = region.shape
        if shape.frame not in (None, size):
            raise _other_size(picture, shape.frame, size)
        code = codes[region.label]
        left, top, right, bottom = shape.extent
        beyond = max(-left, -top, right - width, bottom - height)
        if not code:
            ignored += 1
        elif left >= width or top >= height or beyond > _OVER_EDGE_PX or _is_before(shape, size):
            outside += 1
        else:
            by_code[code].append(shape)
            if isinstance(shape, Polygon) and (other := code_of_polygon.setdefault(shape, code)) != code:
                raise Unusable(
                    "CONTRADICTORY",
                    f"{picture.annotation} marks the same place as {other} and as {code}; remove one",
                )
    if outside:
        raise Unusable(
            "OUTSIDE_PICTURE",
            f"{outside} of {len(picture.regions)} region(s) of {picture.annotation} reach more than a pixel "
            f"outside of the picture of {width}×{height}; it may be for another picture or size: correct it",
        )
    if ignored:
        message = (
            f"{ignored} of {len(picture.regions)} region(s) of {picture.annotation} have a label that --map "
            "leaves out"
        )
        left_out.append(LeftOut(picture.origin, "IGNORED", message, is_part=True))
    return dict(by_code)


def _is_before(shape: Shape, size: tuple[int, int]) -> bool:
    """Whether it marks nothing, because it lies left of the picture or above it."""
    _, _, right, bottom = shape.extent
    least = min(right, bottom)
    return least < 0 or (least == 0 and not area_px([shape], *size))


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


def _covered(shape: Shape) -> float:
    left, top, right, bottom = shape.bounds
    return (right - left) * (bottom - top)


def _suggested(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", label).strip("_")[:32] or "CODE"
