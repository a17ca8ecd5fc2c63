"""Reads a folder of sample images as an import sees it (D1): a folder per code, masks and groups beside.

Nothing is decoded here: what a file really holds is the registry's to judge (D4). This module says which
files are offered, which mask and group belong to each, and what was left out and why.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

from loupe import mask_files
from loupe.deep_pictures import KINDS, ScaledPicture
from loupe.groups import GROUPS_FILE, BadTable, choose, group_key, is_table, parse
from loupe.reasons import chinese_of
from loupe.text import key_of
from loupe.translation import sentence
from loupe.walking import LeftOut, Walk, fault_of, read_file, walk

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
OTHER_PICTURES = frozenset(
    {".gif", ".webp", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".psd", ".svg", ".dng", ".raw"}
)
"""Pictures of formats that are not taken; the report names each of them."""
VOC_MASK_FOLDER = "SegmentationClass"
_MAX_GROUP_CHARACTERS = 128
"""The registry's limit: a longer group would make it refuse the whole batch."""
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_GROUPS_TO_TRAIN = 2


class FolderUnreadable(ValueError):
    """The folder cannot be imported as it is; the message says what to change."""


class GeneratedBytes(Protocol):
    """Bytes without a file of their own, generated when they are needed."""

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
    bits: int = 0
    """Of the grey values in files of 16 bits, if they are fewer; 0: not said (D6)."""
    line_width_px: float = 10
    """Of annotated lines and points, which have none; LabelMe's own default."""


@dataclass(frozen=True, slots=True)
class FoundSample:
    """An image to import, with what belongs to it."""

    file: str
    """`<CODE>/<file>`, its name in the data path."""
    image: Path | GeneratedBytes
    mask: Path | GeneratedBytes | None = None
    group: str = ""
    origin: str = ""
    """Where its picture lies below the folder, if that is not `file`."""
    mask_is_guess: bool = False
    """Only its name suggests that the file is a mask: if it cannot be one, the image is taken without it."""

    @property
    def code(self) -> str:
        """The defect code: the folder's name."""
        return self.file.partition("/")[0]

    @property
    def place(self) -> str:
        """Where its picture lies below the folder."""
        return self.origin or self.file


@dataclass(frozen=True, slots=True)
class Remark:
    """What was concluded about something that is taken; a person should look whether it is right (D5)."""

    file: str
    """Its path below the folder."""
    reason: str
    """Stable, such as FOUND_BY_NAME."""
    message: str

    @property
    def message_zh(self) -> str:
        """What the reason means, in Chinese."""
        return chinese_of(self.reason)


@dataclass(frozen=True, slots=True)
class FolderListing:
    """The samples of a folder, and every other file in it with the reason why it is not taken."""

    folder: Path
    samples: tuple[FoundSample, ...]
    """By file."""
    left_out: tuple[LeftOut, ...]
    """By file. With `used` it names everything below the folder."""
    used: frozenset[str] = frozenset()
    """Files that are read for the samples: pictures, masks, annotations, groups.csv."""
    found: int = 0
    """How many entries the folder holds: `used`, and those that are named as left out."""
    format: str = "folders"
    """One of `loupe.reading.FORMATS`."""
    mask_codes: tuple[str, ...] = ()
    """What the values of the masks mean, if they are indexed (D1)."""
    bits: int = 0
    """As of `ImportOptions`."""
    group_column: str = ""
    """Of groups.csv, or the expression that finds groups in names; empty where there is neither."""
    unmatched_group_rows: tuple[str, ...] = ()
    """Files that groups.csv names and the folder does not hold."""
    remarks: tuple[Remark, ...] = ()
    """By file."""

    @property
    def images_per_code(self) -> dict[str, int]:
        """In the codes' order."""
        counts: dict[str, int] = {}
        for sample in self.samples:
            counts[sample.code] = counts.get(sample.code, 0) + 1
        return counts

    @property
    def ungrouped(self) -> int:
        """Samples without a group, where the folder names groups."""
        return sum(not sample.group for sample in self.samples) if self.group_column else 0


def read_folder(folder: Path, options: ImportOptions | None = None) -> FolderListing:
    """List `folder`; FolderUnreadable if it is none, or if its groups.csv cannot be used."""
    return list_codes(walk_folder(folder), options or ImportOptions())


