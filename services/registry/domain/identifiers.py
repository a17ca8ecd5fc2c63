"""The rules for resource ids and texts, and their violations."""

import re
import unicodedata

from loupe.errors import InvalidArgument, Violation
from loupe.translation import sentence

MAX_ID_CHARACTERS = 63
MAX_MODEL_ID_CHARACTERS = 60
MAX_TEXT_CHARACTERS = 2000

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_MODEL_ID = re.compile(r"[A-Za-z](?:[A-Za-z0-9_-]{0,58}[A-Za-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def id_faults(value: str, field: str) -> list[Violation]:
    """Why `value` is not an id; empty if it is one."""
    if _ID.fullmatch(value):
        return []
    return [
        Violation(
            field,
            "BAD_ID",
            sentence(
                "{id} is not an id; use at most {limit} letters, digits, '.', "
                "'_' or '-', with a letter or digit first and last",
                id=shown(value),
                limit=MAX_ID_CHARACTERS,
            ),
        )
    ]


def model_id_faults(value: str, field: str) -> list[Violation]:
    """Why `value` is not a model's name (W1); empty if it is one."""
    if _MODEL_ID.fullmatch(value):
        return []
    return [
        Violation(
            field,
            "BAD_MODEL_NAME",
            sentence(
                "{name} is not a model name; use at most {limit} letters, "
                "digits, '_' or '-', with a letter first and a letter or digit last",
                name=shown(value),
                limit=MAX_MODEL_ID_CHARACTERS,
            ),
        )
    ]


def sha256_faults(value: str, field: str) -> list[Violation]:
    """Why `value` is not a SHA-256; empty if it is one."""
    if _SHA256.fullmatch(value):
        return []
    return [
        Violation(
            field,
            "BAD_SHA256",
            sentence("{value} is not a SHA-256; send 64 lower-case hexadecimal digits", value=shown(value)),
        )
    ]


def length_faults(value: str, field: str, max_characters: int) -> list[Violation]:
    """Whether `value` is too long; empty if it is not."""
    if len(value) <= max_characters:
        return []
    told = sentence(
        "the text has {length} characters; shorten it to {limit}", length=len(value), limit=max_characters
    )
    return [Violation(field, "TOO_LONG", told)]


def text_faults(value: str, field: str, max_characters: int = MAX_TEXT_CHARACTERS) -> list[Violation]:
    """Why `value` cannot be stored as a text; empty if it can."""
    if too_long := length_faults(value, field, max_characters):
        return too_long
    # PostgreSQL cannot store NUL; of the other control characters only line breaks and tabs are useful.
    if any(
        unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t\r" for character in value
    ):
        return [
            Violation(
                field,
                "CONTROL_CHARACTER",
                sentence("the text holds a control character; remove it"),
            )
        ]
    return []


def refuse(faults: list[Violation]) -> None:
    """Raise InvalidArgument with all faults, if there are any."""
    if any(fault.severity == "error" for fault in faults):
        raise InvalidArgument.of(*faults)


def shown(value: str) -> str:
    """A value for a message, shortened: values of callers can be long."""
    return repr(value if len(value) <= 80 else value[:79] + "…")
