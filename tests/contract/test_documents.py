"""Documents lead where they say: links, headings, and the numbers of decisions."""

import contextlib
import fnmatch
import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
from loupe.cli import loupe

from tests.support.repository import FENCE, ROOT, documents, files

_DECISIONS = ROOT / "docs/decisions"
_CODE = re.compile(r"(`+)[^`].*?\1", re.DOTALL)
_HEADING = re.compile(r"^ {0,3}#{1,6} +(?P<text>.*?) *#* *$", re.MULTILINE)
_LINK = re.compile(
    r"""\]\(\s*<?(?P<inline>[^()\s<>]+(?:\([^()\s]*\)[^()\s<>]*)*)>?(?:\s+["'][^)]*)?\s*\)"""
    r"""|^ {0,3}\[[^\]\n]+\]:\s*<?(?P<reference>[^\s<>]+)"""
    r"""|<[^<>]*\s(?:href|src)=["'](?P<html>[^"']+)["']""",
    re.MULTILINE,
)
_ELSEWHERE = re.compile(r"(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
_SECTIONS = ("Context", "Decision", "Alternatives", "Price")


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607 -- git is where PATH says
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    # 1: `git grep` found nothing.
    assert done.returncode in {0, 1}, done.stderr
    return [line for line in done.stdout.split("\0" if "-z" in arguments else "\n") if line]


def _links(text: str) -> Iterator[str]:
    """Targets of the links that lead into the repository."""
    prose = _CODE.sub("", FENCE.sub("", text))
    for found in _LINK.finditer(prose):
        target = found["inline"] or found["reference"] or found["html"]
        if not _ELSEWHERE.match(target):
            yield unquote(target)


def _anchors(text: str) -> set[str]:
    """The names that GitHub gives to the headings of a document."""
    anchors: set[str] = set()
    for heading in _HEADING.finditer(FENCE.sub("", text)):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"]).lower()
        name = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        number = 0
        while (anchor := f"{name}-{number}" if number else name) in anchors:
            number += 1
        anchors.add(anchor)
    return anchors | set(re.findall(r"<[^<>]*\s(?:id|name)=[\"']([^\"']+)[\"']", text))


def _broken(document: Path, known: set[Path]) -> Iterator[str]:
    """The links of a document that lead nowhere. `known`: the repository's files and folders."""
    text = document.read_text(encoding="utf-8")
    for link in _links(text):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if target not in known:
            yield f"{document.relative_to(ROOT)}: no file {link}"
        elif anchor and target.suffix == ".md" and anchor not in _anchors(target.read_text(encoding="utf-8")):
            yield f"{document.relative_to(ROOT)}: no heading {link}"


def _decisions() -> dict[int, Path]:
    return {int(path.name[:4]): path for path in sorted(_DECISIONS.glob("[0-9]*.md"))}


def test_every_relative_link_leads_to_a_file_and_a_heading() -> None:
    """A reader who follows a link must not end at an error page."""
    there = [ROOT / name for name in _git("ls-files", "-z", "-co", "--exclude-standard")]
    known = {path for file in there if file.exists() for path in (file, *file.parents)}
    assert not [fault for document in documents() for fault in _broken(document, known)]


def test_links_and_headings_are_read_as_github_reads_them() -> None:
    """A check that overlooks a link proves nothing."""
    text = "[a](a.md#x) ![b](<b.png>) [c]: c.md\n[c]: c.md 'title'\n<img alt='' src='d.png'>\n"
    assert list(_links(text)) == ["a.md#x", "b.png", "c.md", "d.png"]
    assert not list(_links("`[a](a.md)` [b](https://b) [c](mailto:c)\n```\n[d](d.md)\n```\n"))
    assert _anchors("# A `b`: c, d\n## A\n## A\n## 数据 路径\n```\n# e\n```\n") == {
        "a-b-c-d",
        "a",
        "a-1",
        "数据-路径",
    }


def test_decisions_are_numbered_without_holes() -> None:
    """A number is how code cites a decision: it must mean one file."""
    files = sorted(_DECISIONS.glob("[0-9]*.md"))
    decisions = _decisions()
    assert [path.name[:5] for path in files] == [f"{number:04}-" for number in range(1, len(files) + 1)]
    titles = {number: path.read_text(encoding="utf-8").splitlines()[0] for number, path in decisions.items()}
    assert not {title for number, title in titles.items() if not title.startswith(f"# {number}. ")}


def test_decisions_have_the_sections_of_a_decision() -> None:
    """A reader who knows the form of one decision knows the form of all."""
    for path in _decisions().values():
        sections = re.findall(r"^## (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert sections == [name for name in _SECTIONS if name in sections], path.name
        assert {"Context", "Decision"} <= set(sections), path.name


def test_the_index_lists_every_decision_with_its_title() -> None:
    """A decision that the index does not list is not found."""
    index = (_DECISIONS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.*?) \| \S.* \|$", index, re.MULTILINE)
    assert rows == [
        (path.name[:4], path.name, path.read_text(encoding="utf-8").splitlines()[0].partition(". ")[2])
        for path in _decisions().values()
    ]


def test_every_cited_decision_exists() -> None:
    """A comment that says why by a number must lead to the reasons."""
    cited = _git("grep", "-hoIE", "docs/decisions/[0-9]+", "--", ".", ":!docs/decisions")
    assert not {number for cite in cited if int(number := cite.rpartition("/")[2]) not in _decisions()}


# What the past looked like stands in these; they are not rewritten.
_PAST = ("CHANGELOG.md", "docs/decisions/")
_SPAN = re.compile(r"(`+)(?P<code>[^`]+?)\1")
_BLOCK = re.compile(r"^ *```(?:sh|bash|console)\n(?P<code>.*?)^ *```", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"[\w.-]+(?:/[\w.*{},-]+)+/?")
_OPERATORS = "();<>|&"
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9@/_|]*|.*[^\x00-\x7f].*")
_VARIABLE = re.compile(r"\bLOUPE_[A-Z0-9_]*[A-Z0-9]\b(?!_)")
_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def _present() -> Iterator[tuple[str, str]]:
    """Every document that tells how things are, with its text."""
    for document in documents():
        name = document.relative_to(ROOT).as_posix()
        if not name.startswith(_PAST):
            yield name, document.read_text(encoding="utf-8")


def _spans(text: str) -> Iterator[str]:
    for span in _SPAN.finditer(FENCE.sub("", text)):
        yield " ".join(span["code"].split())


def _alternatives(path: str) -> list[str]:
    """`a/{b,c}.py`: a/b.py and a/c.py."""
    if not (braces := re.search(r"\{([^{}]*)\}", path)):
        return [path]
    found = (path[: braces.start()] + one + path[braces.end() :] for one in braces[1].split(","))
    return [each for one in found for each in _alternatives(one)]


def test_every_path_that_a_document_names_is_there() -> None:
    """A reader looks where the document says; after a move that is nowhere."""
    tracked = {path.relative_to(ROOT) for path in files()}
    known = {each.as_posix() for path in tracked for each in (path, *path.parents)}
    roots = {path.parts[0] for path in tracked if len(path.parts) > 1}
    dead = {
        f"{name}: {path}"
        for name, text in _present()
        for span in _spans(text)
        if _PATH.fullmatch(span) and span.partition("/")[0] in roots
        for path in _alternatives(span.rstrip("/"))
        if path not in known and not ("*" in path and fnmatch.filter(known, path))
    }
    assert not dead


def _commands(text: str) -> Iterator[list[str]]:
    """The words of every call of `loupe` in a document."""
    blocks = (block["code"] for block in _BLOCK.finditer(text))
    for line in "\n".join((*blocks, *_spans(text))).replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=_OPERATORS)
        lexer.whitespace_split = True
        with contextlib.suppress(ValueError):  # quotes that do not end: no command
            for operator, words in itertools.groupby(lexer, lambda word: not word.strip(_OPERATORS)):
                call = list(itertools.dropwhile(lambda word: "=" in word, words))
                if not operator and call[:1] == ["loupe"]:
                    yield call


