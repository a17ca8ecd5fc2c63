"""An audit reports what is known to be vulnerable, and what it could not ask."""

import json
from datetime import date
from pathlib import Path

import pytest

from supply.audit import Accepted, Answer, accepted, judged, of_npm, of_pip_audit

# As pip-audit 2.10 and npm 10 write them.
_PIP_AUDIT = {
    "dependencies": [
        {
            "name": "flask",
            "version": "0.5",
            "vulns": [
                {
                    "id": "PYSEC-2019-179",
                    "fix_versions": ["1.0"],
                    "aliases": ["CVE-2019-1010083", "GHSA-5wv5-4vpf-pj6m"],
                    "description": "The Pallets Project Flask before 1.0 is affected by …",
                }
            ],
        },
        {"name": "jinja2", "version": "3.1.6", "vulns": []},
        {
            "name": "torch",
            "skip_reason": "Dependency not found on PyPI",
        },
    ],
    "fixes": [],
}
_NPM = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "mkdirp": {
            "name": "mkdirp",
            "severity": "critical",
            "isDirect": True,
            "via": ["minimist"],
            "effects": [],
            "range": "0.4.1 - 0.5.1",
            "nodes": ["node_modules/mkdirp"],
            "fixAvailable": True,
        },
        "minimist": {
            "name": "minimist",
            "severity": "critical",
            "isDirect": False,
            "via": [
                {
                    "source": 1097678,
                    "name": "minimist",
                    "dependency": "minimist",
                    "title": "Prototype Pollution in minimist",
                    "url": "https://github.com/advisories/GHSA-xvch-5gv4-984h",
                    "severity": "critical",
                    "cwe": ["CWE-1321"],
                    "cvss": {"score": 9.8, "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
                    "range": "<0.2.4",
                }
            ],
            "effects": ["mkdirp"],
            "range": "<=0.2.3",
            "nodes": ["node_modules/minimist"],
            "fixAvailable": True,
        },
    },
    "metadata": {"vulnerabilities": {"critical": 2, "total": 2}},
}
_TODAY = date(2026, 12, 1)


def test_findings_are_told_with_their_remedy_and_gaps_by_name() -> None:
    """A package that the index does not know was not found free of anything."""
    told = list(judged([of_pip_audit(json.dumps(_PIP_AUDIT), ""), of_npm(json.dumps(_NPM), "")], [], _TODAY))
    assert [line.partition("; or accept it")[0] for line in told] == [
        "not audited: 1 of 3 distributions of Python, such as torch: Dependency not found on PyPI",
        "flask 0.5: PYSEC-2019-179, CVE-2019-1010083, GHSA-5wv5-4vpf-pj6m; fixed in 1.0",
        "minimist <0.2.4: GHSA-xvch-5gv4-984h; Prototype Pollution in minimist; `npm audit fix`",
    ]
    clean = {"auditReportVersion": 2, "vulnerabilities": {}}
    assert not list(
        judged(
            [of_pip_audit('{"dependencies": [], "fixes": []}', ""), of_npm(json.dumps(clean), "")], [], _TODAY
        )
    )


@pytest.mark.parametrize("output", ["", "<html>blocked</html>", "[]", "{}", '{"message": "", "error": {}}'])
def test_no_answer_is_a_fault(output: str) -> None:
    """Where the network is closed, nothing was audited; silence would read as a pass."""
    complaint = "Traceback\nrequests.exceptions.ConnectionError: no route to host\n\n"
    for answer in (of_pip_audit(output, complaint), of_npm(output, complaint)):
        (line,) = judged([answer], [], _TODAY)
        assert line.startswith("not audited: ")
        assert line.endswith("ConnectionError: no route to host")
    refused = '{"message": "request to /advisories/bulk failed", "error": {"summary": "", "detail": ""}}'
    assert of_npm(refused, "npm error audit endpoint returned an error").unasked == [
        "packages of npm: request to /advisories/bulk failed"
    ]


def test_an_exception_counts_for_its_package_until_its_day() -> None:
    """It is remembered who decided what, and until when; then the decision is taken anew."""
    found = of_npm(json.dumps(_NPM), "")
    exception = Accepted("GHSA-xvch-5gv4-984h", "minimist", "only builds", _TODAY)
    assert not list(judged([found], [exception], _TODAY))
    (ended,) = judged([found], [exception], date(2026, 12, 2))
    assert ended.endswith("it was accepted until 2026-12-01: only builds")
    elsewhere = Accepted(exception.id, "other", "only builds", _TODAY)
    assert len(list(judged([found], [elsewhere], _TODAY))) == 2
    (unused,) = judged([Answer()], [exception], _TODAY)
    assert unused.startswith("minimist has no GHSA-xvch-5gv4-984h any more")
    assert len(list(judged([Answer(unasked=["packages of npm: closed"])], [exception], _TODAY))) == 1


@pytest.mark.parametrize(
    "entry",
    [
        'id = "A"\npackage = "b"\nuntil = 2027-01-01',
        'id = "A"\npackage = "b"\nreason = " "\nuntil = 2027-01-01',
        'id = "A"\npackage = "b"\nreason = "c"\nuntil = "soon"',
        'id = "A"\npackage = "b"\nreason = "c"\nuntil = 2027-01-01\nmore = 1',
    ],
)
def test_an_exception_without_reason_or_day_is_refused(entry: str, tmp_path: Path) -> None:
    """What is accepted for no reason is accepted for ever."""
    (tmp_path / "accepted.toml").write_text(f"[[accepted]]\n{entry}\n")
    with pytest.raises(ValueError, match=r"accepted\.toml: .* needs"):
        accepted(tmp_path / "accepted.toml")
    assert not accepted()
