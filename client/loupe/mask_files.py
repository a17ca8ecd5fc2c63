"""Which files of a code's folder are masks, by their names alone (D1, D5).

What such a file really shows is judged by the registry, which has the one decoding. `a.mask.png` is a mask
by definition. Other names only suggest one: `a_mask.png`, or `a.png` or `a_gt.png` beside `a.jpg`, may be a
picture too, so those masks are marked as guesses.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from loupe.translation import Sentence, joined, sentence

_MASK = re.compile(r"(?P<stem>.+)(?P<ending>\.mask\.png|[._-]mask\.(?:png|jpe?g|bmp|tiff?))", re.IGNORECASE)
_TRUTH = "gt|ground[ _-]?truth|truth|labels?|seg(?:mentation)?s?|annotations?"
_LIKE_MASK = re.compile(rf"(?P<stem>.+?)[._-](?:{_TRUTH})\.(?:png|jpe?g|bmp|tiff?)", re.IGNORECASE)
"""What data sets call masks, and pictures may be called: only beside a picture of the stem it is a guess."""
_FOLDER_OF_MASKS = re.compile(rf"(?:masks?|{_TRUTH})", re.IGNORECASE)

_AMBIGUOUS, _ALONE = "AMBIGUOUS_MASK", "MASK_WITHOUT_IMAGE"
REASONS = frozenset({_AMBIGUOUS, _ALONE})
"""Why a file that looks like a mask is left out."""


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A file that belongs to a picture as its mask."""

    file: Path
    is_guess: bool


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A file that looks like a mask, and not clearly whose."""

    file: Path
    reason: str
    message: Sentence


@dataclass(frozen=True, slots=True)
class Parted:
    """Pictures with their masks, and what is neither."""

    pictures: tuple[tuple[Path, MaskFile | None], ...]
    """By file."""
    doubtful: tuple[Doubtful, ...]


def is_mask(name: str) -> bool:
    """Whether a file's name says that it is a mask."""
    return _MASK.fullmatch(name) is not None


def is_folder_of_masks(name: str) -> bool:
    """Whether a folder is called as data sets call those of masks; a defect may be called so too."""
    return _FOLDER_OF_MASKS.fullmatch(name) is not None


def stem_of_picture(name: str) -> str:
    """The stem of the picture whose mask a file of this name would be."""
    match = _MASK.fullmatch(name) or _LIKE_MASK.fullmatch(name)
    return match["stem"] if match else PurePosixPath(name).stem


def part(files: Iterable[Path]) -> Parted:
    """Tell masks from pictures, among the image files of one folder."""
    named: defaultdict[str, list[MaskFile]] = defaultdict(list)
    pictures: defaultdict[str, list[Path]] = defaultdict(list)
    files = sorted(files)
    stems = {file.stem for file in files}
    for file in files:
        if match := _MASK.fullmatch(file.name):
            is_guess = match["ending"].lower() != ".mask.png"
            named[match["stem"]].append(MaskFile(file, is_guess))
        elif (match := _LIKE_MASK.fullmatch(file.name)) and match["stem"] in stems:
            named[match["stem"]].append(MaskFile(file, is_guess=True))
        else:
            pictures[file.stem].append(file)
    taken: list[tuple[Path, MaskFile | None]] = []
    doubtful: list[Doubtful] = []
    for stem, of_stem in pictures.items():
        masks, others = _masks_of(of_stem, named.pop(stem, []))
        certain = [mask for mask in masks if not mask.is_guess] or masks
        chosen = certain[0] if len(certain) == len(others) == 1 else None
        taken.extend((picture, chosen) for picture in others)
        doubtful.extend(_unclear([mask for mask in masks if mask is not chosen], others, chosen))
    for stem, masks in named.items():
        doubtful.extend(_without_picture(stem, masks))
    return Parted(tuple(sorted(taken, key=lambda pair: pair[0])), tuple(doubtful))


def _masks_of(pictures: list[Path], named: list[MaskFile]) -> tuple[list[MaskFile], list[Path]]:
    """The masks of one stem, and the pictures that remain."""
    pngs = [file for file in pictures if file.suffix.lower() == ".png"]
    others = [file for file in pictures if file not in pngs]
    # Where a name says what the mask is, a PNG of the same stem is not one as well.
    if named or not others:
        return named, pictures
    return [MaskFile(file, is_guess=True) for file in pngs], others


def _unclear(masks: list[MaskFile], pictures: list[Path], chosen: MaskFile | None) -> Iterator[Doubtful]:
    for mask in masks:
        if len(pictures) > 1:
            message = sentence(
                "looks like a mask of {count} pictures ({whose}); rename all but the one it is for",
                count=len(pictures),
                whose=joined(file.name for file in pictures),
            )
        elif chosen:
            message = sentence(
                "{picture} has the mask {mask}; remove one, or rename a picture",
                picture=pictures[0].name,
                mask=chosen.file.name,
            )
        else:
            message = sentence(
                "{picture} has {count} files that look like its mask; leave one",
                picture=pictures[0].name,
                count=len(masks),
            )
        yield Doubtful(mask.file, _AMBIGUOUS, message)


def _without_picture(stem: str, masks: list[MaskFile]) -> Iterator[Doubtful]:
    for mask in masks:
        if mask.is_guess:
            message = sentence(
                "a mask by its name, but there is no image {stem}.*; rename it if it is a picture", stem=stem
            )
        else:
            message = sentence("a mask by its name, but there is no image {stem}.*", stem=stem)
        yield Doubtful(mask.file, _ALONE, message)
