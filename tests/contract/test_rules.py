"""The rule book and its citations agree: docs/rules.md is where a reader looks an id up."""

import re

from tests.support.repository import ROOT, files, prose

_RULE = re.compile(r"^- \*\*(?P<id>[A-Z]\d+a?)\*\*(?: \*(?P<state>planned|in part)\*)?: ", re.MULTILINE)
_CITATION = re.compile(r"(?<![\w+/.#-])[WDTMERPSXCAI]\d{1,2}a?(?![\w%])")


def _rules() -> dict[str, str]:
    """Every rule's id with its state, which is empty where all of it is built."""
    found = _RULE.finditer((ROOT / "docs/rules.md").read_text(encoding="utf-8"))
    return {rule["id"]: rule["state"] or "" for rule in found}


def test_every_cited_rule_stands_in_the_rule_book() -> None:
    """A citation that leads nowhere is worse than none."""
    rules = _rules()
    lost = {
        f"{path.relative_to(ROOT)}: {cited}"
        for path in files("*.py", "*.proto", "*.ts", "*.tsx", "*.md", "*.h", "*.c", "*.cpp")
        if "protos/gen" not in path.as_posix()
        for cited in _CITATION.findall(prose(path))
        if cited not in rules
    }
    assert not lost


def test_every_rule_that_is_built_is_cited_by_a_test() -> None:
    """A rule without a test is a wish."""
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in files("tests/*.py", "*.test.ts*", "*.spec.ts")
    )
    cited = set(_CITATION.findall(tests)) | {
        name.upper() for name in re.findall(r"test_([a-z]\d+a?)_", tests)
    }
    assert not {rule for rule, state in _rules().items() if state != "planned"} - cited


def test_every_rule_has_one_place() -> None:
    """An id that is given twice means two things."""
    ids = [rule["id"] for rule in _RULE.finditer((ROOT / "docs/rules.md").read_text(encoding="utf-8"))]
    assert len(ids) == len(set(ids)) > 60
