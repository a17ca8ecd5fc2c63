"""The annotation formats: which of them a folder holds, and their readers."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from loupe.annotations import json_files
from loupe.annotations.coco import is_coco, read_coco
from loupe.annotations.labelme import is_labelme, read_labelme
from loupe.annotations.pictures import Annotations, annotation_files, assemble
from loupe.annotations.voc import load_xml, read_voc
from loupe.folders import VOC_MASK_FOLDER, FolderListing, ImportOptions
from loupe.unusable import Unusable, unusable_on_failure
from loupe.walking import Walk

_READERS: dict[str, Callable[[Walk, ImportOptions], Annotations]] = {
    "labelme": read_labelme,
    "coco": read_coco,
    "voc": read_voc,
}
_MAX_PROBED_FILES = 20
"""Files of a kind that are opened to find out the format."""


def read_annotated(walked: Walk, kind: str, options: ImportOptions) -> FolderListing:
    """List a folder that holds annotations of that format: labelme, coco or voc."""
    return assemble(walked, kind, _READERS[kind](walked, options), options)


def find_formats(walked: Walk) -> tuple[dict[str, str], list[Unusable]]:
    """The formats that the folder holds, each with a file or folder that shows it; and what is broken."""
    found: dict[str, str] = {}
    broken: list[Unusable] = []
    for file, name in chain(_probed(walked, ".json"), _probed(walked, ".xml")):
        try:
            with unusable_on_failure(name):
                kind = _kind(file, name)
        except Unusable as unusable:
            broken.append(unusable)
        else:
            found.setdefault(kind, name)
    found.pop("", None)
    if any(folder.split("/")[:2][-1] == VOC_MASK_FOLDER for folder in walked.folders):
        found.setdefault("voc", VOC_MASK_FOLDER)
    return found, broken


def _kind(file: Path, name: str) -> str:
    """The format of a file, or nothing; Unusable if the file is broken."""
    if file.suffix.lower() == ".xml":
        return "voc" if load_xml(file, name).tag == "annotation" else ""
    value = json_files.load(file, name)
    return "labelme" if is_labelme(value) else "coco" if is_coco(value) else ""


def _probed(walked: Walk, suffix: str) -> Iterator[tuple[Path, str]]:
    """A few files of a kind, those at the top before others."""
    files = sorted(annotation_files(walked, suffix), key=lambda item: "/" in item[1])
    return iter(files[:_MAX_PROBED_FILES])