def walk_folder(folder: Path) -> Walk:
    """All that lies below a folder; FolderUnreadable if it is none."""
    if not folder.is_dir():
        fact = "is not a folder" if folder.exists() else "does not exist"
        raise FolderUnreadable(f"{folder} {fact}; name one that holds <CODE>/<image> files or annotations")
    try:
        return walk(folder)
    except OSError as error:
        raise FolderUnreadable(
            f"{folder} cannot be listed: {error.strerror}; mend its permissions"
        ) from error


def list_codes(walked: Walk, options: ImportOptions) -> FolderListing:
    """List a folder that holds one folder for each code; FolderUnreadable as of `read_folder`."""
    left_out: list[LeftOut] = []
    found: list[FoundSample] = []
    files_of: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for name, path in walked.files.items():
        top, slash, below = name.partition("/")
        if slash:
            files_of[top][below] = path
        elif Path(name).suffix.lower() in IMAGE_SUFFIXES:
            left_out.append(
                LeftOut(name, "NO_CODE", "an image outside of a code's folder; move it to <CODE>/")
            )
    for top, files in files_of.items():
        samples, others = _read_code(top, files, options.code_of_label)
        found.extend(samples)
        left_out.extend(others)
    unknown = sorted(set(options.code_of_label) - {name for name in walked.folders if "/" not in name})
    if unknown:
        raise FolderUnreadable(f"--map names {unknown[0]!r}, and {walked.folder} has no folder of that name")
    samples_by_file: dict[str, FoundSample] = {}
    for sample in found:
        if sample.file in samples_by_file:
            left_out.append(name_taken(samples_by_file[sample.file], sample.origin))
        else:
            samples_by_file[sample.file] = sample
    if options.mask_codes:
        check_codes((sample.code for sample in samples_by_file.values() if sample.mask), options)
    listing = FolderListing(
        folder=walked.folder,
        samples=tuple(samples_by_file.values()),
        left_out=tuple(left_out),
        mask_codes=options.mask_codes,
        remarks=tuple(_perhaps_masks(samples_by_file.values(), options)),
    )
    return complete(listing, walked, options)


def _perhaps_masks(samples: Collection[FoundSample], options: ImportOptions) -> Iterator[Remark]:
    """Pictures of a folder such as `masks/` that have the names of others: perhaps masks."""
    folders_of_stem: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        folder, _, name = sample.place.partition("/")
        if not mask_files.is_folder_of_masks(folder):
            folders_of_stem[PurePosixPath(name).stem].add(folder)
    for sample in sorted(samples, key=lambda sample: sample.place):
        folder, _, name = sample.place.partition("/")
        if folder in options.code_of_label or not mask_files.is_folder_of_masks(folder):
            continue
        stem = mask_files.stem_of_picture(name)
        others = sorted(folders_of_stem[stem])
        if others:
            message = (
                f"taken as a picture of the code {sample.code}, and {others[0]}/ has a picture of its name: "
                f"if it is the mask of that, name it {stem}.mask.png and put it there"
            )
            yield Remark(sample.place, "PERHAPS_A_MASK", message)


def name_taken(sample: FoundSample, origin: str, *, is_part: bool = False) -> LeftOut:
    """The line of a picture whose name in the path another one has."""
    message = sentence(
        "{other} is imported as {file} already; rename one", other=sample.place, file=sample.file
    )
    return LeftOut(origin, "NAME_TAKEN", *message, is_part=is_part)


def complete(
    listing: FolderListing, walked: Walk, options: ImportOptions, used: Iterable[str] = ()
) -> FolderListing:
    """The listing in order, with its samples' groups, and a line for every file that it does not use (D7).

    `used` names files that were read beside those of the samples.
    """
    listing, table = _grouped(listing, walked, options)
    names = {path: name for name, path in walked.files.items()}
    sources = (source for sample in listing.samples for source in (sample.image, sample.mask))
    all_used = {*used, *(names[source] for source in sources if isinstance(source, Path))}
    if table is not None:
        all_used.add(table)
        # One that lies deeper than pictures may was named with them.
        listing = replace(listing, left_out=tuple(item for item in listing.left_out if item.file != table))
    if options.bits:
        listing = scaled(listing, options.bits)
    mentioned = {item.file for item in listing.left_out if not item.is_part}
    others = (
        _not_used(name, table) for name in walked.files if name not in all_used and name not in mentioned
    )
    return replace(
        listing,
        samples=tuple(sorted(listing.samples, key=lambda sample: sample.file)),
        left_out=tuple(
            sorted((*listing.left_out, *walked.left_out, *others), key=lambda item: (item.file, item.reason))
        ),
        used=frozenset(all_used),
        found=walked.found,
    )


