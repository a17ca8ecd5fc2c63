"""Every reason why a file is not imported is told in English and in Chinese (D7)."""

import ast
import re
from pathlib import Path

import loupe
from loupe.reasons import reasons
from loupe.walking import LeftOut

_REASON = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*")
_TAKERS = {"Unusable", "LeftOut", "Remark", "Doubtful"}
_CLIENT = Path(loupe.walking.__file__).parent
_RETURNED_BY = {"walking.py": {"fault_of", "_name_fault", "_kind", "_link_fault"}}


def _used() -> set[str]:
    """What stands in the code as a reason: an argument of what takes one, or returned as one."""
    found: set[str] = set()
    for path in _CLIENT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        nodes = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TAKERS
        ]
        texts = [argument for call in nodes for argument in call.args[:2]]
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name in _RETURNED_BY.get(path.name, ()):
                texts += [
                    one.elts[0] for one in ast.walk(function) if isinstance(one, ast.Tuple) and one.elts
                ]
        found |= {
            one.value
            for one in texts
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and _REASON.fullmatch(one.value)
        }
    return found


def test_every_reason_has_its_sentence() -> None:
    """A reason that is added without one would be told in English to who reads Chinese."""
    # Masks' reasons stand under names of their own.
    assert _used() | {"AMBIGUOUS_MASK", "MASK_WITHOUT_IMAGE"} == set(reasons())
    for told in reasons().values():
        assert told.chinese != told.english
        assert told.chinese


def test_a_line_says_its_reason_in_chinese_where_its_message_is_english_only() -> None:
    """What a message says in Chinese goes before."""
    assert LeftOut("a", "NESTED", "below").message_zh == reasons()["NESTED"].chinese
    assert LeftOut("a", "NESTED", "below", "在下面").message_zh == "在下面"
