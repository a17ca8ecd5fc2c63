"""A function that does not fit on a screen says why on its line."""

import ast
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_MAX_LINES = 60


def test_functions_fit_on_a_screen() -> None:
    """At most 60 lines from `def` to the end, or a comment on the line of `def` that says why."""
    long = []
    for folder in ("services", "gateway", "client", "deploy"):
        for path in (_ROOT / folder).rglob("*.py"):
            if {"node_modules", "migrations"} & set(path.parts):
                continue
            text = path.read_text(encoding="utf-8")
            lines = text.splitlines()
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > _MAX_LINES and "# long:" not in lines[node.lineno - 1]:
                    long.append(f"{path.relative_to(_ROOT)}:{node.lineno} {node.name}: {length} lines")
    assert not long
