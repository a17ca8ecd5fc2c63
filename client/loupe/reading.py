"""Reads a folder in any format that can be imported (D1), and finds out which one it is."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from loupe.annotations import json_files
from loupe.annotations.coco import is_coco, read_coco
from loupe.annotations.faults import Unusable, whatever_fails
from loupe.annotations.labelme import is_labelme, read_labelme
from loupe.annotations.pictures import Annotations, annotation_files, assemble
from loupe.annotations.voc import SEGMENTATION, load_xml, read_voc
from loupe.folders import FolderListing, FolderUnreadable, ImportOptions, is_code, list_codes, walk_folder
from loupe.walking import Walk

FORMATS = ("folders", "labelme", "coco", "voc")
_READERS: dict[str, Callable[[Walk, ImportOptions], Annotations]] = {
    "labelme": read_labelme,
    "coco": read_coco,
    "voc": read_voc,
}
_LOOKED_AT = 20
"""Files of a kind that are opened to find out the format."""


def read_data(folder: Path, options: ImportOptions | None = None, *, kind: str = "auto") -> FolderListing:
    """List `folder`, of one of FORMATS or of the one that it looks like; FolderUnreadable with the remedy."""
    options = options or ImportOptions()
    walked = walk_folder(folder)
    _check_options(options)
    if kind == "auto":
        kind = _detect(walked)
    if kind != "folders":
        return assemble(walked, kind, _READERS[kind](walked, options), options)
    if options.background_code:
        raise FolderUnreadable(
            "--background-code is for annotations; in folders, put such pictures into <CODE>/"
        )
    return list_codes(walked, options)


def detect(folder: Path) -> str:
    """The format of what lies in the folder; FolderUnreadable if that is not one."""
    return _detect(walk_folder(folder))


def _detect(walked: Walk) -> str:
    folder = walked.folder
    found: dict[str, str] = {}
    broken: list[Unusable] = []
    for file, name in chain(_first(walked, ".json"), _first(walked, ".xml")):
        try:
            with whatever_fails(name):
                kind = _kind(file, name)
        except Unusable as unusable:
            broken.append(unusable)
        else:
            found.setdefault(kind, name)
    found.pop("", None)
    if any(one.split("/")[:2][-1] == SEGMENTATION for one in walked.folders):
        found.setdefault("voc", SEGMENTATION)
    if len(found) > 1:
        told = ", ".join(f"{name} ({kind})" for kind, name in found.items())
        raise FolderUnreadable(
            f"{folder} holds annotations of several formats: {told}; choose one with --format"
        )
    if found:
        return next(iter(found))
    if broken and not list_codes(walked, ImportOptions()).samples:
        raise FolderUnreadable(broken[0].message)
    return "folders"


def _kind(file: Path, name: str) -> str:
    """Whose file it is, or nothing; Unusable if it is broken."""
    if file.suffix.lower() == ".xml":
        return "voc" if load_xml(file, name).tag == "annotation" else ""
    value = json_files.load(file, name)
    return "labelme" if is_labelme(value) else "coco" if is_coco(value) else ""


def _first(walked: Walk, suffix: str) -> Iterator[tuple[Path, str]]:
    """A few files of a kind, those at the top first."""
    files = sorted(annotation_files(walked, suffix), key=lambda item: "/" in item[1])
    return iter(files[:_LOOKED_AT])


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
