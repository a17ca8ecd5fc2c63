"""Released models, their versions and aliases (R2 to R4)."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from loupe.errors import FailedPrecondition, InvalidArgument, NotFound, Violation
from loupe.translation import sentence

from services.input_specification import InputSpecification
from services.looks import TrainingLooks
from services.registry.domain.identifiers import model_id_faults, sha256_faults, shown
from services.registry.domain.images import MAX_NUMBER, TaskType

LATEST = "latest"

_NUMBER = re.compile(r"v(0|[1-9][0-9]{0,5})\.(0[1-9]|[1-9][0-9]{1,8})")
_ALIAS = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True, order=True)
class VersionNumber:
    """`v3.01`; ordered by number, so v3.100 comes after v3.99."""

    major: int
    release_number: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The number in its only spelling; None for other texts, such as v3.1 and v3.001."""
        match = _NUMBER.fullmatch(text)
        return cls(int(match[1]), int(match[2])) if match else None

    def __str__(self) -> str:
        return f"v{self.major}.{self.release_number:02d}"


@dataclass(frozen=True, slots=True)
class Model:
    """A model, described by its newest release."""

    id: str
    production_environment: str | None
    task_type: TaskType
    last_modifier: str
    create_time: datetime
    update_time: datetime
    latest: VersionNumber | None = None
    """The newest version that is not archived."""


@dataclass(frozen=True, slots=True)
class Release:
    """What a released task provides: everything of a version except its number (R2)."""

    model: str
    major: int
    task: str
    """`tasks/{task}`; the same task always gets the same version."""
    algorithm_image_version: str
    weights_sha256: str
    code_list: tuple[str, ...]
    num_of_classes: int
    input: InputSpecification
    task_type: TaskType | None
    parent_version: str = ""
    snapshots: tuple[str, ...] = ()
    model_params: Mapping[str, Any] = field(default_factory=dict)
    training_params: Mapping[str, Any] = field(default_factory=dict)
    preprocessing_params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    report: str = ""
    releaser: str = ""
    production_environment: str | None = None
    looks: TrainingLooks | None = None

    @property
    def starts_from_parent(self) -> bool:
        """Whether the training began with the parent's weights; true if it is unknown."""
        return bool(self.parent_version) and bool(self.preprocessing_params.get("warm_start", True))

    def faults(self) -> list[Violation]:
        """What is wrong with it."""
        faults = [
            *model_id_faults(self.model, "parent"),
            *sha256_faults(self.weights_sha256, "version.weights_sha256"),
        ]
        if not re.fullmatch(r"tasks/[A-Za-z0-9][A-Za-z0-9._-]{0,62}", self.task):
            faults.append(
                Violation(
                    "version.task",
                    "BAD_NAME",
                    sentence("{name} is not a task's name; send tasks/{{task}}", name=shown(self.task)),
                )
            )
        image_version = re.fullmatch(
            r"algorithmImages/[^/]+/versions/v([0-9]+)\.[0-9]+", self.algorithm_image_version
        )
        if image_version is None:
            faults.append(
                Violation(
                    "version.algorithm_image_version",
                    "BAD_NAME",
                    sentence(
                        "{name} is not an image version's name; send "
                        "algorithmImages/{{image}}/versions/v{{major}}.{{minor}}",
                        name=shown(self.algorithm_image_version),
                    ),
                )
            )
        elif int(image_version[1]) != self.major or self.major > MAX_NUMBER:
            faults.append(
                Violation(
                    "version.major",
                    "MAJOR_MISMATCH",
                    sentence(
                        "major is {major}, the image version is {image_version}; both must "
                        "agree and be at most {limit}",
                        major=self.major,
                        image_version=self.algorithm_image_version,
                        limit=MAX_NUMBER,
                    ),
                )
            )
        if self.task_type is None:
            faults.append(
                Violation(
                    "version.task_type",
                    "REQUIRED",
                    sentence("task_type is missing; say what the model does"),
                )
            )
        return [*faults, *self._code_faults(), *self.input.faults("version.input")]

    def _code_faults(self) -> list[Violation]:
        faults = [
            Violation(
                f"version.code_list[{index}]",
                "BAD_CODE",
                sentence(
                    "{code} is not a defect code; use 1 to 32 letters, digits, '_' or '-'", code=shown(code)
                ),
            )
            for index, code in enumerate(self.code_list)
            if not _CODE.fullmatch(code)
        ]
        if len(set(self.code_list)) != len(self.code_list):
            faults.append(
                Violation(
                    "version.code_list",
                    "DUPLICATE",
                    sentence("a code is listed twice; list each once"),
                )
            )
        if not 2 <= self.num_of_classes <= len(self.code_list):
            faults.append(
                Violation(
                    "version.num_of_classes",
                    "OUT_OF_RANGE",
                    sentence(
                        "num_of_classes is {num_of_classes}; it must lie between 2 and the "
                        "{code_count} codes listed",
                        num_of_classes=self.num_of_classes,
                        code_count=len(self.code_list),
                    ),
                )
            )
        return faults


