"""Reads a folder in any format that can be imported (D1), and finds out which one it is.

Folders of codes need nothing but the standard library. Annotations need the extra `loupe-client[import]`,
which is imported only for a folder that may hold some.
"""

from pathlib import Path

from loupe.annotations import SUFFIX_OF_FORMAT
from loupe.deep_pictures import require_pillow
from loupe.extras import IMPORT, needs
from loupe.folders import (
    VOC_MASK_FOLDER,
    FolderListing,
    FolderUnreadable,
    ImportOptions,
    is_code,
    list_codes,
    walk_folder,
)
from loupe.walking import Walk

FORMATS = ("folders", *SUFFIX_OF_FORMAT)


def read_data(folder: Path, options: ImportOptions | None = None, *, kind: str = "auto") -> FolderListing:
    """List `folder`, of one of FORMATS or of the one that it looks like; FolderUnreadable with the remedy."""
    options = options or ImportOptions()
    walked = walk_folder(folder)
    _check_options(options)
    if options.bits:
        require_pillow()
    if kind == "auto":
        kind = _detect(walked)
    if kind != "folders":
        with needs(IMPORT):
            from loupe.annotations.formats import read_annotated  # noqa: PLC0415 -- an extra
        return read_annotated(walked, kind, options)
    if options.background_code:
        raise FolderUnreadable(
            "--background-code is for annotations; in folders, put such pictures into <CODE>/"
        )
    return list_codes(walked, options)


def detect(folder: Path) -> str:
    """The format of what lies in the folder; FolderUnreadable if that is not one."""
    return _detect(walk_folder(folder))


def _detect(walked: Walk) -> str:
    if not _may_hold_annotations(walked):
        return "folders"
    with needs(IMPORT):
        from loupe.annotations.formats import find_formats  # noqa: PLC0415 -- an extra
    found, unclear = find_formats(walked)
    if len(found) > 1:
        listed = ", ".join(f"{name} ({kind})" for kind, name in found.items())
        raise FolderUnreadable(
            f"{walked.folder} holds annotations of several formats: {listed}; choose one with --format"
        )
    kind = next(iter(found), "folders")
    # The reader of the format names each of its own files that it cannot take.
    for name, unusable in unclear.items():
        if not name.lower().endswith(SUFFIX_OF_FORMAT.get(kind, " ")):
            raise FolderUnreadable(
                f"{unusable.message}. If it holds no annotations of these pictures, say what does with "
                f"--format {kind}"
            )
    return kind


def _may_hold_annotations(walked: Walk) -> bool:
    """Whether there is a file that could be annotations, or a folder of Pascal VOC's masks."""
    suffixes = tuple(SUFFIX_OF_FORMAT.values())
    return any(name.lower().endswith(suffixes) for name in walked.files) or any(
        VOC_MASK_FOLDER in folder.split("/") for folder in walked.folders
    )


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
