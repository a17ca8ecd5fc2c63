"""Sentences for people, in English and in Chinese, from one catalogue.

The English sentence stands where it is used; `locale/zh.po` has the Chinese one under it, as gettext has it.
`make translations` brings new sentences into the catalogue; tests/contract/test_translation.py refuses a
sentence without its translation, and a translation that nothing uses.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple


class Sentence(NamedTuple):
    """What a person reads, in both languages."""

    english: str
    chinese: str


def sentence(template: str, /, **values: object) -> Sentence:
    """The sentence of a template with its values, as `str.format` puts them in.

    A value that is a Sentence itself appears in the language of the whole. Raises KeyError where the
    catalogue lacks the template.
    """
    return Sentence(
        template.format(**{name: _in(0, value) for name, value in values.items()}),
        _chinese()[template].format(**{name: _in(1, value) for name, value in values.items()}),
    )


def joined(values: Iterable[object]) -> Sentence:
    """A list of values, with the comma of each language."""
    listed = list(values)
    return Sentence(
        ", ".join(str(_in(0, value)) for value in listed), "、".join(str(_in(1, value)) for value in listed)
    )


def _in(language: int, value: object) -> object:
    return value[language] if isinstance(value, Sentence) else value


@cache
def _chinese() -> Mapping[str, str]:
    import polib  # noqa: PLC0415 - the command line starts without it

    catalogue = resources.files("loupe").joinpath("locale/zh.po").read_text(encoding="utf-8")
    return {entry.msgid: entry.msgstr for entry in polib.pofile(catalogue)}
