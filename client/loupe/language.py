"""The reader's language, as far as the servers' sentences come in it."""

import os
from collections.abc import Mapping


def in_chinese(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the reader's language is Chinese."""
    named = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return named.lower().startswith("zh")


def pick(english: str, chinese: str) -> str:
    """The sentence that the reader reads; English where there is no other."""
    return chinese if chinese and in_chinese() else english
