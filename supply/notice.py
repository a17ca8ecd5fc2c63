"""NOTICE: what is written there by hand, then a list of components by licence."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from supply.licences import Licences
from supply.lock import ROOT, NpmPackage

NOTICE = ROOT / "NOTICE"
_MARK = "-" * 100


def document(licences: Licences, npm: Sequence[NpmPackage], path: Path = NOTICE) -> str:
    """The file with a list that fits the record."""
    written = path.read_text(encoding="utf-8").partition(_MARK)[0]
    return f"{written}{_MARK}\n" + "\n".join(_lines(licences, npm)) + "\n"


def _lines(licences: Licences, npm: Sequence[NpmPackage]) -> Iterator[str]:
    yield "What follows is written by `make sbom`."
    yield from _section(
        "Distributions of Python that an installation downloads (exact versions: requirements/run.lock)",
        licences.python.items(),
    )
    for wheel, libraries in licences.libraries.items():
        yield from _section(f"Shared libraries within {wheel}", libraries.items())
    yield from _section(
        "Programs within those distributions, which the embedded stack runs as processes of their own",
        ((name, entry["licence"]) for each in licences.programs.values() for name, entry in each.items()),
    )
    yield from _section(
        "Packages of npm in the built console (exact versions: gateway/console/package-lock.json)",
        ((package.name, package.licence) for package in npm),
    )
    compilers = sorted({entry["by"] for entry in licences.linked.values()})
    for compiler in compilers:
        yield from _section(
            f"Linked into libCsotArtifact.so, and so in each package, where {compiler} compiles it",
            ((name, one["licence"]) for name, one in licences.linked.items() if one["by"] == compiler),
        )


def _section(title: str, components: Iterable[tuple[str, str]]) -> Iterator[str]:
    by_licence: dict[str, set[str]] = {}
    for name, licence in components:
        by_licence.setdefault(licence, set()).add(name)
    yield f"\n{title}:"
    for licence in sorted(by_licence):
        yield f"\n  {licence}"
        names = ", ".join(sorted(by_licence[licence], key=str.lower))
        yield textwrap.fill(
            names,
            100,
            initial_indent=" " * 6,
            subsequent_indent=" " * 6,
            break_on_hyphens=False,
            break_long_words=False,
        )
