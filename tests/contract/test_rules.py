"""The rule book and its citations agree: docs/rules.md is where a reader looks an id up."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_RULE = re.compile(r"^- \*\*(?P<id>[A-Z]\d+a?)\*\*(?: \*(?P<state>planned|in part)\*)?: ", re.MULTILINE)
_CITATION = re.compile(r"(?<![\w+/.#-])[WDTMERPSXCAI]\d{1,2}a?(?![\w%])")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def _rules() -> dict[str, str]:
    """Every rule's id with its state, which is empty where all of it is built."""
    found = _RULE.finditer((_ROOT / "docs/rules.md").read_text(encoding="utf-8"))
    return {rule["id"]: rule["state"] or "" for rule in found}


def _files(*patterns: str) -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],  # noqa: S607 -- git is where PATH says
        cwd=_ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return (path for name in listed.stdout.split("\0") if name and (path := _ROOT / name).is_file())


def _prose(path: Path) -> str:
    """What a person reads in a file: all of a document, comments and docstrings of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    if path.suffix != ".py":
        return "\n".join(_COMMENT.findall(text))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    return "\n".join([*comments, *(ast.get_docstring(node) or "" for node in nodes)])


def test_every_cited_rule_stands_in_the_rule_book() -> None:
    """A citation that leads nowhere is worse than none."""
    rules = _rules()
    lost = {
        f"{path.relative_to(_ROOT)}: {cited}"
        for path in _files("*.py", "*.proto", "*.ts", "*.tsx", "*.md", "*.h", "*.c", "*.cpp")
        if "protos/gen" not in path.as_posix()
        for cited in _CITATION.findall(_prose(path))
        if cited not in rules
    }
    assert not lost


def test_every_rule_that_is_built_is_cited_by_a_test() -> None:
    """A rule without a test is a wish."""
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in _files("tests/*.py", "tests/*.mjs", "*.test.ts*")
    )
    cited = set(_CITATION.findall(tests)) | {
        name.upper() for name in re.findall(r"test_([a-z]\d+a?)_", tests)
    }
    assert not {rule for rule, state in _rules().items() if state != "planned"} - cited


def test_every_rule_has_one_place() -> None:
    """An id that is given twice means two things."""
    ids = [rule["id"] for rule in _RULE.finditer((_ROOT / "docs/rules.md").read_text(encoding="utf-8"))]
    assert len(ids) == len(set(ids)) > 60
