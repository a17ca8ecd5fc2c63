"""The files of this repository, and what a person reads in them."""

import ast
import functools
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^ *(?P<fence>```+|~~~+).*?^ *(?P=fence)[^\n]*$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_HASH_COMMENT = re.compile(r"(?:^|\s)#[^\n]*")


def files(*patterns: str) -> Iterator[Path]:
    """Tracked files whose path matches one of git's patterns."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],  # noqa: S607 -- git is where PATH says
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return (path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def documents() -> list[Path]:
    """All Markdown."""
    return [*files("*.md")]


@functools.cache
def prose(path: Path) -> str:
    """All of a document; comments and docstrings of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    if path.suffix in {".toml", ".mk", ""}:
        return "\n".join(_HASH_COMMENT.findall(text))
    if path.suffix != ".py":
        return "\n".join(_COMMENT.findall(text))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    return "\n".join([*comments, *(ast.get_docstring(node) or "" for node in nodes)])
