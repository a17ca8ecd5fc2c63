"""The catalogue of sentences and the code agree: nothing lacks its Chinese, nothing stands there unused."""

import ast
import re
import string

import polib
from loupe.translation import Sentence, joined, sentence

from client.update_translations import CATALOGUE, product_modules, uses

_ENTRIES = polib.pofile(str(CATALOGUE))
_USES = tuple(uses())
_HAN = re.compile("[\u4e00-\u9fff]")
_NOT_SENTENCES = {
    # A term that the source document has in Chinese only.
    "services/evaluator/domain/definitions.py: correct samples / all samples. ",
    # A page for people who did not choose a language yet: it is in both.
    "gateway/pages.py: \n<h1>Loupe</h1>",
}
"""The beginnings of texts in code that hold Chinese and are not for the catalogue."""


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_sentence_has_its_translation_and_no_translation_is_unused() -> None:
    """`make translations` enters what is new and removes what is unused."""
    assert {use.template for use in _USES} == {entry.msgid for entry in _ENTRIES}
    assert len(_ENTRIES) == len({entry.msgid for entry in _ENTRIES})
    assert not [entry.msgid for entry in _ENTRIES if not entry.msgstr or entry.fuzzy or entry.obsolete]


def test_each_value_of_a_sentence_is_given_and_used() -> None:
    """A translation may use a value that English does not need, but none that is not given."""
    chinese = {entry.msgid: entry.msgstr for entry in _ENTRIES}
    wrong = []
    for use in _USES:
        named = _placeholders(use.template) | _placeholders(chinese[use.template])
        if named != use.values:
            wrong.append(f"{use.file}:{use.line}: {sorted(named ^ use.values)}")
    assert not wrong


def test_chinese_stands_in_the_catalogue_alone() -> None:
    """Where code must hold Chinese, it is no sentence of one language: `_NOT_SENTENCES` says why."""
    found = set()
    for file, source in product_modules():
        nodes = list(ast.walk(ast.parse(source)))
        # A docstring may name a term as the source document does.
        documents = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        found |= {
            f"{file}: {node.value}"
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            if _HAN.search(node.value) and id(node) not in documents
        }
    assert not [text for text in found if not text.startswith(tuple(_NOT_SENTENCES))]


def test_a_sentence_in_a_sentence_appears_in_the_language_of_the_whole() -> None:
    """A list takes the comma of each language."""
    listed = joined(["A", Sentence("background", "背景")])
    assert listed == ("A, background", "A、背景")
    assert sentence("no {kind} is chosen", kind=Sentence("data path", "数据路径")) == (
        "no data path is chosen",
        "未选择数据路径",
    )
