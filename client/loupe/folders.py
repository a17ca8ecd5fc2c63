"""Reads a folder of sample images as an import sees it (D1): a folder per code, masks and groups beside.

Nothing is decoded here: what a file really holds is the registry's to judge (D4). This module says which
files are offered, which mask and group belong to each, and what was left out and why.
"""

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
MASK_SUFFIX = ".mask.png"
GROUPS_FILE = "groups.csv"
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
# In order of preference: the first that a table has is taken.
_FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "image_path", "name", "sample")
_GROUP_COLUMNS = (
    "group", "group_id", "tile_group", "panel", "panel_id", "tile", "tile_id", "part", "part_id",
    "glass", "glass_id", "lot", "lot_id",
)  # fmt: skip


class FolderUnreadable(ValueError):
    """The folder cannot be imported as it is; the message says what to change."""


class Made(Protocol):
    """Bytes that lie in no file of their own and are made when they are needed."""

    def make(self) -> bytes:
        """The same bytes every time."""
        ...


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a person says about a folder beyond what lies in it."""

    code_of_label: Mapping[str, str] = field(default_factory=dict)
    """Which code a label (or a code's folder) stands for; an empty code leaves it out."""
    background_code: str = ""
    """Of pictures on which nothing is annotated; empty sets them aside."""
    mask_codes: tuple[str, ...] = ()
    """Declares indexed masks: value i is the i-th of these codes, 0 background (D1). Empty: 0 and 255."""
    group_by: re.Pattern[str] | None = None
    """Finds the group in a file's name: what its first parentheses match, or all of it."""
    line_width_px: float = 10
    """Of annotated lines and points, which have none; LabelMe's own default."""


@dataclass(frozen=True, slots=True)
class FoundSample:
    """An image to import, with what belongs to it."""

    file: str
    """`<CODE>/<file>`, its name in the data path."""
    image: Path | Made
    mask: Path | Made | None = None
    group: str = ""
    origin: str = ""
    """Where its picture lies below the folder, if that is not `file`."""

    @property
    def code(self) -> str:
        """The defect code: the folder's name."""
        return self.file.partition("/")[0]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not imported, or a part of what it says."""

    file: str
    reason: str
    """Stable, such as NO_CODE, BAD_CODE, NESTED, NOT_AN_IMAGE, MASK_WITHOUT_IMAGE, HIDDEN."""
    message: str


@dataclass(frozen=True, slots=True)
class FolderListing:
    """All that a folder offers, and all that it holds besides."""

    folder: Path
    samples: tuple[FoundSample, ...]
    """By file."""
    left_out: tuple[LeftOut, ...]
    """By file."""
    format: str = "folders"
    """folders, labelme, coco or voc."""
    mask_codes: tuple[str, ...] = ()
    """What the values of the masks mean, if they are indexed (D1)."""
    group_column: str = ""
    """Of groups.csv, or the expression that finds groups in names; empty where there is neither."""
    unmatched_group_rows: tuple[str, ...] = ()
    """Files that groups.csv names and the folder does not hold."""

    @property
    def images_per_code(self) -> dict[str, int]:
        """In the codes' order."""
        counts: dict[str, int] = {}
        for sample in self.samples:
            counts[sample.code] = counts.get(sample.code, 0) + 1
        return counts

    @property
    def ungrouped(self) -> int:
        """Samples without a group although groups are told."""
        return sum(not sample.group for sample in self.samples) if self.group_column else 0


def read_folder(folder: Path, options: ImportOptions | None = None) -> FolderListing:
    """List `folder`; FolderUnreadable if it is none, or if its groups.csv cannot be used."""
    options = options or ImportOptions()
    check_folder(folder)
    left_out: list[LeftOut] = []
    found: list[FoundSample] = []
    names: set[str] = set()
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            names.add(entry.name)
            samples, others = _read_code(entry, options.code_of_label)
            found.extend(samples)
            left_out.extend(others)
        elif entry.name != GROUPS_FILE:
            left_out.append(_at_top(entry))
    unknown = sorted(set(options.code_of_label) - names)
    if unknown:
        raise FolderUnreadable(f"--map names {unknown[0]!r}, and {folder} has no folder of that name")
    samples_by_file: dict[str, FoundSample] = {}
    for sample in found:
        if sample.file in samples_by_file:
            told = f"{samples_by_file[sample.file].origin} is imported as {sample.file} already; rename one"
            left_out.append(LeftOut(sample.origin, "NAME_TAKEN", told))
        else:
            samples_by_file[sample.file] = sample
    if options.mask_codes:
        check_codes((sample.code for sample in samples_by_file.values() if sample.mask), options)
    listing = FolderListing(
        folder=folder,
        samples=tuple(sorted(samples_by_file.values(), key=lambda sample: sample.file)),
        left_out=tuple(sorted(left_out, key=lambda item: item.file)),
        mask_codes=options.mask_codes,
    )
    return grouped(listing, options)


def check_folder(folder: Path) -> None:
    """FolderUnreadable if it is none."""
    if not folder.is_dir():
        fact = "is not a folder" if folder.exists() else "does not exist"
        raise FolderUnreadable(f"{folder} {fact}; name one that holds <CODE>/<image> files or annotations")


def is_code(text: str) -> bool:
    """Whether it can be a defect code (W3)."""
    return _CODE.fullmatch(text) is not None


def check_codes(codes: Iterable[str], options: ImportOptions) -> None:
    """FolderUnreadable if an indexed mask is declared that could not show all of these codes."""
    lacking = sorted(set(codes) - set(options.mask_codes)) if options.mask_codes else []
    if lacking:
        whole = ",".join((*options.mask_codes, *lacking))
        raise FolderUnreadable(f"--mask-codes lacks {', '.join(lacking)}; write --mask-codes {whole}")


def grouped(listing: FolderListing, options: ImportOptions) -> FolderListing:
    """The listing with each sample's group: by --group-by, else by groups.csv, else none (D3)."""
    table = listing.folder / GROUPS_FILE
    unmatched: tuple[str, ...] = ()
    if options.group_by is not None:
        column = options.group_by.pattern
        groups = {sample.file: _group_in_name(sample.file, options.group_by) for sample in listing.samples}
        if listing.samples and not any(groups.values()):
            some = listing.samples[0].file.partition("/")[2]
            raise FolderUnreadable(
                f"--group-by {column!r} finds a group in none of {len(groups)} names, "
                f"such as {some!r}; correct it"
            )
    elif table.is_file():
        spellings = {sample.file: sample.origin or sample.file for sample in listing.samples}
        column, groups = _read_groups(table, spellings)
        unmatched = tuple(sorted(file for file in groups if file not in spellings))
    else:
        return listing
    samples = tuple(replace(sample, group=groups.get(sample.file, "")) for sample in listing.samples)
    return replace(listing, samples=samples, group_column=column, unmatched_group_rows=unmatched)


def _group_in_name(file: str, expression: re.Pattern[str]) -> str:
    match = expression.search(file.partition("/")[2])
    return "" if match is None else match[1 if expression.groups else 0] or ""


def hold_out(listing: FolderListing, share: float) -> tuple[FolderListing, FolderListing]:
    """Part a listing in two: what may be trained with, and a question bank of about `share` of every code.

    Whole groups go to one side (D3); which, follows from the groups' names alone, so it is the same every
    time. A code whose samples are all one group stays on the training side.
    """
    groups: defaultdict[str, list[FoundSample]] = defaultdict(list)
    for sample in listing.samples:
        groups[sample.group or sample.file].append(sample)
    order = sorted(groups, key=lambda key: hashlib.sha256(key.encode()).digest())
    total = listing.images_per_code
    left = dict(total)
    held: set[str] = set()
    for key in order:
        codes = {sample.code for sample in groups[key]}
        size = {code: sum(sample.code == code for sample in groups[key]) for code in codes}
        wanted = any(total[code] - left[code] < share * total[code] for code in codes)
        # Not more than twice its share: one huge group must not empty a class.
        bearable = all(
            total[code] - left[code] + size[code] <= max(2 * share * total[code], 1) for code in codes
        )
        if wanted and bearable and all(left[code] - size[code] > 0 for code in codes):
            held.add(key)
            for code in codes:
                left[code] -= size[code]
    sides: tuple[list[FoundSample], list[FoundSample]] = ([], [])
    for sample in listing.samples:
        sides[(sample.group or sample.file) in held].append(sample)
    return replace(listing, samples=tuple(sides[0])), replace(listing, samples=tuple(sides[1]))


def _at_top(entry: Path) -> LeftOut:
    if entry.name.startswith("."):
        return LeftOut(entry.name, "HIDDEN", "a hidden file")
    if entry.suffix.lower() in IMAGE_SUFFIXES:
        return LeftOut(entry.name, "NO_CODE", "an image outside of a code's folder; move it to <CODE>/")
    return LeftOut(entry.name, "NOT_AN_IMAGE", f"not one of {', '.join(sorted(IMAGE_SUFFIXES))}")


def _read_code(folder: Path, code_of_label: Mapping[str, str]) -> tuple[list[FoundSample], list[LeftOut]]:
    """The samples of one code's folder, and what else is in it."""
    name = folder.name
    code = code_of_label.get(name, name)
    if name.startswith("."):
        return [], [LeftOut(name, "HIDDEN", "a hidden folder")]
    if not code:
        return [], [LeftOut(name, "IGNORED", "a folder that --map leaves out")]
    if not is_code(code):
        why = (
            f"the folder's name is no defect code; a code is 1 to 32 of A-Z a-z 0-9 _ - (W3): rename it, or "
            f'--map "{name}=CODE"'
        )
        return [], [
            LeftOut(f"{name}/{file.name}", "BAD_CODE", why) for file in folder.iterdir() if file.is_file()
        ]
    left_out: list[LeftOut] = []
    files: list[Path] = []
    for entry in folder.iterdir():
        file = f"{name}/{entry.name}"
        if entry.is_dir():
            nested = [f for f in entry.rglob("*") if f.is_file()]
            why = f"{len(nested)} file(s) below a code's folder; put images directly into {name}/"
            left_out.append(LeftOut(file, "NESTED", why))
        elif entry.name.startswith("."):
            left_out.append(LeftOut(file, "HIDDEN", "a hidden file"))
        elif entry.suffix.lower() not in IMAGE_SUFFIXES:
            left_out.append(LeftOut(file, "NOT_AN_IMAGE", f"not one of {', '.join(sorted(IMAGE_SUFFIXES))}"))
        else:
            files.append(entry)
    masks, images = _part_masks(files)
    samples = [
        FoundSample(f"{code}/{image.name}", image, masks.pop(image.stem, None), origin=f"{name}/{image.name}")
        for image in images
    ]
    left_out.extend(
        LeftOut(f"{name}/{mask.name}", "MASK_WITHOUT_IMAGE", f"a mask, but there is no image {stem}.*")
        for stem, mask in masks.items()
    )
    return samples, left_out


def _part_masks(files: Iterable[Path]) -> tuple[dict[str, Path], list[Path]]:
    """Masks by their image's stem (`a.mask.png`, or `a.png` beside a picture `a.jpg`), and the images."""
    masks: dict[str, Path] = {}
    by_stem: defaultdict[str, list[Path]] = defaultdict(list)
    for file in sorted(files):
        if file.name.lower().endswith(MASK_SUFFIX):
            masks[file.name[: -len(MASK_SUFFIX)]] = file
        else:
            by_stem[file.stem].append(file)
    images: list[Path] = []
    for stem, group in by_stem.items():
        pngs = [file for file in group if file.suffix.lower() == ".png"]
        if len(group) > 1 and pngs and stem not in masks:
            masks[stem] = pngs[0]
            group = [file for file in group if file is not pngs[0]]  # noqa: PLW2901 -- what remains of it
        images.extend(group)
    return masks, images


# --- groups.csv ---------------------------------------------------------------------------------------------


def _read_groups(table: Path, files: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The column that holds the group, and each file's group; `files` says where each file's picture lies.

    Faults are errors: a table that is silently ignored lets photos of one part fall on both sides of a split
    (D3).
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FolderUnreadable(f"{table} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    header = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    file_column = next((header[name] for name in _FILE_COLUMNS if name in header), None)
    group_column = next((header[name] for name in _GROUP_COLUMNS if name in header), None)
    if file_column is None or group_column is None:
        lacking = "for the file" if file_column is None else "for the group"
        wanted = _FILE_COLUMNS if file_column is None else _GROUP_COLUMNS
        raise FolderUnreadable(
            f"{table} has no column {lacking}: its header is {first_line.strip()!r}; "
            f"name one of {', '.join(wanted)}"
        )
    resolve = _FileResolver(files)
    groups: dict[str, str] = {}
    for row in rows:
        written = (row.get(file_column) or "").strip()
        if not written:
            continue
        file, group = resolve(written), (row.get(group_column) or "").strip()
        if groups.setdefault(file, group) != group:
            raise FolderUnreadable(
                f"{table} line {rows.line_num}: {written} is in group {group!r}, above in {groups[file]!r}"
            )
    return group_column, groups


class _FileResolver:
    """Finds the file that a table means, with another folder in front, or without a suffix."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        """`origins` says where each file's picture lies."""
        self._exact = {
            **{origin: file for file, origin in origins.items()},
            **{file: file for file in origins},
        }
        self._loose: defaultdict[str, set[str]] = defaultdict(set)
        for spelling, file in self._exact.items():
            path = PurePosixPath(spelling)
            for loose in (path.name, path.stem, str(path.with_suffix(""))):
                self._loose[loose].add(file)

    def __call__(self, written: str) -> str:
        path = PureWindowsPath(written).as_posix()
        for spelling in _tails(path):
            if spelling in self._exact:
                return self._exact[spelling]
        for spelling in _tails(path):
            candidates = self._loose.get(spelling, set())
            if len(candidates) == 1:
                return next(iter(candidates))
        return path


def _tails(path: str) -> Iterator[str]:
    """`a/b/c`, `b/c`, `c`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for start in range(len(parts)):
        yield "/".join(parts[start:])
