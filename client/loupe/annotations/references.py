"""Finds the picture that an annotation names (D5): never a namesake where another one may be meant.

A name is first taken as it is written. A path that leads nowhere, as after a move to another computer, still
has its last part: the picture of that name beside the annotation is taken and told. One in another folder is
taken only if nothing contradicts it.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from loupe.folders import IMAGE_SUFFIXES, OTHER_PICTURES, Remark, name_of_format
from loupe.text import key_of
from loupe.unusable import Unusable
from loupe.walking import Walk

_SHOWN = 3
LEADS_NOWHERE = frozenset({"MISSING_PICTURE", "OUTSIDE_FOLDER", "OTHER_FORMAT", "BAD_ANNOTATION"})
"""Why no picture is found where a path leads; the other reasons say that it may lead to several."""


@dataclass(frozen=True, slots=True)
class Reference:
    """How an annotation names its picture."""

    written: str
    annotation: str
    """The file, by its path below the folder."""
    where: str
    """The field that names it, for messages."""
    places: tuple[str, ...]
    """The folders below the folder in which such a picture lies; "" is the folder itself."""
    folder: str = ""
    """The folder that the annotation names beside, as Pascal VOC's does."""


@dataclass(frozen=True, slots=True)
class Found:
    """The picture that a reference means."""

    origin: str
    """Its path below the folder."""
    is_exact: bool
    """Whether it lies where the reference says."""
    remark: Remark | None = None
    """How it was found, if not by the name as it is written."""


def place_of(name: str) -> str:
    """The folder of a file below the folder; "" is the folder itself."""
    parent = PurePosixPath(name).parent.as_posix()
    return "" if parent == "." else parent


def stem_key(name: str) -> str:
    """The key of a path's last part, without its extension."""
    return key_of(PureWindowsPath(name).stem)


