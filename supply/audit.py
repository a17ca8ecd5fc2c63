"""Known vulnerabilities of what the locks name, by pip-audit and npm audit.

What could not be asked is a fault as well: no answer is not the same as no vulnerability.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from supply.licences import UNLOCKED, Licences
from supply.lock import DEV_LOCK, NPM_LOCK, ROOT, python_lock

ACCEPTED = Path(__file__).with_name("accepted.toml")


@dataclass(frozen=True)
class Finding:
    """A known vulnerability of a package."""

    package: str
    version: str
    """For npm the range of versions that have it."""
    ids: tuple[str, ...]
    """Its id, then its aliases."""
    remedy: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {', '.join(self.ids)}; {self.remedy}"


@dataclass(frozen=True)
class Accepted:
    """A vulnerability that is passed over."""

    id: str
    package: str
    reason: str
    until: date


@dataclass(frozen=True)
class Answer:
    """What an auditor said."""

    findings: Sequence[Finding] = ()
    unasked: Sequence[str] = ()
    """What it could not audit, with its reason."""


def faults() -> Iterator[str]:
    """Findings that are not accepted, exceptions that have ended, and what was not audited."""
    programs = [
        f"{name} {entry['version']}"
        for each in Licences.read().programs.values()
        for name, entry in each.items()
    ]
    sys.stdout.write(f"No auditor looks into {', '.join(programs)}: follow their own advisories.\n")
    yield from judged([_ask_pip_audit(), _ask_npm()], accepted(), datetime.now(UTC).date())


def judged(answers: Sequence[Answer], exceptions: Sequence[Accepted], today: date) -> Iterator[str]:
    """What of the answers is a fault."""
    met = set()
    for answer in answers:
        yield from (f"not audited: {one}" for one in answer.unasked)
        for finding in answer.findings:
            exception = next(
                (one for one in exceptions if one.id in finding.ids and one.package == finding.package), None
            )
            if exception is None:
                yield f"{finding}; or accept it in supply/{ACCEPTED.name}, with a reason and a day"
                continue
            met.add(exception)
            if exception.until < today:
                yield f"{finding}; it was accepted until {exception.until}: {exception.reason}"
    if not any(answer.unasked for answer in answers):
        for exception in exceptions:
            if exception not in met:
                yield (
                    f"{exception.package} has no {exception.id} any more: remove it from "
                    f"supply/{ACCEPTED.name}"
                )


def accepted(path: Path = ACCEPTED) -> Sequence[Accepted]:
    """The exceptions of the file; ValueError if one lacks something."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])
    try:
        found = [Accepted(**entry) for entry in entries]
    except TypeError as error:
        raise ValueError(
            f"{path.name}: an exception needs id, package, reason and until ({error})"
        ) from error
    for one in found:
        if type(one.until) is not date or not one.reason.strip():
            raise ValueError(f"{path.name}: {one.id} needs a reason, and a day such as 2027-01-31 as `until`")
    return found


def of_pip_audit(output: str, complaint: str) -> Answer:
    """Read `pip-audit --format json`; `complaint`, its error output, tells why where it has no answer.

    It skips what its index does not know, and ends as if all were well.
    """
    try:
        dependencies = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Answer(unasked=[f"distributions of Python: {_last_line(complaint or output)}"])
    skipped = [one for one in dependencies if "skip_reason" in one]
    return Answer(
        findings=[
            Finding(
                one["name"],
                one["version"],
                (vulnerability["id"], *vulnerability["aliases"]),
                f"fixed in {', '.join(vulnerability['fix_versions'])}"
                if vulnerability["fix_versions"]
                else "no version is free of it",
            )
            for one in dependencies
            for vulnerability in one.get("vulns", [])
        ],
        unasked=[
            f"{len(skipped)} of {len(dependencies)} distributions of Python, such as {one['name']}: "
            f"{one['skip_reason']}"
            for one in skipped[:1]
        ],
    )


def of_npm(output: str, complaint: str) -> Answer:
    """Read `npm audit --json`. A package that only requires a vulnerable one is not a finding of its own."""
    try:
        report: Mapping[str, Any] = json.loads(output)
        vulnerabilities = report["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        return Answer(unasked=[f"packages of npm: {_npm_error(output) or _last_line(complaint or output)}"])
    advisories = {
        (via["url"], via["name"]): Finding(
            via["name"],
            via["range"],
            (via["url"].rpartition("/")[2],),
            f"{via['title']}; {'`npm audit fix`' if entry['fixAvailable'] else 'no version is free of it'}",
        )
        for entry in vulnerabilities.values()
        for via in entry["via"]
        if isinstance(via, dict)
    }
    return Answer(findings=[advisories[key] for key in sorted(advisories)])


def _ask_pip_audit() -> Answer:
    locked = [f"{name}=={one.version}" for name, one in python_lock(DEV_LOCK).items()]
    # An index knows a build such as 2.13.0+cpu by its version alone.
    locked += [f"{name}=={metadata.version(name).partition('+')[0]}" for name in UNLOCKED]
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("\n".join(locked), encoding="utf-8")
        options = ["--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off"]
        command = [sys.executable, "-m", "pip_audit", *options, f"--requirement={requirements}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    return of_pip_audit(done.stdout, done.stderr)


def _ask_npm() -> Answer:
    done = subprocess.run(
        [ROOT / "gateway/console/scripts/npm", "audit", "--json", "--package-lock-only"],
        check=False,
        capture_output=True,
        text=True,
        cwd=NPM_LOCK.parent,
    )
    return of_npm(done.stdout, done.stderr)


def _npm_error(output: str) -> str:
    try:
        report = json.loads(output)
        error = report.get("error", {})
        return str(report.get("message") or error.get("summary") or error.get("code") or "")
    except (ValueError, AttributeError):
        return ""


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
