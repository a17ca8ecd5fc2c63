"""Gives each picture the annotation that is meant for it (D5), and remembers what could not be read."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loupe.annotations.json_files import Content
from loupe.annotations.pictures import Annotations, Picture, annotation_files
from loupe.annotations.references import Found, Pictures, Reference, stem_key
from loupe.folders import Remark
from loupe.unusable import Unusable, unusable_on_failure
from loupe.walking import LeftOut, Walk


@dataclass(frozen=True, slots=True)
class Claim:
    """A picture as one annotation has it."""

    picture: Picture
    found: Found
    file: str
    """Of the report's line, if the claim is refused: the annotation file, or the name that it gives."""
    is_part: bool
    """Whether that line is about a part of an annotation file."""


class Claims:
    """All claims to pictures: an exact one goes before others, and of several alike none is taken."""

    def __init__(self) -> None:
        self._of: defaultdict[str, dict[str, Claim]] = defaultdict(dict)

    def add(self, claim: Claim, identity: str) -> Picture:
        """The picture to annotate; claims to it of the same identity share it."""
        return self._of[claim.found.origin].setdefault(identity, claim).picture

    def settle(self) -> tuple[list[Picture], list[Remark], list[LeftOut]]:
        """The pictures with what is meant for them, and a line for every claim that is refused."""
        pictures: list[Picture] = []
        remarks: list[Remark] = []
        left_out: list[LeftOut] = []
        for claims in self._of.values():
            best = [one for one in claims.values() if one.found.is_exact] or list(claims.values())
            if len(best) == 1:
                taken = best[0]
                pictures.append(taken.picture)
                remarks += [taken.found.remark] if taken.found.remark else []
                left_out += [_refused(one, taken) for one in claims.values() if one is not taken]
            else:
                first = best[0].picture
                pictures.append(Picture(first.origin, first.image, first.annotation, is_unsure=True))
                left_out += [_refused(one, best[1] if one is best[0] else best[0]) for one in claims.values()]
        return pictures, remarks, left_out


def _refused(claim: Claim, other: Claim) -> LeftOut:
    message = (
        f"{claim.picture.annotation} is for {claim.found.origin}, as {other.picture.annotation} is; keep one "
        "of the two"
    )
    return LeftOut(claim.file, "TWICE", message, is_part=claim.is_part)


class Unread:
    """Annotations that could not be taken, and the pictures that they may be about: none is a background."""

    def __init__(self, pictures: Pictures) -> None:
        self._stems = {stem_key(origin) for origin, _ in pictures}
        self._by_stem: dict[str, str] = {}
        self._of_any: str | None = None

    def add(self, annotation: str, names: Iterable[str]) -> None:
        """It may be about the pictures of these names."""
        for stem in {stem_key(name) for name in names} & self._stems:
            self._by_stem[stem] = annotation

    def add_of_any(self, annotation: str) -> None:
        """It may be about any picture."""
        self._of_any = annotation

    def names(self, file: str) -> bool:
        """Whether a picture has the name of the file."""
        return stem_key(file) in self._stems

    def pictures(self, pictures: Pictures, annotated: Iterable[Picture]) -> list[Picture]:
        """The pictures that no annotation names."""
        named = {picture.origin for picture in annotated}
        rest = [(origin, path) for origin, path in pictures if origin not in named]
        unread = {origin: self._by_stem.get(stem_key(origin), self._of_any) for origin, _ in rest}
        return [
            Picture(origin, path, unread[origin] or "", is_unsure=unread[origin] is not None)
            for origin, path in rest
        ]


@dataclass(frozen=True, slots=True)
class PerFile:
    """A format with an annotation file for each picture."""

    suffix: str
    load: Callable[[Path, str], Content]
    """What a file of it holds; Unusable."""
    reference: Callable[[Any, str], Reference]
    """How that names its picture; Unusable if it is of another format."""
    picture: Callable[[Path, Any, Reference], tuple[Picture, Found]]
    """What it says of the picture; Unusable."""


def read_each(walked: Walk, pictures: Pictures, form: PerFile) -> Annotations:
    """Every annotation file of a format, and every picture."""
    claims, unread = Claims(), Unread(pictures)
    left_out: list[LeftOut] = []
    remarks: list[Remark] = []
    read: set[str] = set()
    for file, name in annotation_files(walked, form.suffix):
        names = [name]
        try:
            with unusable_on_failure(name):
                content = form.load(file, name)
                reference = form.reference(content.value, name)
                names.append(reference.written)
                picture, found = form.picture(file, content.value, reference)
        except Unusable as unusable:
            left_out.append(unusable.line(name))
            unread.add(name, names)
            if len(names) == 1 and unusable.reason not in OTHER_CONTENT and not unread.names(name):
                unread.add_of_any(name)
        else:
            read.add(name)
            claims.add(Claim(picture, found, name, is_part=False), name)
            remarks += encoding_remark(name, content)
    annotated, of_claims, refused = claims.settle()
    read.difference_update(item.file for item in refused)
    return Annotations(
        [*annotated, *unread.pictures(pictures, annotated)],
        [*left_out, *refused],
        read,
        [*(one for one in remarks if one.file in read), *of_claims],
    )


OTHER_CONTENT = frozenset({"NOT_LABELME", "NOT_COCO", "NOT_VOC"})
"""Reasons of files that are no annotations of the format."""


def encoding_remark(name: str, content: Content) -> list[Remark]:
    """Tells of an encoding that was concluded."""
    if not content.encoding:
        return []
    message = f"read as {content.encoding}, because it is not UTF-8; look at its labels, or save it as UTF-8"
    return [Remark(name, "ENCODING_CONCLUDED", message)]