def _not_used(name: str, table: str | None) -> LeftOut:
    """The line of a file that nothing uses; `table` is the groups.csv that is used."""
    if is_table(name):
        instead = table or "--group-by"
        message = sentence("a table of groups, and {instead} is used instead", instead=instead)
        return LeftOut(name, "GROUPS_NOT_USED", *message)
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in OTHER_PICTURES:
        message = sentence("{format} is not taken; save it as PNG", format=name_of_format(name))
        return LeftOut(name, "OTHER_FORMAT", *message)
    if suffix in IMAGE_SUFFIXES:
        return LeftOut(name, "NOT_A_SAMPLE", "a picture in a folder that holds none of samples")
    return LeftOut(name, "NOT_AN_IMAGE", f"not one of {', '.join(sorted(IMAGE_SUFFIXES))}")


def name_of_format(file: str) -> str:
    """What people call the format of a file that is not taken, by its extension."""
    suffix = PurePosixPath(file).suffix[1:]
    return {"webp": "WebP"}.get(suffix.lower(), suffix.upper()) or "a file without an extension"


def scaled(listing: FolderListing, bits: int) -> FolderListing:
    """The listing with pictures of 16 bits scaled, of which so many are significant (D6)."""
    return replace(listing, bits=bits, samples=tuple(_scaled(one, bits) for one in listing.samples))


def _scaled(sample: FoundSample, bits: int) -> FoundSample:
    image = sample.image
    if not isinstance(image, Path) or image.suffix.lower() not in KINDS:
        return sample
    return replace(sample, image=ScaledPicture(image, bits))


def is_code(text: str) -> bool:
    """Whether it can be a defect code (W3)."""
    return _CODE.fullmatch(text) is not None


def check_codes(codes: Iterable[str], options: ImportOptions) -> None:
    """FolderUnreadable if an indexed mask is declared that could not show all of these codes."""
    lacking = sorted(set(codes) - set(options.mask_codes)) if options.mask_codes else []
    if lacking:
        whole = ",".join((*options.mask_codes, *lacking))
        raise FolderUnreadable(f"--mask-codes lacks {', '.join(lacking)}; write --mask-codes {whole}")


def _grouped(
    listing: FolderListing, walked: Walk, options: ImportOptions
) -> tuple[FolderListing, str | None]:
    """The listing with each sample's group: by --group-by, else by groups.csv, else none (D3).

    Also the table that was used, by its path below the folder.
    """
    table: str | None = None
    unmatched: tuple[str, ...] = ()
    if options.group_by is not None:
        column = options.group_by.pattern
        groups = {sample.place: _group_in_name(sample.file, options.group_by) for sample in listing.samples}
        if listing.samples and not any(groups.values()):
            some = listing.samples[0].file.partition("/")[2]
            raise FolderUnreadable(
                f"--group-by {column!r} finds a group in none of {len(groups)} names, "
                f"such as {some!r}; correct it"
            )
    else:
        table = _table_of(listing, walked)
        if table is None:
            return listing, None
        resolve = _FileResolver(listing, walked)
        column, groups = _read_groups(table, walked, resolve)
        unmatched = tuple(sorted(place for place in groups if place not in resolve.places))
    for place, group in groups.items():
        if len(group) > _MAX_GROUP_CHARACTERS or any(unicodedata.category(one) == "Cc" for one in group):
            raise FolderUnreadable(
                f"the group of {place} begins {group[:40]!r} and has {len(group)} characters; a group has "
                f"at most {_MAX_GROUP_CHARACTERS} and no control characters: shorten it"
            )
    samples = tuple(replace(sample, group=groups.get(sample.place, "")) for sample in listing.samples)
    return replace(listing, samples=samples, group_column=column, unmatched_group_rows=unmatched), table


