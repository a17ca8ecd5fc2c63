"""JSON of other programs: every unexpected value is an error that names its place."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loupe.annotations.shapes import Point
from loupe.text_encodings import decode
from loupe.unusable import Unusable, unreadable
from loupe.walking import read_file

_MAX_FILE_BYTES = 2 * 2**30
_MAX_VALUES = 50_000_000
"""Values of a file; each takes 40 bytes to 100, so that a few GB are the most."""
_MAX_COORDINATE = 1e7


@dataclass(frozen=True, slots=True)
class Content:
    """What a file of annotations holds."""

    value: Any
    encoding: str = ""
    """The encoding that it was read in, if nothing in the file says so."""


def load(file: Path, name: str) -> Content:
    """The value of a JSON file; Unusable with line and column if it has none."""
    try:
        decoded = decode(read_file(file, _MAX_FILE_BYTES), name)
    except OSError as error:
        raise unreadable(name, error) from error
    text = decoded.text
    if sum(map(text.count, ",[{")) > _MAX_VALUES:
        raise Unusable("TOO_LARGE", f"{name} holds more than {_MAX_VALUES:,} values; export it in parts")
    try:
        return Content(json.loads(text), decoded.concluded)
    except json.JSONDecodeError as error:
        raise Unusable(
            "BROKEN_JSON",
            f"{name} line {error.lineno} column {error.colno}: {error.msg}; mend the JSON or export it again",
        ) from error
    except RecursionError as error:
        raise Unusable("BROKEN_JSON", f"{name} is nested too deeply; export it again") from error
    except ValueError as error:
        raise Unusable("BROKEN_JSON", f"{name} has a number that is too long; export it again") from error


def field(row: Any, name: str, kind: type | tuple[type, ...], where: str) -> Any:  # noqa: ANN401 -- as above
    """A field of an object; Unusable if it lacks or is of another type."""
    if not isinstance(row, dict):
        raise Unusable("BAD_ANNOTATION", f"{where} is {shortened(row)}, not an object; export it again")
    value = row.get(name)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kinds):
        wanted = " or ".join(_NAMES[one] for one in kinds)
        fact = f"has no {name}" if name not in row else f"has {shortened(value)} as {name}"
        raise Unusable("BAD_ANNOTATION", f"{where} {fact}, expected {wanted}; export it again")
    return value


def number(value: Any, where: str) -> float:  # noqa: ANN401 -- as above
    """A number that can be a coordinate; Unusable."""
    # NaN compares false; and a whole number of a thousand digits is no float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MAX_COORDINATE:
        raise Unusable("BAD_ANNOTATION", f"{where} is {shortened(value)}, not a coordinate; export it again")
    return float(value)


def points(value: Any, where: str) -> tuple[Point, ...]:  # noqa: ANN401 -- as above
    """Pairs of finite numbers; Unusable."""
    if not isinstance(value, list) or not all(isinstance(one, list) and len(one) >= 2 for one in value):
        raise Unusable("BAD_ANNOTATION", f"{where} is no list of [x, y]; export it again")
    return tuple((number(one[0], where), number(one[1], where)) for one in value)


def check_no_fractions(numbers: Iterable[float], where: str) -> None:
    """Unusable where all coordinates of a shape are fractions, not pixels (D5)."""
    if all(0 <= number <= 1 for number in numbers):
        raise Unusable(
            "FRACTIONS",
            f"{where} has only coordinates from 0 to 1, which look like fractions of the picture, and pixels "
            "are read; export it with coordinates in pixels",
        )


def size(row: dict[str, Any], width_name: str, height_name: str, where: str) -> tuple[int, int] | None:
    """Width and height where both are there; Unusable if they are no sizes."""
    sides = (row.get(width_name), row.get(height_name))
    if None in sides:
        return None
    width, height = (number(side, f"{where} {width_name}/{height_name}") for side in sides)
    if width < 1 or height < 1:
        raise Unusable("BAD_ANNOTATION", f"{where} says {width:g}×{height:g} pixels; export it again")
    return (int(width), int(height))


def shortened(value: object) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


_NAMES: dict[type, str] = {
    list: "a list",
    dict: "an object",
    str: "a text",
    int: "a whole number",
    float: "a number",
}
