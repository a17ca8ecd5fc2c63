"""Documents lead where they say: links, headings, and the numbers of decisions."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

_ROOT = Path(__file__).resolve().parents[2]
_DECISIONS = _ROOT / "docs/decisions"
_FENCE = re.compile(r"^ {0,3}(?P<fence>```+|~~~+).*?^ {0,3}(?P=fence)", re.MULTILINE | re.DOTALL)
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
        cwd=_ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    # 1: `git grep` found nothing.
    assert done.returncode in {0, 1}, done.stderr
    return [line for line in done.stdout.split("\0" if "-z" in arguments else "\n") if line]


def _links(text: str) -> Iterator[str]:
    """Targets of the links that lead into the repository."""
    prose = _CODE.sub("", _FENCE.sub("", text))
    for found in _LINK.finditer(prose):
        target = found["inline"] or found["reference"] or found["html"]
        if not _ELSEWHERE.match(target):
            yield unquote(target)


def _anchors(text: str) -> set[str]:
    """The names that GitHub gives to the headings of a document."""
    anchors: set[str] = set()
    for heading in _HEADING.finditer(_FENCE.sub("", text)):
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
            yield f"{document.relative_to(_ROOT)}: no file {link}"
        elif anchor and target.suffix == ".md" and anchor not in _anchors(target.read_text(encoding="utf-8")):
            yield f"{document.relative_to(_ROOT)}: no heading {link}"


def _decisions() -> dict[int, Path]:
    return {int(path.name[:4]): path for path in sorted(_DECISIONS.glob("[0-9]*.md"))}


def test_every_relative_link_leads_to_a_file_and_a_heading() -> None:
    """A reader who follows a link must not end at an error page."""
    files = [_ROOT / name for name in _git("ls-files", "-z", "-co", "--exclude-standard")]
    known = {path for file in files if file.exists() for path in (file, *file.parents)}
    documents = [_ROOT / name for name in _git("ls-files", "-z", "--", "*.md")]
    assert not [fault for document in documents if document in known for fault in _broken(document, known)]


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