def _table_of(listing: FolderListing, walked: Walk) -> str | None:
    """The groups.csv of the folder, in any case of its name, also beside the pictures; FolderUnreadable."""
    unreadable = next(
        (item for item in walked.left_out if is_table(item.file) and item.reason != "HIDDEN"), None
    )
    if unreadable is not None:
        raise FolderUnreadable(f"{walked.folder / unreadable.file} cannot be used: {unreadable.message}")
    passed_over = {item.file for item in listing.left_out if item.reason in {"IGNORED", "BAD_CODE"}}
    try:
        return choose([name for name in walked.files if name not in passed_over])
    except BadTable as bad:
        raise FolderUnreadable(f"{GROUPS_FILE} {bad}") from bad


def _group_in_name(file: str, expression: re.Pattern[str]) -> str:
    match = expression.search(file.partition("/")[2])
    return "" if match is None else group_key(match[1 if expression.groups else 0] or "")


def hold_out(listing: FolderListing, share: float) -> tuple[FolderListing, FolderListing]:
    """Part a listing in two: what may be trained with, and a question bank of about `share` of every code.

    Whole groups go to one side (D3); which, follows from the groups' names alone, so it is the same every
    time. Each code keeps two groups, one to train and one to validate with (D9); one that has no more is not
    in the bank.
    """
    groups: defaultdict[str, list[FoundSample]] = defaultdict(list)
    for sample in listing.samples:
        groups[sample.group or sample.file].append(sample)
    order = sorted(groups, key=lambda key: hashlib.sha256(key.encode()).digest())
    total = listing.images_per_code
    left = dict(total)
    groups_left = Counter(code for samples in groups.values() for code in {sample.code for sample in samples})
    held: set[str] = set()
    for key in order:
        codes = {sample.code for sample in groups[key]}
        size = {code: sum(sample.code == code for sample in groups[key]) for code in codes}
        wanted = any(total[code] - left[code] < share * total[code] for code in codes)
        # Not more than twice its share: one huge group must not empty a class.
        bearable = all(
            total[code] - left[code] + size[code] <= max(2 * share * total[code], 1) for code in codes
        )
        if wanted and bearable and all(groups_left[code] > _GROUPS_TO_TRAIN for code in codes):
            held.add(key)
            groups_left.subtract(codes)
            for code in codes:
                left[code] -= size[code]
    sides: tuple[list[FoundSample], list[FoundSample]] = ([], [])
    for sample in listing.samples:
        sides[(sample.group or sample.file) in held].append(sample)
    return replace(listing, samples=tuple(sides[0])), replace(listing, samples=tuple(sides[1]))


def _read_code(
    name: str, files: Mapping[str, Path], code_of_label: Mapping[str, str]
) -> tuple[list[FoundSample], list[LeftOut]]:
    """The samples of one code's folder, and what else is in it; `files` are by their path below it."""
    code = code_of_label.get(name, name)
    if not code:
        ignored = "in a folder that --map leaves out"
        return [], [LeftOut(f"{name}/{file}", "IGNORED", ignored) for file in files]
    if not is_code(code):
        why = sentence(
            "the folder's name is no defect code; a code is 1 to 32 of A-Z a-z 0-9 _ - (W3): rename it, or "
            '--map "{name}=CODE"',
            name=name,
        )
        return [], [LeftOut(f"{name}/{file}", "BAD_CODE", *why) for file in files]
    left_out = [
        LeftOut(f"{name}/{file}", "NESTED", f"below a code's folder; put images directly into {name}/")
        for file in files
        if "/" in file
    ]
    names = {path: file for file, path in files.items() if "/" not in file}
    parted = mask_files.part(path for path in names if path.suffix.lower() in IMAGE_SUFFIXES)
    samples = [
        FoundSample(
            f"{code}/{names[image]}",
            image,
            mask.file if mask else None,
            mask_is_guess=mask is not None and mask.is_guess,
            origin=f"{name}/{names[image]}",
        )
        for image, mask in parted.pictures
    ]
    left_out.extend(
        LeftOut(f"{name}/{names[item.file]}", item.reason, *item.message) for item in parted.doubtful
    )
    return samples, left_out


# --- groups.csv ---------------------------------------------------------------------------------------------


