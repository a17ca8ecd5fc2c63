"""Question banks: labelled data that versions are tested with and never trained on (P7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from loupe.errors import FailedPrecondition, InvalidArgument, Violation
from loupe.translation import joined, sentence

from services.registry.domain.identifiers import text_faults
from services.registry.domain.samples import CodeCount

MAX_BANK_PATHS = 500
MAX_TOLD_VERSIONS = 100

CHANGEABLE = ("display_name", "description", "run_after_training", "run_after_release", "compute_resource")
"""The fields that an update may change."""


@dataclass(frozen=True, slots=True)
class BankProfile:
    """What is said of a bank and can be changed."""

    display_name: str = ""
    description: str = ""
    run_after_release: bool = False
    """Whether each version that is released in the environment is tested with the bank (P8)."""
    compute_resource: str | None = None
    """Of these predictions and those after trainings; None: that of the training."""
    run_after_training: bool = False
    """Whether each training that is completed in the environment is tested with the bank (P8)."""

    def faults(self) -> list[Violation]:
        """What is wrong with it."""
        return [
            *text_faults(self.display_name, "question_bank.display_name", 200),
            *text_faults(self.description, "question_bank.description"),
        ]

    def changed(self, after: Self, fields: frozenset[str]) -> Self:
        """The profile with `fields` of `after`, all if none is named; InvalidArgument for other fields."""
        faults = [
            Violation(
                "update_mask",
                "NOT_CHANGEABLE",
                sentence(
                    "{field} cannot be changed; of a question bank {fields} can",
                    field=name,
                    fields=joined(CHANGEABLE),
                ),
            )
            for name in sorted(fields.difference(CHANGEABLE))
        ]
        if faults:
            raise InvalidArgument.of(*faults)
        return replace(self, **{name: getattr(after, name) for name in fields or CHANGEABLE})


@dataclass(frozen=True, slots=True)
class BankRevision:
    """The data of a bank, frozen."""

    bank: str
    number: int
    snapshots: tuple[str, ...]
    """`datasets/{dataset}/paths/{path}/snapshots/{sha256}`."""
    code_counts: tuple[CodeCount, ...]
    """Of all its data paths together, in the order of the code."""
    creator: str
    create_time: datetime

    @property
    def sample_count(self) -> int:
        """Samples of all codes."""
        return sum(count.sample_count for count in self.code_counts)

    @property
    def data_paths(self) -> tuple[str, ...]:
        """The data paths, in the order of their snapshots."""
        return tuple(snapshot.partition("/snapshots/")[0] for snapshot in self.snapshots)


@dataclass(frozen=True, slots=True)
class QuestionBank:
    """A bank with its current revision."""

    id: str
    profile: BankProfile
    production_environment: str
    revision: BankRevision
    creator: str
    create_time: datetime
    last_modifier: str
    update_time: datetime
    archived: bool = False

    @property
    def name(self) -> str:
        """The resource name."""
        return f"questionBanks/{self.id}"

    def require_in_use(self) -> None:
        """Raise BankArchived if it is archived."""
        if self.archived:
            raise BankArchived(f"{self.name} is archived; restore it first", bank=self.name)


def bank_path_faults(paths: Sequence[object], field: str) -> list[Violation]:
    """What is wrong with the data paths of a revision."""
    if not paths:
        return [
            Violation(
                field, "NO_DATA_PATHS", sentence("a question bank needs at least one data path; name it")
            )
        ]
    if len(paths) > MAX_BANK_PATHS:
        return [
            Violation(
                field,
                "TOO_MANY",
                sentence(
                    "{count} {field}; name at most {limit} a call",
                    count=len(paths),
                    field=field,
                    limit=MAX_BANK_PATHS,
                ),
            )
        ]
    return [
        Violation(
            f"{field}[{index}]",
            "DUPLICATE",
            sentence("the data path is named already, at [{index}]; name it once", index=paths.index(path)),
        )
        for index, path in enumerate(paths)
        if path in paths[:index]
    ]


class BankArchived(FailedPrecondition):
    """The bank is archived."""

    reason = "BANK_ARCHIVED"
