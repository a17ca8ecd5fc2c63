"""A function that does not fit on a screen says why on its line."""

import ast

from client.update_translations import product_modules

_MAX_LINES = 60


def test_functions_fit_on_a_screen() -> None:
    """At most 60 lines from `def` to the end, or a comment on the line of `def` that says why."""
    long = []
    for path, source in product_modules():
        if "/migrations/" in path:
            continue
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > _MAX_LINES and "# long:" not in lines[node.lineno - 1]:
                long.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    assert not long
