"""JSON objects that users write: parsing, with messages about where the text is wrong (rules W3, W8)."""

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from loupe.errors import Violation
from loupe.text import encodable, unstorable
from loupe.translation import Sentence, joined, sentence

MAX_JSON_CHARACTERS = 65_536

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.){0,40}"?|[A-Za-z0-9_.+-]{1,40}|.', re.DOTALL)


class _Refused(Exception):
    """Well-formed JSON that is refused; caught in this module."""

    def __init__(self, reason: str, told: Sentence) -> None:
        super().__init__(told.english)
        self.reason, self.told = reason, told


def parse_object(text: str, field: str) -> tuple[dict[str, Any] | None, list[Violation]]:
    """A JSON object from text. The finding of malformed text gives line, column and what was expected."""
    try:
        value = _read(text)
    except json.JSONDecodeError as error:
        return None, [_malformed(text, field, error)]
    except _Refused as error:
        return None, [Violation(field, error.reason, error.told)]
    if odd := unstorable(value, field):
        place, shown = odd
        told = sentence('"{text}" has U+0000 or half a surrogate pair; take them out', text=shown[:64])
        return None, [Violation(place, "NOT_UNICODE", told)]
    if not isinstance(value, dict):
        return None, [missing_object(field, value)]
    return value, []


def _read(text: str) -> object:
    if len(text) > MAX_JSON_CHARACTERS:
        told = sentence(
            "the text has {length} characters; at most {limit} are accepted",
            length=len(text),
            limit=MAX_JSON_CHARACTERS,
        )
        raise _Refused("JSON_TOO_LONG", told)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _Refused("JSON_TOO_DEEP", sentence("the text is nested too deeply")) from None
    except ValueError:
        # Python refuses to read whole numbers of thousands of digits.
        raise _Refused("NUMBER_TOO_LONG", sentence("a number is too long")) from None


def unknown_keys(given: Mapping[str, Any], known: Sequence[str], at: str) -> list[Violation]:
    """An error for every key that is not known."""
    found = []
    for key in given:
        if key in known:
            continue
        # W8: the nearest known key is named, however different it is.
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
        found.append(
            Violation(
                f"{at}.{key[:64]}",
                "UNKNOWN_KEY",
                sentence(
                    'unknown key "{key}"; the nearest known one is "{nearest}" (known: {known})',
                    key=key[:64],
                    nearest=nearest,
                    known=joined(known),
                ),
            )
        )
    return found


def missing_object(at: str, value: object) -> Violation:
    """The error for a value that is not a JSON object."""
    return Violation(
        at,
        "MISSING_KEY" if value is None else "NOT_AN_OBJECT",
        sentence("a JSON object is expected, as in {{…}}, not {kind}", kind=_kind(value)),
    )


def quoted(value: object) -> str:
    """A value as JSON for a message, shortened."""
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 48 else text[:47] + "…"


def is_number(value: object) -> bool:
    """Whether a JSON value is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1e300 < value < 1e300


MAX_WHOLE = 2**53 - 1
"""A float holds every whole number up to here."""


def whole(least: int, most: int = MAX_WHOLE) -> Callable[[Any], bool]:
    """A predicate: a whole number from `least` to `most`."""
    # Values come from google.protobuf.Struct too, which has no integers: 256.0 is 256.
    return lambda value: is_number(value) and value == int(value) and least <= value <= most


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise _Refused(
                "DUPLICATE_KEY",
                sentence('the key "{key}" occurs twice in one object', key=encodable(key)[:64]),
            )
        value[key] = item
    return value


def _refuse_constant(name: str) -> None:
    raise _Refused("NOT_A_NUMBER", sentence("{name} is not a JSON number", name=name))


# Beginnings of json.JSONDecodeError's messages, and what was expected.
_EXPECTED: tuple[tuple[str, Sentence], ...] = (
    ("Expecting ',' delimiter", Sentence("','", "','")),
    ("Expecting ':' delimiter", Sentence("':'", "':'")),
    ("Expecting property name", sentence("a name in double quotes")),
    ("Illegal trailing comma", sentence("no ','")),
    ("Expecting value", sentence("a value")),
    ("Unterminated string", sentence("a closing double quote")),
    ("Invalid control character", sentence("no line break or tab inside a string")),
    ("Invalid \\", sentence("a valid escape such as \\n")),
    ("Extra data", sentence("the end of the text")),
)


def _malformed(text: str, field: str, error: json.JSONDecodeError) -> Violation:
    expected = next(
        (told for start, told in _EXPECTED if error.msg.startswith(start)), Sentence(error.msg, error.msg)
    )
    token = _TOKEN.match(text, error.pos)
    if token is None:
        before = sentence("at the end of the text")
    else:
        before = sentence("before {token}", token=token[0])
    return Violation(
        field,
        "MALFORMED_JSON",
        sentence(
            "line {line}, column {column}: expected {expected} {before}",
            line=error.lineno,
            column=error.colno,
            expected=expected,
            before=before,
        ),
    )


_KINDS: tuple[tuple[type, Sentence], ...] = (
    (bool, sentence("true or false")),
    (int, sentence("a number")),
    (float, sentence("a number")),
    (str, sentence("a string")),
    (list, sentence("a list")),
    (dict, sentence("an object")),
)


def _kind(value: object) -> Sentence:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), sentence("nothing"))
