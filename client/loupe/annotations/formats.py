"""The annotation formats: which of them a folder holds, and their readers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

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
_LOADERS: dict[str, Callable[[Path, str], object]] = {".json": json_files.load, ".xml": load_xml}
"""What reads a file of a suffix; Unusable if it is broken."""
_MAX_PROBED_FILES = 20
"""Files of a kind that are opened to find out the format."""


def read_annotated(walked: Walk, kind: str, options: ImportOptions) -> FolderListing:
    """List a folder that holds annotations of that format, one of SUFFIX_OF_FORMAT."""
    return assemble(walked, kind, READERS[kind].read(walked, options), options)


def find_formats(walked: Walk) -> tuple[dict[str, str], list[Unusable]]:
    """The formats that the folder holds, each with a file or folder that shows it; and what is broken."""
    found: dict[str, str] = {}
    broken: list[Unusable] = []
    for file, name in chain.from_iterable(_probed(walked, suffix) for suffix in _LOADERS):
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
    suffix = file.suffix.lower()
    content = _LOADERS[suffix](file, name)
    return next(
        (
            kind
            for kind, reader in READERS.items()
            if SUFFIX_OF_FORMAT[kind] == suffix and reader.recognises(content)
        ),
        "",
    )


def _probed(walked: Walk, suffix: str) -> Iterator[tuple[Path, str]]:
    """A few files of a kind, those at the top before others."""
    files = sorted(annotation_files(walked, suffix), key=lambda item: "/" in item[1])
    return iter(files[:_MAX_PROBED_FILES])
