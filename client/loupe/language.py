"""The reader's language, as far as the servers' sentences come in it."""

import os
from collections.abc import Mapping

import click

_CHOSEN = f"{__name__}.chosen"


def choose(ctx: click.Context, _param: click.Parameter, language: str | None) -> None:
    """What `--lang` calls; it goes before the environment."""
    if language:
        ctx.meta[_CHOSEN] = language


def in_chinese(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the reader's language is Chinese."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None and _CHOSEN in ctx.meta:
        return bool(ctx.meta[_CHOSEN] == "zh")
    named = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return named.lower().startswith("zh")


def pick(english: str, chinese: str) -> str:
    """The sentence that the reader reads; English where there is no other."""
    return chinese if chinese and in_chinese() else english
