"""Resource names: the one place that takes them apart and puts them together."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from loupe.errors import InvalidArgument, Violation
from loupe.translation import sentence

from services.registry.domain.identifiers import id_faults, model_id_faults, sha256_faults, shown
from services.registry.domain.images import ImageVersionNumber
from services.registry.domain.models import VersionNumber

ANY = "-"

IdFaults = Callable[[str, str], list[Violation]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """The form of one kind of name, such as `datasets/{dataset}/paths/{path}`."""

    form: str
    id_faults: tuple[IdFaults, ...]

    def parse(self, name: str, field: str = "name") -> tuple[str, ...]:
        """The ids in `name`, in order; InvalidArgument at `field` if it is not of this form."""
        parts = name.split("/")
        forms = self.form.split("/")
        if len(parts) != len(forms) or any(
            part != form for part, form in zip(parts, forms, strict=True) if not form.startswith("{")
        ):
            raise InvalidArgument.of(self.fault(name, field))
        ids = tuple(part for part, form in zip(parts, forms, strict=True) if form.startswith("{"))
        faults = [
            fault for value, check in zip(ids, self.id_faults, strict=True) for fault in check(value, field)
        ]
        if faults:
            raise InvalidArgument.of(*faults)
        return ids

    def make(self, *ids: object) -> str:
        """The name with these ids."""
        values = iter(ids)
        return re.sub(r"\{[^}]*\}", lambda _: str(next(values)), self.form)

    def fault(self, name: str, field: str) -> Violation:
        """What is said of a name that is not of this form."""
        return Violation(
            field,
            "BAD_NAME",
            sentence(
                "{name} is not a name of the form {pattern}; send one", name=shown(name), pattern=self.form
            ),
        )


def _any_text(_value: str, _field: str) -> list[Violation]:
    return []


ENVIRONMENT = Pattern("productionEnvironments/{environment}", (id_faults,))
RESOURCE = Pattern("computeResources/{resource}", (id_faults,))
IMAGE = Pattern("algorithmImages/{image}", (id_faults,))
_IMAGE_VERSION = Pattern("algorithmImages/{image}/versions/{version}", (id_faults, _any_text))
DATASET = Pattern("datasets/{dataset}", (id_faults,))
DATA_PATH = Pattern("datasets/{dataset}/paths/{path}", (id_faults, id_faults))
SNAPSHOT = Pattern(
    "datasets/{dataset}/paths/{path}/snapshots/{sha256}", (id_faults, id_faults, sha256_faults)
)
IMPORT_REPORT = Pattern(
    "datasets/{dataset}/paths/{path}/importReports/{report}", (id_faults, id_faults, id_faults)
)
_DELETED_PATH = Pattern("datasets/{dataset}/deletedPaths/{path}.{number}", (id_faults, _any_text))
MODEL = Pattern("models/{model}", (model_id_faults,))
_MODEL_VERSION = Pattern("models/{model}/versions/{version}", (model_id_faults, _any_text))
BANK = Pattern("questionBanks/{bank}", (id_faults,))
BANK_REVISION = Pattern("questionBanks/{bank}/revisions/{revision}", (id_faults, _any_text))
USER = Pattern("users/{user}", (id_faults,))
TOKEN = Pattern("users/{user}/tokens/{token}", (id_faults, id_faults))


def parse_one(pattern: Pattern, name: str, field: str = "name") -> str:
    """The only id of a name whose form has one."""
    (value,) = pattern.parse(name, field)
    return value


def parse_optional(pattern: Pattern, name: str, field: str) -> str | None:
    """The only id of a name, None if the field was left empty."""
    return parse_one(pattern, name, field) if name else None


def parse_data_path(name: str, field: str = "name") -> tuple[str, str]:
    """Dataset and path."""
    dataset, path = DATA_PATH.parse(name, field)
    return dataset, path


def parse_deleted_path(name: str) -> tuple[str, tuple[str, int]]:
    """Dataset, and the path's id with its number."""
    dataset, deleted = _DELETED_PATH.parse(name)
    path, _, number = deleted.rpartition(".")
    if not re.fullmatch(r"[1-9][0-9]{0,17}", number) or id_faults(path, "name"):
        raise InvalidArgument.of(_DELETED_PATH.fault(name, "name"))
    return dataset, (path, int(number))


def parse_import_report(name: str, field: str = "name") -> tuple[str, str, str]:
    """Dataset, path and report."""
    dataset, path, report = IMPORT_REPORT.parse(name, field)
    return dataset, path, report


def parse_snapshot(name: str, field: str = "name") -> str:
    """The hash of a snapshot's manifest."""
    _, _, sha256 = SNAPSHOT.parse(name, field)
    return sha256


def parse_token(name: str) -> tuple[str, str]:
    """User and token."""
    user, token = TOKEN.parse(name)
    return user, token


def parse_bank_revision(name: str) -> tuple[str, int]:
    """Bank and number."""
    bank, number = BANK_REVISION.parse(name)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise InvalidArgument.of(BANK_REVISION.fault(name, "name"))
    return bank, int(number)


def parse_parent_dataset(name: str) -> str | None:
    """The dataset, None for `datasets/-`: all of them."""
    return None if name == f"datasets/{ANY}" else parse_one(DATASET, name, "parent")


def parse_image_version(name: str) -> tuple[str, ImageVersionNumber]:
    """Image and number."""
    image, text = _IMAGE_VERSION.parse(name)
    number = ImageVersionNumber.parse(text)
    if number is None:
        raise InvalidArgument.of(
            Violation(
                "name",
                "BAD_VERSION",
                sentence(
                    "{version} is not an image version; write v{{major}}.{{minor}}, such as v3.0",
                    version=shown(text),
                ),
            )
        )
    return image, number


def parse_model_version(name: str) -> tuple[str, str]:
    """Model, and version number or alias in its one spelling."""
    model, text = _MODEL_VERSION.parse(name)
    number_like = re.match(r"v[0-9]", text)
    if VersionNumber.parse(text) is None and (number_like or not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", text)):
        raise InvalidArgument.of(
            Violation(
                "name",
                "BAD_VERSION",
                sentence(
                    "{version} is neither a version such as v3.01 (two digits at least) nor an alias "
                    "such as production",
                    version=shown(text),
                ),
            )
        )
    return model, text


def image_version(image: str, number: ImageVersionNumber) -> str:
    """`algorithmImages/{image}/versions/v3.0`."""
    return _IMAGE_VERSION.make(image, number)


def model_version(model: str, number: VersionNumber) -> str:
    """`models/{model}/versions/v3.01`."""
    return _MODEL_VERSION.make(model, number)
