"""Migrations that the last release does not know only expand, or say who can no longer run (decision 92)."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

LAST_RELEASE = json.loads((ROOT / "deploy/last-release.json").read_text(encoding="utf-8"))
_NARROWING = frozenset(
    {"drop_column", "drop_table", "rename_table", "create_check_constraint", "create_unique_constraint"}
)
_NARROWING_SQL = re.compile(
    r"\bDROP (?:TABLE|COLUMN|VIEW)\b|\bRENAME\b|\bSET NOT NULL\b|\bALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE\b"
    r"|\bADD (?:CONSTRAINT|CHECK|UNIQUE|FOREIGN KEY)\b",
    re.IGNORECASE,
)
_ADDED = re.compile(r"\bADD COLUMN\b[^,;]*", re.IGNORECASE)


def _narrowing(source: str) -> Iterator[str]:
    """What in a revision's `upgrade` an older service may not survive."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef) or function.name == "downgrade":
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield from _narrowing_call(node, node.func.attr)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from _NARROWING_SQL.findall(node.value)
                yield from (added for added in _ADDED.findall(node.value) if _is_required(added))


def _narrowing_call(call: ast.Call, name: str) -> Iterator[str]:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in _NARROWING:
        yield name
    changed = given.keys() & {"new_column_name", "type_"} or _is_false(given.get("nullable"))
    if name == "alter_column" and changed:
        yield name
    if name == "add_column":
        for column in ast.walk(call):
            if isinstance(column, ast.Call) and column is not call:
                of_column = {keyword.arg: keyword.value for keyword in column.keywords}
                if _is_false(of_column.get("nullable")) and "server_default" not in of_column:
                    yield name


def _is_required(added: str) -> bool:
    """Whether a row without this column is refused."""
    words = added.upper()
    return "NOT NULL" in words and "DEFAULT" not in words


def _is_false(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


@pytest.mark.parametrize("service", LAST_RELEASE["schemas"])
def test_what_the_last_release_does_not_know_leaves_it_running(service: str) -> None:
    """A rolling upgrade and a way back: what is dropped, the release before stopped using."""
    for path in sorted((ROOT / "services" / service / "migrations/versions").glob("*.py")):
        revision = path.name.partition("_")[0]
        source = path.read_text(encoding="utf-8")
        if revision > LAST_RELEASE["schemas"][service] and "\noldest_head = " not in source:
            found = sorted(set(_narrowing(source)))
            assert not found, (
                f"{path.relative_to(ROOT)} has {', '.join(found)}: services of the last release fail on it. "
                "Leave it to the release after the one that stops using it, and set oldest_head there: "
                "CONTRIBUTING.md"
            )


def test_every_migration_has_its_number_in_its_name() -> None:
    for path in Path(ROOT / "services").glob("*/migrations/versions/*.py"):
        assert f'revision = "{path.name[:4]}"' in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    "statement",
    [
        'op.drop_column("t", "c")',
        'op.rename_table("t", "u")',
        'op.alter_column("t", "c", nullable=False)',
        'op.alter_column("t", "c", new_column_name="d")',
        'op.add_column("t", sa.Column("c", sa.Text, nullable=False))',
        'op.execute("ALTER TABLE t DROP COLUMN c")',
        'op.execute("ALTER TABLE t RENAME COLUMN c TO d")',
        'op.execute("ALTER TABLE t ALTER COLUMN c SET NOT NULL")',
        'op.execute("ALTER TABLE t ALTER c TYPE bigint")',
        'op.execute("ALTER TABLE t ADD COLUMN c text NOT NULL")',
        'op.execute("ALTER TABLE t ADD CONSTRAINT x CHECK (c > 0)")',
    ],
)
def test_what_narrows_is_found(statement: str) -> None:
    assert list(_narrowing(f"def upgrade():\n    {statement}\n"))


@pytest.mark.parametrize(
    "statement",
    [
        'op.create_table("t", sa.Column("c", sa.Text, nullable=False))',
        'op.add_column("t", sa.Column("c", sa.Text))',
        'op.add_column("t", sa.Column("c", sa.Text, nullable=False, server_default=""))',
        'op.alter_column("t", "c", nullable=True)',
        'op.execute("ALTER TABLE t ADD COLUMN c boolean NOT NULL DEFAULT false")',
        'op.execute("CREATE TABLE t (c text NOT NULL)")',
        'op.execute("CREATE INDEX i ON t (c)")',
        'op.execute("DROP INDEX i")',
    ],
)
def test_what_expands_is_let_through(statement: str) -> None:
    assert not list(_narrowing(f"def upgrade():\n    {statement}\n"))
