"""Path templates of `google.api.http`: compiled once, matched against the raw path of a request.

Grammar: `/v1/{name=tasks/*}:watch`. A segment is a literal, `*` (one segment) or, last, `**` (any number);
a variable binds the segments that its braces enclose; a verb may follow the last segment after a colon.

A path whose last segment holds a raw colon names a verb, and only templates with that verb match it. A colon
that belongs to an identifier is sent as `%3A`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

ONE = "*"
REST = "**"

_LITERAL = re.compile(r"[A-Za-z0-9._~-]+")
_FIELD_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_ENCODED_SLASH = re.compile(r"%2F", re.IGNORECASE)


class TemplateError(ValueError):
    """A contract holds a path template that is not one; told at start, never to a caller."""


class UndecodablePathError(ValueError):
    """The path of a request is not percent-encoded UTF-8."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A field of the request and the segments, first to before-last, that it takes its value from."""

    field_path: str
    start: int
    end: int
    # `{name}` decodes everything; `{name=tasks/*}` keeps %2F, apart from the slashes between segments.
    single: bool


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A compiled template."""

    text: str
    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    verb: str

    @classmethod
    def parse(cls, text: str) -> "PathTemplate":
        """Compile a template, or raise TemplateError with what is wrong."""
        if not text.startswith("/"):
            raise TemplateError(f"{text!r}: a path template starts with a slash")
        path, verb = _split_verb(text)
        segments: list[str] = []
        variables: list[Variable] = []
        for part in _split_outside_braces(path[1:], text):
            if not part.startswith("{"):
                segments.append(_segment(part, text))
                continue
            if not part.endswith("}"):
                raise TemplateError(f"{text!r}: {part!r} is not closed")
            field_path, _, inner = part[1:-1].partition("=")
            if not _FIELD_PATH.fullmatch(field_path):
                raise TemplateError(f"{text!r}: {field_path!r} is not a field path")
            start = len(segments)
            segments.extend(_segment(piece, text) for piece in (inner or ONE).split("/"))
            variables.append(Variable(field_path, start, len(segments), single=inner in {"", ONE}))
        if REST in segments[:-1]:
            raise TemplateError(f"{text!r}: ** may only come last")
        bound = [variable.field_path for variable in variables]
        if len(set(bound)) != len(bound):
            raise TemplateError(f"{text!r}: a field is bound twice")
        return cls(text, tuple(segments), tuple(variables), verb)

    @property
    def shape(self) -> tuple[tuple[str, ...], str]:
        """What two templates share if they match the same paths."""
        return self.segments, self.verb

    @property
    def specificity(self) -> tuple[tuple[int, str], ...]:
        """Sorts templates so that of two that match one path the more literal comes first."""
        rank = {ONE: 1, REST: 2}
        return tuple((rank.get(segment, 0), segment) for segment in self.segments)

    def match(self, raw_path: str) -> Mapping[str, str] | None:
        """The values of the variables, or None; `raw_path` is still percent-encoded and has no query."""
        if not raw_path.startswith("/"):
            return None
        path, verb = _split_verb(raw_path)
        if verb != self.verb:
            return None
        given = path[1:].split("/")
        rest = bool(self.segments) and self.segments[-1] == REST
        fixed = len(self.segments) - rest
        if len(given) < fixed or (len(given) > fixed and not rest):
            return None
        for wanted, piece in zip(self.segments[:fixed], given, strict=False):
            if not piece or (wanted != ONE and _decode(piece, keep_slash=False) != wanted):
                return None
        return {
            variable.field_path: "/".join(
                _decode(piece, keep_slash=not variable.single)
                for piece in given[
                    variable.start : None if rest and variable.end == len(self.segments) else variable.end
                ]
            )
            for variable in self.variables
        }


def _split_verb(path: str) -> tuple[str, str]:
    # The last colon of the last segment; a variable's own text holds none.
    start = max(path.rfind("/"), path.rfind("}")) + 1
    colon = path.rfind(":", start)
    return (path, "") if colon < 0 else (path[:colon], path[colon + 1 :])


def _split_outside_braces(path: str, text: str) -> list[str]:
    parts = [""]
    depth = 0
    for character in path:
        if character == "/" and depth == 0:
            parts.append("")
            continue
        depth += (character == "{") - (character == "}")
        if depth not in {0, 1}:
            raise TemplateError(f"{text!r}: braces do not pair")
        parts[-1] += character
    if depth:
        raise TemplateError(f"{text!r}: braces do not pair")
    return parts


def _segment(piece: str, text: str) -> str:
    if piece in {ONE, REST} or _LITERAL.fullmatch(piece):
        return piece
    raise TemplateError(f"{text!r}: {piece!r} is neither a literal nor * nor **")


def _decode(piece: str, *, keep_slash: bool) -> str:
    try:
        if keep_slash:
            return "%2F".join(unquote_to_bytes(part).decode() for part in _ENCODED_SLASH.split(piece))
        return unquote_to_bytes(piece).decode()
    except UnicodeDecodeError:
        raise UndecodablePathError(f"{piece!r} is not percent-encoded UTF-8") from None
