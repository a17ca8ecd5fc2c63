"""The catalogue of sentences and the code agree: nothing lacks its Chinese, nothing stands there unused."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import polib
from loupe.translation import Sentence, joined, sentence

_ROOT = Path(__file__).resolve().parents[2]
_CATALOGUE = polib.pofile(str(_ROOT / "client/loupe/locale/zh.po"))
_HAN = re.compile("[\u4e00-\u9fff]")


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("services", "gateway", "client", "deploy"):
        for path in (_ROOT / folder).rglob("*.py"):
            if not {"node_modules", "migrations"} & set(path.parts):
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def _templates() -> dict[str, tuple[str, frozenset[str]]]:
    """Every template that the code uses: where, and the names of the values that it is given."""
    found = {}
    for path, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sentence":
                where = f"{path.relative_to(_ROOT)}:{node.lineno}"
                template = node.args[0]
                assert isinstance(template, ast.Constant), f"{where}: the catalogue needs a literal template"
                found[str(template.value)] = where, frozenset(word.arg or "**" for word in node.keywords)
    return found


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_sentence_has_its_translation_and_no_translation_is_unused():
    assert sorted(_templates()) == sorted(entry.msgid for entry in _CATALOGUE if not entry.obsolete)
    assert not [entry.msgid for entry in _CATALOGUE if not entry.msgstr or entry.fuzzy]


def test_each_value_of_a_sentence_is_given_and_used():
    """A translation may use a value that English does not need, but none that is not given."""
    wrong = []
    chinese = {entry.msgid: entry.msgstr for entry in _CATALOGUE}
    for template, (where, given) in _templates().items():
        english_names, chinese_names = _placeholders(template), _placeholders(chinese[template])
        if "**" not in given and (english_names | chinese_names) != given:
            wrong.append(f"{where}: {sorted((english_names | chinese_names) ^ given)}")
    assert not wrong


def test_chinese_stands_in_the_catalogue_alone():
    """Where a line of code must hold Chinese, it is no sentence: `_NOT_SENTENCES` says which."""
    found = {
        f"{path.relative_to(_ROOT)}: {node.value}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _HAN.search(node.value)
        # a docstring may name a term as the source document does
        and not any(
            isinstance(owner, ast.Expr) and owner.value is node for owner in ast.walk(tree)
        )
    }
    assert found <= _NOT_SENTENCES


_NOT_SENTENCES: set[str] = set()


def test_a_sentence_in_a_sentence_appears_in_the_language_of_the_whole():
    listed = joined(["A", Sentence("background", "背景")])
    assert listed == ("A, background", "A、背景")
    assert sentence("leave the option out") == ("leave the option out", "去掉该选项")
