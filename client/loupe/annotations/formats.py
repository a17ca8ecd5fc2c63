"""The annotation formats: which of them a folder holds, and their readers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from loupe.annotations import SUFFIX_OF_FORMAT, json_files
from loupe.annotations.coco import is_coco, read_coco
from loupe.annotations.labelme import is_labelme, read_labelme
from loupe.annotations.pictures import Annotations, annotation_files, assemble
from loupe.annotations.voc import is_voc, load_xml, read_voc
from loupe.folders import VOC_MASK_FOLDER, FolderListing, ImportOptions
from loupe.unusable import Unusable, unusable_on_failure
from loupe.walking import Walk


@dataclass(frozen=True, slots=True)
class Reader:
    """What one format needs."""

    recognises: Callable[[Any], bool]
    """Whether the content of a file, as `_LOADERS` gives it, is of the format."""
    read: Callable[[Walk, ImportOptions], Annotations]
    """All annotations of the format in a folder."""


READERS = {
    "labelme": Reader(is_labelme, read_labelme),
    "coco": Reader(is_coco, read_coco),
    "voc": Reader(is_voc, read_voc),
}
"""By the names of SUFFIX_OF_FORMAT. Where a file could be of two formats, the first one counts."""
_LOADERS: dict[str, Callable[[Path, str], json_files.Content]] = {".json": json_files.load, ".xml": load_xml}
"""What reads a file of a suffix; Unusable if it is broken."""
_PROBED_FILES = 20
"""Files of a kind that are opened to find out the format. If none says it, the others are opened too (D5)."""
_SIGNS = frozenset({"shapes", "imagePath", "imageData", "annotations", "regions", "_via_img_metadata"})
"""What JSON of annotation tools has, of formats that are not read too."""


def read_annotated(walked: Walk, kind: str, options: ImportOptions) -> FolderListing:
    """List a folder that holds annotations of that format, one of SUFFIX_OF_FORMAT."""
    return assemble(walked, kind, READERS[kind].read(walked, options), options)


def find_formats(walked: Walk) -> tuple[dict[str, str], dict[str, Unusable]]:
    """The formats that the folder holds, each with a file or folder that shows it; and what is unclear.

    Unclear is, by its name, a file that cannot be read, or that looks like annotations of another format.
    """
    found: dict[str, str] = {}
    unclear: dict[str, Unusable] = {}
    for suffix in _LOADERS:
        # Those at the top before others.
        files = sorted(annotation_files(walked, suffix), key=lambda item: "/" in item[1])
        for index, (file, name) in enumerate(files):
            if index >= _PROBED_FILES and found:
                break
            try:
                with unusable_on_failure(name):
                    kind = _kind(file, name)
            except Unusable as unusable:
                unclear[name] = unusable
            else:
                found.setdefault(kind, name)
                found.pop("", None)
    if any(folder.split("/")[:2][-1] == VOC_MASK_FOLDER for folder in walked.folders):
        found.setdefault("voc", VOC_MASK_FOLDER)
    return found, unclear


def _kind(file: Path, name: str) -> str:
    """The format of a file, or nothing; Unusable if it is broken, or looks like annotations of no format."""
    suffix = file.suffix.lower()
    value = _LOADERS[suffix](file, name).value
    for kind, reader in READERS.items():
        if SUFFIX_OF_FORMAT[kind] == suffix and reader.recognises(value):
            return kind
    if sign := _sign(value):
        raise Unusable(
            "UNKNOWN_FORMAT",
            f"{name} looks like annotations ({sign}), and is of none of {', '.join(READERS)}; export it as "
            "one of them",
        )
    return ""


def _sign(value: Any) -> str:  # noqa: ANN401 -- what a file holds is anything
    """What in a file looks like annotations, if anything does."""
    if isinstance(value, ET.Element):
        return "<annotations>" if value.tag == "annotations" else ""
    rows = [value]
    if isinstance(value, dict | list):
        rows += list(value.values() if isinstance(value, dict) else value)[:1]
    for row in rows:
        if isinstance(row, dict) and (signs := sorted(_SIGNS & row.keys())):
            return signs[0]
    return ""