class PackageFormat(enum.StrEnum):
    """The formats of an export (X)."""

    CSOT_ARTIFACT = "CSOT_ARTIFACT"
    ONNX = "ONNX"


_FILE_ENDING = {PackageFormat.CSOT_ARTIFACT: "", PackageFormat.ONNX: "-onnx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A zip for machines that run the version without Loupe; recorded once, never replaced."""

    format: PackageFormat
    sha256: str
    size_bytes: int
    create_time: datetime
    abi_version: int = 0
    """Version of the library's C interface; 0 if there is no library."""
    format_version: int = 0
    """Version of models.xbin; 0 if there is none."""

    def faults(self) -> list[Violation]:
        """What is wrong with it."""
        faults = sha256_faults(self.sha256, "package.sha256")
        if self.size_bytes <= 0:
            faults.append(
                Violation(
                    "package.size_bytes",
                    "OUT_OF_RANGE",
                    sentence("size_bytes is {size_bytes}; a package has bytes", size_bytes=self.size_bytes),
                )
            )
        return faults


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One released version with its lineage; `archived` and `aliases` may change, `packages` grow."""

    release: Release
    number: VersionNumber
    create_time: datetime
    archived: bool = False
    aliases: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()

    def package(self, wanted: PackageFormat) -> Package:
        """The package of a format; NotExported."""
        for package in self.packages:
            if package.format is wanted:
                return package
        name = f"models/{self.release.model}/versions/{self.number}"
        raise NotExported(f"{name} has no {wanted} package; export it first", resource=name)

    def file_name(self, package_format: PackageFormat) -> str:
        """The file name of a package: `panel-adc-v3.01.zip`."""
        return f"{self.release.model}-{self.number}{_FILE_ENDING[package_format]}.zip"


class NotExported(NotFound):
    """The version was not exported in that format, or the export is not COMPLETED."""

    reason = "NOT_EXPORTED"


class ReleasedElsewhere(FailedPrecondition):
    """The task is already a version of another model."""

    reason = "TASK_RELEASED_ELSEWHERE"


class VersionArchived(FailedPrecondition):
    """An archived version takes no alias."""

    reason = "VERSION_ARCHIVED"


class VersionHasAliases(FailedPrecondition):
    """Whoever asks for an alias of it would be given an archived version."""

    reason = "HAS_ALIASES"


def check_alias(alias: str) -> None:
    """Raise InvalidArgument if it cannot be an alias: `latest` and version numbers are reserved."""
    if alias == LATEST:
        raise InvalidArgument.of(
            Violation(
                "alias",
                "RESERVED",
                sentence(
                    "'latest' always means the newest version that is not archived; choose another alias"
                ),
            )
        )
    if not _ALIAS.fullmatch(alias) or re.fullmatch(r"v[0-9]+", alias):
        raise InvalidArgument.of(
            Violation(
                "alias",
                "BAD_ALIAS",
                sentence(
                    "{alias} is not an alias; use at most 32 lower-case letters, digits or '-', a "
                    "letter first, a letter or digit last, and not like a version",
                    alias=shown(alias),
                ),
            )
        )
