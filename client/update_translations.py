"""Brings client/loupe/locale/zh.po up to date with the code: `make translations`.

A new template enters without its translation, for a person to write; one that nothing uses leaves.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polib

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "client/loupe/locale/zh.po"

# Functions that take a template, and where they are from.
_CALLS = {"loupe.translation": "sentence", "loupe.language": "translated"}
_HEADER = {"Language": "zh", "Content-Type": "text/plain; charset=utf-8"}


class Use(NamedTuple):
    """One call that takes a template: its file and line, and the names of the values that it gives."""

    file: str
    line: int
    template: str
    values: frozenset[str]


def product_modules() -> Iterator[tuple[str, str]]:
    """The Python modules of the product: path in the repository, and source. Tests walk them by this too."""
    for folder in ("client", "deploy", "gateway", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def uses() -> Iterator[Use]:
    """Every use of a template, in the order of files and lines; TypeError where one is not a literal."""
    for file, source in product_modules():
        nodes = list(ast.walk(ast.parse(source)))
        names = {
            _CALLS[node.module]
            for node in nodes
            if isinstance(node, ast.ImportFrom) and node.module in _CALLS
        }
        calls = [
            node
            for node in nodes
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
        ]
        for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
            template = call.args[0]
            if isinstance(template, ast.Constant) and isinstance(template.value, str):
                values = frozenset(keyword.arg or "**" for keyword in call.keywords)
                yield Use(file, call.lineno, template.value, values)
            elif file != "client/loupe/language.py":
                raise TypeError(f"{file}:{call.lineno}: a template must be a string literal")


def main() -> None:
    """Write the catalogue, by file; lines are not wrapped and not numbered, so that a change stays small."""
    chinese = {entry.msgid: entry.msgstr for entry in polib.pofile(str(CATALOGUE))}
    files: dict[str, list[str]] = {}
    for use in uses():
        found = files.setdefault(use.template, [])
        if use.file not in found:
            found.append(use.file)
    catalogue = polib.POFile(wrapwidth=-1)
    catalogue.metadata = _HEADER
    for template, where in files.items():
        catalogue.append(
            polib.POEntry(
                msgid=template, msgstr=chinese.get(template, ""), occurrences=[(file, "") for file in where]
            )
        )
    catalogue.save(str(CATALOGUE))
    for entry in catalogue.untranslated_entries():
        sys.stdout.write(f"to be translated: {entry.msgid}\n")


if __name__ == "__main__":
    main()