def _unknown_word(words: list[str]) -> str:
    """The first word of a call that `loupe` does not know; empty if it knows all."""
    command: click.Command = loupe
    context = click.Context(command, info_name="loupe")
    for word in words[1:]:
        if word.startswith("-"):
            options = {option for parameter in command.get_params(context) for option in parameter.opts}
            options |= {option for parameter in command.params for option in parameter.secondary_opts}
            if word.partition("=")[0] not in options | {"--help", "-h"}:
                return word
        elif isinstance(command, click.Group):
            if _PLACEHOLDER.fullmatch(word):
                return ""
            found = command.get_command(context, word)
            if found is None:
                return word
            command, context = found, click.Context(found, info_name=word, parent=context)
    return ""


def test_every_command_that_a_document_shows_exists() -> None:
    """Whoever copies a command from a document must not be told that there is none."""
    calls = [(name, words) for name, text in _present() for words in _commands(text)]
    assert len(calls) > 100
    assert not {f"{name}: {' '.join(words)}" for name, words in calls if _unknown_word(words)}


def test_commands_are_read_as_a_shell_reads_them() -> None:
    """A check that overlooks a command proves nothing."""
    block = "# loupe not\nloupe a \\\n  --b 'c d' # e\nX=1 loupe f && loupe g | h\nY=$(loupe j)\n"
    text = f"```sh\n{block}```\n`loupe i`, `see loupe`"
    assert list(_commands(text)) == [
        ["loupe", "a", "--b", "c d"],
        ["loupe", "f"],
        ["loupe", "g"],
        ["loupe", "j"],
        ["loupe", "i"],
    ]
    assert _unknown_word(["loupe", "train", "--watch", "--not-there"]) == "--not-there"
    assert _unknown_word(["loupe", "data", "imported"]) == "imported"


def test_every_make_target_that_a_document_shows_exists() -> None:
    """As for the commands of `loupe`."""
    targets = set(
        _TARGET.findall("\n".join(path.read_text(encoding="utf-8") for path in files("Makefile", "*.mk")))
    )
    shown = {
        f"{name}: {target}"
        for name, text in _present()
        for code in (*(block["code"] for block in _BLOCK.finditer(text)), *_spans(text))
        for call in re.findall(r"(?:^|&& )make((?: [a-z][a-z-]*)+)", code, re.MULTILINE)
        for target in call.split()
    }
    assert not {place for place in shown if place.rpartition(" ")[2] not in targets}


def test_every_variable_that_a_document_names_is_a_setting() -> None:
    """A variable that nobody reads is set in vain."""
    settings = set(_VARIABLE.findall((ROOT / "docs/settings.md").read_text(encoding="utf-8")))
    console = {"LOUPE_GATEWAY"}  # read by the console's development server alone
    assert not {
        f"{name}: {variable}"
        for name, text in _present()
        for variable in _VARIABLE.findall(text)
        if variable not in settings | console
    }
