"""Samples that move to other codes (P6)."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from loupe.errors import Aborted, Violation
from loupe.translation import Sentence, joined, sentence

from services.registry.domain.candidates import MAX_CANDIDATES, Candidate
from services.registry.domain.identifiers import sha256_faults, shown
from services.registry.domain.samples import Sample, code_faults


class DataPathChanged(Aborted):
    """The listing changed since the caller read it."""

    reason = "DATA_PATH_CHANGED"


@dataclass(frozen=True, slots=True)
class Relabel:
    """A sample that shall have another code."""

    file: str
    sha256: str
    """Of the image that the caller saw."""
    code: str

    @property
    def targets(self) -> tuple[str, ...]:
        """Possible files under the new code, the best first: its name, or one with the old code in it."""
        old_code, _, name = self.file.partition("/")
        path = PurePosixPath(name)
        return f"{self.code}/{name}", f"{self.code}/{path.stem}-{old_code}{path.suffix}"


class RelabelResult(enum.StrEnum):
    """What became of a relabel."""

    RELABELLED = "RELABELLED"
    UNCHANGED = "UNCHANGED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class RelabelOutcome:
    """What became of one relabel, and where the sample lies now."""

    file: str
    result: RelabelResult
    new_file: str = ""
    reason: str = ""
    message: str = ""
    message_zh: str = ""


@dataclass(slots=True)
class Relabelling:
    """Relabels, one after another, on the part of a listing that they may touch."""

    listing: dict[str, Sample]
    """The samples at the relabels' files and targets, by file."""
    mask_codes: Sequence[str]
    moved: dict[str, Sample] = field(default_factory=dict)
    """New samples by their files."""
    removed: dict[str, Sample] = field(default_factory=dict)
    """Samples that were removed from the old listing, by their files."""

    @classmethod
    def of(cls, listing: Mapping[str, Sample], mask_codes: Sequence[str]) -> "Relabelling":
        """A copy of the part of the listing; the listing itself does not change."""
        return cls(dict(listing), mask_codes)

    def apply(self, relabel: Relabel) -> RelabelOutcome:
        """Move one sample; returns the outcome."""
        there = self.listing.get(relabel.file)
        if there is None:
            return self._absent(relabel)
        if there.image.sha256 != relabel.sha256:
            return _refused(
                relabel,
                "OTHER_BYTES",
                *sentence("{file} is another picture by now; look at it again", file=relabel.file),
            )
        if there.code == relabel.code:
            return RelabelOutcome(relabel.file, RelabelResult.UNCHANGED, relabel.file)
        for target in relabel.targets:
            occupant = self.listing.get(target)
            if occupant is None:
                if Candidate(target, relabel.sha256).fault() is not None:
                    continue
                sample = replace(there, file=target, code=relabel.code)
                self.listing[target] = self.moved[target] = sample
            elif not _makes_needless(occupant, there):
                continue
            self._remove(relabel.file)
            return self._relabelled(relabel, there, target)
        return _refused(
            relabel,
            "NAME_TAKEN",
            *sentence(
                "other pictures lie at {targets}; import it under another name",
                targets=Sentence(" and ".join(relabel.targets), joined(relabel.targets).chinese),
                file=relabel.file,
            ),
        )

    def _absent(self, relabel: Relabel) -> RelabelOutcome:
        for target in relabel.targets:
            occupant = self.listing.get(target)
            if occupant is not None and occupant.image.sha256 == relabel.sha256:
                return RelabelOutcome(relabel.file, RelabelResult.UNCHANGED, target)
        return _refused(
            relabel,
            "NOT_LISTED",
            *sentence("the path does not list {file} any more", file=relabel.file),
        )

    def _remove(self, file: str) -> None:
        previous = self.listing.pop(file)
        # A sample that this call added was never in the old listing.
        if self.moved.pop(file, None) is None:
            self.removed[file] = previous

    def _relabelled(self, relabel: Relabel, sample: Sample, new_file: str) -> RelabelOutcome:
        outcome = RelabelOutcome(relabel.file, RelabelResult.RELABELLED, new_file)
        if not (self.mask_codes and sample.mask_sha256):
            # A black and white mask marks the code of its folder, which is the new code now.
            return outcome
        message, message_zh = sentence(
            "the mask of {file} names codes by value and was left as it is; look at it", file=new_file
        )
        return replace(outcome, reason="MASK_NAMES_CODES", message=message, message_zh=message_zh)


def relabel_faults(relabels: Sequence[Relabel]) -> list[Violation]:
    """What is wrong with a batch as a request; what is wrong with a sample is its outcome instead."""
    if len(relabels) > MAX_CANDIDATES:
        return [
            Violation(
                "relabels",
                "TOO_MANY",
                sentence(
                    "{count} relabels; send at most {limit} a call",
                    count=len(relabels),
                    limit=MAX_CANDIDATES,
                ),
            )
        ]
    faults: list[Violation] = []
    seen: set[str] = set()
    for index, relabel in enumerate(relabels):
        at = f"relabels[{index}]"
        faults += sha256_faults(relabel.sha256, f"{at}.sha256")
        faults += code_faults(relabel.code, f"{at}.code")
        if relabel.file in seen or relabel.file.count("/") != 1:
            faults.append(
                Violation(
                    f"{at}.file",
                    "INVALID",
                    sentence("{file} must be {{code}}/{{file}}, each once a call", file=shown(relabel.file)),
                )
            )
        seen.add(relabel.file)
    return faults


def files_touched(relabels: Iterable[Relabel]) -> set[str]:
    """The files whose samples decide the outcomes of the relabels."""
    return {file for relabel in relabels for file in (relabel.file, *relabel.targets)}


def _makes_needless(occupant: Sample, sample: Sample) -> bool:
    """Whether `occupant` is the same image and has all the facts of `sample`."""
    return occupant.image.sha256 == sample.image.sha256 and sample.mask_sha256 in (None, occupant.mask_sha256)


def _refused(relabel: Relabel, reason: str, message: str, message_zh: str) -> RelabelOutcome:
    return RelabelOutcome(
        relabel.file, RelabelResult.REFUSED, reason=reason, message=message, message_zh=message_zh
    )