class Pictures:
    """The image files below a folder."""

    def __init__(self, walked: Walk, *, without: frozenset[str] = frozenset()) -> None:
        """`without` names folders that hold other images, in small letters."""
        self.folder = walked.folder
        self._files = {
            name: path
            for name, path in walked.files.items()
            if path.suffix.lower() in IMAGE_SUFFIXES and without.isdisjoint(name.lower().split("/")[:-1])
        }
        self._others = {
            key_of(name): name for name in walked.files if Path(name).suffix.lower() not in IMAGE_SUFFIXES
        }
        self._by_path: defaultdict[str, list[str]] = defaultdict(list)
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        self._places = {place_of(origin) for origin in self._files}
        for origin in self._files:
            pure = PurePosixPath(origin)
            for by, path in ((self._by_path, pure), (self._by_name, PurePosixPath(pure.name))):
                by[key_of(path.as_posix())].append(origin)
                by[key_of(path.with_suffix("").as_posix()) + _NO_SUFFIX].append(origin)
        self._folders = frozenset({"", *walked.folders})
        self._folders_by_name: defaultdict[str, list[str]] = defaultdict(list)
        for folder in sorted(self._folders):
            self._folders_by_name[self._parts_of_folder(folder)[-1]].append(folder)

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        """Path below the folder and file, in order."""
        return iter(sorted(self._files.items()))

    def __contains__(self, origin: str) -> bool:
        return origin in self._files

    def __getitem__(self, origin: str) -> Path:
        return self._files[origin]

    def find(self, reference: Reference, *, may_be_elsewhere: bool = True) -> Found:
        """The picture that the reference means; Unusable if there is none, or if it may be another one.

        `may_be_elsewhere` is False where the annotation itself has a picture, which goes before a namesake.
        """
        path = PureWindowsPath(reference.written)
        if path.name in ("", "..") or "\0" in reference.written:
            raise Unusable("BAD_ANNOTATION", f"{reference.where} names no picture; export it again")
        is_absolute = bool(path.drive or path.root)
        if not is_absolute and (exact := self._at_places(path.as_posix(), reference)):
            return self._exact(_only(exact, reference), path.name, reference)
        parts = [part for part in path.parts[1 if is_absolute else 0 : -1] if part not in ("..", ".")]
        is_bare = not is_absolute and len(path.parts) == 1
        here = [] if is_bare else self._at_places(path.name, reference)
        there = self._in_named_folder(path, parts, reference)
        if candidates := {*here, *there}:
            return self._moved(_only(candidates, reference), reference)
        namesakes = self._at(self._by_name, path.name)
        if namesakes and may_be_elsewhere and self._place_with_pictures(reference) is None:
            return self._moved(_only(namesakes, reference), reference)
        raise self._missing(path, reference, namesakes)

    def check_stem(self, found: Found, reference: Reference) -> None:
        """Unusable where the annotation file has the name of another picture than the one that it names."""
        stem = PurePosixPath(reference.annotation).stem
        places = dict.fromkeys((*reference.places, place_of(found.origin)))
        own = [one for place in places for one in self._at(self._by_path, _joined(place, stem))]
        if own and found.origin not in own:
            raise Unusable(
                "STALE_NAME",
                f"{reference.where} names {found.origin}, and the file has the name of {own[0]}: it may be "
                "for either; correct the name within, or that of the file",
            )

    def _exact(self, origin: str, name: str, reference: Reference) -> Found:
        if reference.folder:
            self._check_folder(origin, name, reference)
        actual = PurePosixPath(origin)
        written = {unicodedata.normalize("NFC", one) for one in (name, reference.written)}
        if not written.isdisjoint(unicodedata.normalize("NFC", one) for one in (actual.name, actual.stem)):
            return Found(origin, is_exact=True)
        message = f"{reference.where} names {reference.written!r}; {origin} is taken, in other capitals"
        return Found(origin, is_exact=True, remark=Remark(origin, "OTHER_CAPITALS", message))

    def _check_folder(self, origin: str, name: str, reference: Reference) -> None:
        """Unusable where the folder that is named beside holds another picture of the name."""
        parts = PureWindowsPath(reference.folder).parts
        if not parts or key_of(parts[-1]) == self._parts_of_folder(place_of(origin))[-1]:
            return
        named = self._folders_named(parts)
        others = [one for folder in named for one in self._at(self._by_path, _joined(folder, name))]
        if others:
            raise _ambiguous({origin, *others}, reference)

    def _moved(self, origin: str, reference: Reference) -> Found:
        message = (
            f"{reference.where} names {reference.written!r}, which leads nowhere; {origin} is taken, the "
            "only picture of that name that it can mean"
        )
        return Found(origin, is_exact=False, remark=Remark(origin, "FOUND_BY_NAME", message))

    def _in_named_folder(
        self, path: PureWindowsPath, parts: Sequence[str], reference: Reference
    ) -> list[str]:
        """The pictures of that name in the folder that the path names, wherever it lies now."""
        if not path.drive and not path.root and len(path.parts) > 1:
            folder = PurePosixPath(path.as_posix()).parent
            written = [os.path.normpath(_joined(place, folder.as_posix())) for place in reference.places]
            if named := [one for one in written if ("" if one == "." else one) in self._folders]:
                raise self._not_in(named[0], path, reference)
        named = self._folders_named(parts)
        found = [one for folder in named for one in self._at(self._by_path, _joined(folder, path.name))]
        if named and not found:
            raise self._not_in(named[0], path, reference)
        return found

    def _folders_named(self, parts: Sequence[str]) -> list[str]:
        """The folders whose paths end with the longest end of these parts that any has."""
        keys = [key_of(part) for part in parts]
        if not keys:
            return []
        longest = 0
        found: list[str] = []
        for folder in self._folders_by_name[keys[-1]]:
            own = self._parts_of_folder(folder)
            shared = 0
            while shared < min(len(own), len(keys)) and own[-1 - shared] == keys[-1 - shared]:
                shared += 1
            if shared > longest:
                longest, found = shared, []
            if shared == longest:
                found.append(folder)
        return found

    def _parts_of_folder(self, folder: str) -> list[str]:
        """The keys of a folder's parts, beginning with the one that is imported."""
        return [key_of(part) for part in (self.folder.absolute().name, *folder.split("/")) if part] or [""]

    def _at_places(self, name: str, reference: Reference) -> list[str]:
        """What is there by this name, taken from each place."""
        found = []
        for place in reference.places:
            # A backslash can be part of a name too.
            for spelling in (os.path.normpath(_joined(place, name)), _joined(place, reference.written)):
                found += self._at(self._by_path, spelling)
        return found

    def _at(self, by: dict[str, list[str]], spelling: str) -> list[str]:
        """What has this path or name; without an extension, whatever its extension is."""
        if by is self._by_path and spelling in self._files:
            return [spelling]
        key = key_of(spelling)
        suffix = PurePosixPath(key).suffix
        return by.get(key) or ([] if suffix in _PICTURE_SUFFIXES else by.get(key + _NO_SUFFIX, []))

    def _place_with_pictures(self, reference: Reference) -> str | None:
        return next((place for place in reference.places if place in self._places), None)

    def _not_in(self, folder: str, path: PureWindowsPath, reference: Reference) -> Unusable:
        shown = f"{folder}/" if folder not in ("", ".") else "the folder itself"
        return self._missing(path, reference, [], f", and {shown} is there and does not hold it")

    def _missing(
        self, path: PureWindowsPath, reference: Reference, namesakes: Sequence[str], fact: str = ""
    ) -> Unusable:
        if other := self._of_other_format(path, reference):
            kind = name_of_format(other)
            return Unusable(
                "OTHER_FORMAT",
                f"{reference.where} names {reference.written!r}, and {kind} is not taken; save it as PNG and "
                "name that",
            )
        if namesakes:
            some = ", ".join(namesakes[:_SHOWN])
            fact += f"; {some} lies elsewhere and may be another one: name it with its folder, if it is meant"
        spellings = [os.path.normpath(_joined(place, path.as_posix())) for place in reference.places]
        if path.drive or path.root or all(one.startswith("..") for one in spellings):
            return Unusable(
                "OUTSIDE_FOLDER",
                f"{reference.where} names {reference.written!r}, which leads outside of {self.folder.name}/"
                f"{fact}; only pictures in the folder are read: put it beside the annotation",
            )
        return Unusable(
            "MISSING_PICTURE",
            f"{reference.where} names {reference.written!r}, which is not in {self.folder.name}/{fact}; put "
            "it beside the annotations",
        )

    def _of_other_format(self, path: PureWindowsPath, reference: Reference) -> str | None:
        """A file of that name that is no picture which is taken, at the name or beside the annotation."""
        for place in reference.places:
            exact = self._others.get(key_of(os.path.normpath(_joined(place, path.as_posix()))))
            beside = self._others.get(key_of(_joined(place, path.name)))
            if exact or (beside and PurePosixPath(beside).suffix.lower() in OTHER_PICTURES):
                return exact or beside
        return None


_NO_SUFFIX = "/"
"""Ends the keys of names without their extension; no name ends so."""
_PICTURE_SUFFIXES = IMAGE_SUFFIXES | OTHER_PICTURES


def _joined(place: str, name: str) -> str:
    return f"{place}/{name}" if place else name


def _only(candidates: Iterable[str], reference: Reference) -> str:
    """The only one; Unusable if there are several."""
    found = set(candidates)
    if len(found) > 1:
        raise _ambiguous(found, reference)
    return found.pop()


def _ambiguous(candidates: set[str], reference: Reference) -> Unusable:
    some = ", ".join(sorted(candidates)[:_SHOWN])
    return Unusable(
        "AMBIGUOUS_PICTURE",
        f"{reference.where} names {reference.written!r}, and there are {len(candidates)} of that name "
        f"({some}); name it with its folder",
    )