def _read_groups(name: str, walked: Walk, resolve: "_FileResolver") -> tuple[str, dict[str, str]]:
    """The column that holds the group, and the group of each file by the place where it lies."""
    path = walked.files[name]
    try:
        table = parse(read_file(path))
    except OSError as error:
        raise FolderUnreadable(f"{path}: {fault_of(error)[1]}") from error
    except BadTable as bad:
        raise FolderUnreadable(f"{path} {bad}") from bad
    folder = name.rpartition("/")[0]
    groups: dict[str, str] = {}
    is_matched = False
    for row in table.rows:
        file = resolve(row.file, folder)
        if isinstance(file, tuple):
            raise FolderUnreadable(
                f"{path} line {row.line}: {row.file} is not there, and may be any of {len(file)} pictures "
                f"({', '.join(file[:3])}); write where it lies, or remove the line"
            )
        is_matched = is_matched or file in resolve.places
        if groups.setdefault(file, row.group) != row.group:
            raise FolderUnreadable(
                f"{path} line {row.line}: {row.file} is in group {row.group!r}, above in {groups[file]!r}"
            )
    if table.rows and not is_matched:
        raise FolderUnreadable(
            f"{path} names none of the files of the folder: its line {table.rows[0].line} has "
            f"{table.rows[0].file!r}; write the files as they lie in the folder, or remove the table"
        )
    return table.column, groups


class _FileResolver:
    """Finds the place of the file that a table means, with another folder in front, or without a suffix.

    In capitals or not, and in any Unicode composition, as annotations name their pictures.

    A table names files as they lie in the folder, those that are left out too. The name under which a picture
    is imported counts only where nothing lies at that name (D5).
    """

    def __init__(self, listing: FolderListing, walked: Walk) -> None:
        samples = listing.samples
        left_out = (item.file for item in walked.left_out)
        self.places = frozenset({*walked.files, *left_out, *(sample.place for sample in samples)})
        """Of all files, and of pictures that lie within annotations."""
        self._imported = {sample.file: sample.place for sample in samples if sample.file not in self.places}
        pictures = [sample.place for sample in samples]
        pictures += [
            item.file for item in listing.left_out if _is_picture(item) and item.file in walked.files
        ]
        self._loose = _loose({place: place for place in pictures})
        self._loosely_imported = _loose(self._imported)
        self._place_of_key = _by_key((place, place) for place in self.places)
        self._imported_of_key = _by_key(self._imported.items())
        self._loose_of_key = _by_key(
            (spelling, place) for spelling, places in self._loose.items() for place in places
        )

    def __call__(self, written: str, folder: str = "") -> str | tuple[str, ...]:
        """The file's place, which may be none that exists; the places, where it may be one of several.

        `folder` is where the table lies.
        """
        path = PureWindowsPath(written).as_posix()
        spellings = [
            spelling
            for tail in _tails(path)
            for spelling in ((f"{folder}/{tail}", tail) if folder else (tail,))
        ]
        for spelling in spellings:
            if spelling in self.places:
                return spelling
            if spelling in self._imported:
                return self._imported[spelling]
            key = key_of(spelling)
            if found := self._place_of_key.get(key) or self._imported_of_key.get(key):
                return _one_or_several(found)
        for spelling in spellings:
            if found := self._loose.get(spelling) or self._loosely_imported.get(spelling):
                return _one_or_several(found)
            if found := self._loose_of_key.get(key_of(spelling)):
                return _one_or_several(found)
        return path


def _is_picture(item: LeftOut) -> bool:
    """Whether a file that is left out would be a picture by its name, not the mask of one."""
    is_image = PurePosixPath(item.file).suffix.lower() in IMAGE_SUFFIXES
    return is_image and item.reason not in mask_files.REASONS


def _loose(place_of_name: Mapping[str, str]) -> defaultdict[str, set[str]]:
    """Places by their names' shorter spellings."""
    places: defaultdict[str, set[str]] = defaultdict(set)
    for name, place in place_of_name.items():
        path = PurePosixPath(name)
        for spelling in (path.name, path.stem, str(path.with_suffix(""))):
            places[spelling].add(place)
    return places


def _by_key(named: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Places by what Windows and macOS take for the same name."""
    places: dict[str, set[str]] = {}
    for name, place in named:
        places.setdefault(key_of(name), set()).add(place)
    return places


def _one_or_several(places: set[str]) -> str | tuple[str, ...]:
    return next(iter(places)) if len(places) == 1 else tuple(sorted(places))


def _tails(path: str) -> Iterator[str]:
    """`a/b/c`, `b/c`, `c`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for start in range(len(parts)):
        yield "/".join(parts[start:])
