"""The language of messages: English or Chinese."""

import os
from collections.abc import Mapping

import click
from loupe.translation import sentence

_CHOSEN = f"{__name__}.chosen"


def choose(ctx: click.Context, _param: click.Parameter, language: str | None) -> None:
    """The callback of `--lang`, which takes precedence over the environment."""
    if language:
        ctx.meta[_CHOSEN] = language


def in_chinese(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user's language is Chinese."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and _CHOSEN in ctx.meta:
        return bool(ctx.meta[_CHOSEN] == "zh")
    named = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return named.lower().startswith("zh")


def pick(english: str, chinese: str) -> str:
    """The sentence in the user's language; English where there is no Chinese one."""
    return chinese if chinese and in_chinese() else english


def translated(template: str, /, **values: object) -> str:
    """The sentence of a template in the user's language, as `loupe.translation.sentence` has it."""
    return pick(*sentence(template, **values))
