"""What people read is easy to read and to change: one sentence a line, short lines, no word twice."""

import re
from collections.abc import Iterator

from tests.support.repository import FENCE, ROOT, documents, files, prose

_MAX_COLUMNS = 120
_CODE = re.compile(r"(`+)[^`].*?\1", re.DOTALL)
_TABLE_OR_HEADING = re.compile(r"\s*(?:\||#{1,6} |>|<)")
_LIST_MARK = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_ABBREVIATION = re.compile(r"(?:\b(?:al|cf|e\.g|i\.e|No|vs)|\b[A-Z])$")
_SENTENCE_END = re.compile(
    r"[.!?][)\"'*_”]*(?=\s+[\"'(\[*_“`]*[A-Z0-9`\[])"  # in English, before a capital, a digit, code or a link
    r"|[。！？]”?）?(?!\**\s*$|[”）、，。)])"
)
_DOUBLED = re.compile(
    r"(?<![\w/.\-¤])(?!namespace)([A-Za-z])([a-z]+)(?: |[ \t]*\n[ \t#/*]*)(?i:\1)\2(?![\w/\-=(.:]| [=:])"
)
_CODE_FILES = (
    "*.py",
    "*.proto",
    "*.ts",
    "*.tsx",
    "*.mjs",
    "*.h",
    "*.c",
    "*.cpp",
    "*.toml",
    "*.mk",
    "Makefile",
)
_NOT_OURS = ("protos/gen/", "protos/third_party/")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of prose of a document with their numbers: no code, no tables, no headings."""
    masked = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    for number, line in enumerate(masked.split("\n"), 1):
        if not _TABLE_OR_HEADING.match(line):
            yield number, line


def _sentence_ends(line: str) -> list[int]:
    """Where a sentence ends before the end of the line."""
    # What code spans hold is no prose, and its length counts.
    text = _CODE.sub(lambda span: "`" + "x" * (len(span[0]) - 2) + "`", line)
    begin = mark.end() if (mark := _LIST_MARK.match(text)) else 0
    return [
        end.end()
        for end in _SENTENCE_END.finditer(text, begin)
        if not (end[0][0] == "." and _ABBREVIATION.search(text, begin, end.start()))
    ]


def _doubled(text: str) -> list[str]:
    return [found[0] for found in _DOUBLED.finditer(_CODE.sub("¤", text))]


def _markdown() -> Iterator[tuple[str, str]]:
    """Every line of prose of every document, with its place."""
    for document in documents():
        for number, line in _lines(document.read_text(encoding="utf-8")):
            yield f"{document.relative_to(ROOT)}:{number}", line


def test_markdown_has_one_sentence_a_line() -> None:
    """A change of a sentence is then a change of its line, and a long sentence is seen."""
    assert not [f"{place}: {line[:end]}" for place, line in _markdown() for end in _sentence_ends(line)]


def test_markdown_has_no_long_lines() -> None:
    """Prose that runs out of the window is not read. A Chinese sentence has one line: breaks are shown."""
    assert not [
        place for place, line in _markdown() if len(line) > _MAX_COLUMNS and not _CHINESE.search(line)
    ]


def test_the_runtime_has_no_long_lines() -> None:
    """Linters bound the lines of Python and TypeScript; C and C++ have no linter here."""
    assert not [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files("runtime/*.c", "runtime/*.cpp", "runtime/*.h")
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if len(line) > _MAX_COLUMNS
    ]


def test_sentences_are_told_apart() -> None:
    """A check that overlooks a sentence proves nothing."""
    assert _sentence_ends("One. Two.") == [4]
    assert _sentence_ends("One (two) `three`. 4! Five") == [18, 21]
    assert _sentence_ends("一句。两句 A。 *三*句") == [3, 8]
    for one in (
        "1. One",
        "See Wilson et al. (1927), vs. T. Bayes.",
        "v3.01 and 0.5 s",
        "Is it `a. B`?",
        "“好。”",
        "**好。**",
        "说“好。”。",
    ):
        assert not _sentence_ends(one), one


def test_no_word_stands_twice() -> None:
    """Spelling is codespell's, which does not see a word that was written twice."""
    faults = [
        f"{path.relative_to(ROOT)}: {words!r}"
        for path in files("*.md", *_CODE_FILES)
        if not path.relative_to(ROOT).as_posix().startswith(_NOT_OURS)
        for words in _doubled(FENCE.sub("", prose(path)) if path.suffix == ".md" else prose(path))
    ]
    assert not faults
    assert _doubled("the the\nis\n# is") == ["the the", "is\n# is"]
    assert not _doubled("`a a` that, that; namespace\n// namespace")
