"""Reads a folder in any format that can be imported (D1), and finds out which one it is."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from loupe.annotations import json_files
from loupe.annotations.coco import is_coco, read_coco
from loupe.annotations.faults import Unusable
from loupe.annotations.labelme import is_labelme, read_labelme
from loupe.annotations.pictures import Annotations, assemble
from loupe.annotations.voc import SEGMENTATION, load_xml, read_voc
from loupe.folders import FolderListing, FolderUnreadable, ImportOptions, check_folder, is_code, read_folder
from PIL import Image

FORMATS = ("folders", "labelme", "coco", "voc")
_READERS: dict[str, Callable[[Path, ImportOptions], Annotations]] = {
    "labelme": read_labelme,
    "coco": read_coco,
    "voc": read_voc,
}
_LOOKED_AT = 20
"""Files of a kind that are opened to find out the format."""


@dataclass(frozen=True, slots=True)
class IndexedMask:
    """A mask file whose values are indices; a palette's colours are not."""

    file: Path

    def make(self) -> bytes:
        """The file's bytes; of a palette PNG the indices as 8-bit grey."""
        data = self.file.read_bytes()
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                if image.mode != "P":
                    return data
                buffer = io.BytesIO()
                Image.frombytes("L", image.size, image.tobytes()).save(buffer, "PNG")
        except Exception:  # noqa: BLE001 -- what it really is, the registry says (D4)
            return data
        return buffer.getvalue()


def read_data(folder: Path, options: ImportOptions | None = None, *, kind: str = "auto") -> FolderListing:
    """List `folder`, of one of FORMATS or of the one that it looks like; FolderUnreadable with the remedy."""
    options = options or ImportOptions()
    check_folder(folder)
    _check_options(options)
    if kind == "auto":
        kind = detect(folder)
    if kind != "folders":
        return assemble(folder, kind, _READERS[kind](folder, options), options)
    if options.background_code:
        raise FolderUnreadable(
            "--background-code is for annotations; in folders, put such pictures into <CODE>/"
        )
    listing = read_folder(folder, options)
    if not options.mask_codes:
        return listing
    samples = tuple(
        replace(sample, mask=IndexedMask(sample.mask)) if isinstance(sample.mask, Path) else sample
        for sample in listing.samples
    )
    return replace(listing, samples=samples)


def detect(folder: Path) -> str:
    """The format of what lies in the folder; FolderUnreadable if that is not one."""
    found: dict[str, str] = {}
    broken: list[Unusable] = []
    for file, name in chain(_first(folder, "*.json"), _first(folder, "*.xml")):
        try:
            kind = _kind(file, name)
        except Unusable as unusable:
            broken.append(unusable)
        else:
            found.setdefault(kind, name)
    found.pop("", None)
    if any((one / SEGMENTATION).is_dir() for one in (folder, *_subfolders(folder))):
        found.setdefault("voc", SEGMENTATION)
    if len(found) > 1:
        told = ", ".join(f"{name} ({kind})" for kind, name in found.items())
        raise FolderUnreadable(
            f"{folder} holds annotations of several formats: {told}; choose one with --format"
        )
    if found:
        return next(iter(found))
    if broken and not read_folder(folder).samples:
        raise FolderUnreadable(broken[0].message)
    return "folders"


def _kind(file: Path, name: str) -> str:
    """Whose file it is, or nothing; Unusable if it is broken."""
    if file.suffix == ".xml":
        return "voc" if load_xml(file, name).tag == "annotation" else ""
    value = json_files.load(file, name)
    return "labelme" if is_labelme(value) else "coco" if is_coco(value) else ""


def _subfolders(folder: Path) -> list[Path]:
    return [one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")]


def _first(folder: Path, pattern: str) -> Iterator[tuple[Path, str]]:
    """A few files of a kind, those at the top first."""
    files = chain(folder.glob(pattern), folder.glob(f"*/**/{pattern}"))
    names = ((file, file.relative_to(folder).as_posix()) for file in files)
    return islice(((file, name) for file, name in names if not f"/{name}".count("/.")), _LOOKED_AT)


def _check_options(options: ImportOptions) -> None:
    codes = [options.background_code] if options.background_code else []
    for option, given in (("--background-code", codes), ("--mask-codes", options.mask_codes)):
        for code in given:
            if not is_code(code):
                raise FolderUnreadable(
                    f"{option} {code!r} is no defect code; a code is 1 to 32 of A-Z a-z 0-9 _ - (W3)"
                )
    if len(set(options.mask_codes)) != len(options.mask_codes):
        raise FolderUnreadable("--mask-codes names a code twice; each value of a mask means one code")
    if len(options.mask_codes) > 254:
        raise FolderUnreadable(
            f"--mask-codes names {len(options.mask_codes)} codes; an 8-bit mask has room for 254"
        )
