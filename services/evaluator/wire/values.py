"""Values of request fields."""

import enum
from typing import TypeVar

from loupe.errors import Violation
from loupe.translation import Sentence

from services.evaluator.domain.errors import FilterInvalid

EnumT = TypeVar("EnumT", bound=enum.IntEnum)


def optional_enum(kind: type[EnumT], number: int, field: str) -> EnumT | None:
    """The value of an enum field; None if the field is not set, FilterInvalid if there is no such value."""
    if not number:
        return None
    try:
        return kind(number)
    except ValueError as error:
        raise FilterInvalid.of(
            Violation(field, "INVALID", Sentence(f"{error}; use a value of the enum in the contract", ""))
        ) from error
