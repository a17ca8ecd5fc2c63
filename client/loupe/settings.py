"""Settings of a process: one frozen dataclass, read once from the environment; reports all faults.

::

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        database_url: str = setting("LOUPE_DATABASE_URL", secret=True, doc="PostgreSQL")
        lease_s: float = setting("LOUPE_LEASE_S", default=10.0, doc="lease without heartbeat")
        objects: ObjectStoreSettings  # a dataclass of settings is a group, read from the same environment

    settings = load(Settings, os.environ)

Types: str, int, float, bool, Path, an Enum of strings, `tuple[T, ...]` (comma separated), and `T | None`
(absent or empty is None). The message of a ValueError from `__post_init__` is added to the faults.

A secret may be in a file that `<name>_FILE` names instead, without the line end at its end.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

_REQUIRED: Any = dataclasses.MISSING
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_KEY = "loupe.setting"

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class _Declaration:
    name: str
    doc: str
    secret: bool


@dataclasses.dataclass(frozen=True, slots=True)
class SettingDoc:
    """One line of a process's reference of settings."""

    name: str
    type_name: str
    default: str | None
    doc: str
    required: bool
    secret: bool


class SettingsError(Exception):
    """The environment does not hold valid settings; `faults` names every reason."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("the settings are not usable:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


def setting(name: str, *, default: Any = _REQUIRED, secret: bool = False, doc: str) -> Any:  # noqa: ANN401 -- stands for any type, as dataclasses.field does
    """Declare a field that is read from the environment variable `name`; without a default it is required."""
    return dataclasses.field(
        default=default, repr=not secret, metadata={_KEY: _Declaration(name, doc, secret)}
    )


def load(cls: type[T], environ: Mapping[str, str]) -> T:
    """Read all settings of `cls`, or raise SettingsError with every fault."""
    faults: list[str] = []
    value = _load(cls, environ, faults)
    if value is None or faults:
        raise SettingsError(tuple(faults))
    return value


def describe(cls: type) -> Iterator[SettingDoc]:
    """The reference of what `load` reads, in order of declaration; secrets show no default."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        declaration: _Declaration | None = field.metadata.get(_KEY)
        if declaration is None:
            yield from describe(hints[field.name])
            continue
        has_default = field.default is not dataclasses.MISSING and not declaration.secret
        kind = hints[field.name]
        yield SettingDoc(
            name=declaration.name,
            type_name=kind.__name__ if isinstance(kind, type) else str(kind),
            default=_shown(field.default) if has_default else None,
            doc=declaration.doc,
            required=field.default is dataclasses.MISSING and not _allows_none(kind),
            secret=declaration.secret,
        )


def _shown(default: object) -> str:
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _load(cls: type[T], environ: Mapping[str, str], faults: list[str]) -> T | None:
    hints = typing.get_type_hints(cls)
    values: dict[str, object] = {}
    before = len(faults)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # dataclasses has no bound for type[T]
        declaration: _Declaration | None = field.metadata.get(_KEY)
        kind = hints[field.name]
        if declaration is None:
            if not dataclasses.is_dataclass(kind):
                raise TypeError(f"{cls.__name__}.{field.name} is neither a setting nor a group of settings")
            values[field.name] = _load(typing.cast("type[object]", kind), environ, faults)
            continue
        try:
            text = _given(declaration, environ)
            if text or (text == "" and kind is str):
                values[field.name] = _parsed(declaration, kind, text)
            elif field.default is dataclasses.MISSING:
                _require_optional(declaration, kind)
                values[field.name] = None
        except ValueError as error:
            faults.append(str(error))
    if len(faults) > before:
        return None
    try:
        return cls(**values)
    except ValueError as error:
        faults.append(str(error))
        return None


def file_variable(name: str) -> str:
    """The variable that names the file of a secret setting."""
    return f"{name}_FILE"


def _given(declaration: _Declaration, environ: Mapping[str, str]) -> str | None:
    """The text of a setting, or None; ValueError if it cannot be had from its file."""
    text = environ.get(declaration.name)
    variable = file_variable(declaration.name)
    file = environ.get(variable) if declaration.secret else None
    if not file:
        return text
    if text is not None:
        raise ValueError(f"{declaration.name} and {variable} are both set; unset one of them")
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"{variable}={file} cannot be read: {why}") from None


def _parsed(declaration: _Declaration, kind: Any, text: str) -> object:  # noqa: ANN401 -- a type expression
    try:
        return _parse(kind, text)
    except ValueError as error:
        shown = "" if declaration.secret else f", not {text!r}"
        raise ValueError(f"{declaration.name} must be {error}{shown}") from None


def _require_optional(declaration: _Declaration, kind: Any) -> None:  # noqa: ANN401 -- a type expression
    if not _allows_none(kind):
        raise ValueError(f"{declaration.name} is not set ({declaration.doc})")


def _allows_none(kind: Any) -> bool:  # noqa: ANN401 -- a type expression has no type of its own
    return type(None) in typing.get_args(kind)


def _parse(kind: Any, text: str) -> object:  # noqa: ANN401, PLR0911 -- a type expression; one return a type
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        (inner,) = (arm for arm in typing.get_args(kind) if arm is not type(None))
        return _parse(inner, text)
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(_parse(inner, part.strip()) for part in text.split(",") if part.strip())
    if kind is str:
        return text
    if kind is Path:
        return Path(text).expanduser()
    if kind is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError("1 or 0")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        try:
            return kind(text)
        except ValueError:
            raise ValueError("one of " + ", ".join(str(member.value) for member in kind)) from None
    return _parse_number(kind, text)


def _parse_number(kind: Any, text: str) -> int | float:  # noqa: ANN401 -- a type expression
    words = {int: "a whole number", float: "a number"}
    if kind not in words:
        raise TypeError(f"settings of type {kind} are not supported")
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        raise ValueError(words[kind]) from None
