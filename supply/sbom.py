"""The software bill of materials of each wheel, in CycloneDX JSON, from the lock files."""

import json
import tomllib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

from deploy.embedded.programs import pins
from services.evaluator.worker.packaging.native_library import abi_version
from supply.licences import UNLOCKED, Licences
from supply.lock import ROOT, Locked, NpmPackage

PLACES = {"loupe": ROOT / "supply/loupe.cdx.json", "loupe-client": ROOT / "client/loupe-client.cdx.json"}
"""Beside the pyproject.toml of each wheel, or below it: there its build takes them from."""
_CONSOLE = "loupe-console"


def documents(
    licences: Licences, lock: Mapping[str, Locked], npm: Sequence[NpmPackage]
) -> Iterator[tuple[Path, str]]:
    """The bill of each wheel, by its place."""
    for name, place in PLACES.items():
        yield place, _document(name, _Parts(licences, lock), npm if name == "loupe" else ())


class _Parts:
    """The components of Python, and who requires whom."""

    def __init__(self, licences: Licences, lock: Mapping[str, Locked]) -> None:
        self.licences = licences
        self._lock = lock
        self.project = {
            name: _project(folder) for name, folder in (("loupe", "."), ("loupe-client", "client"))
        }
        required = {name: _required(project) for name, project in self.project.items()}
        self._requires: dict[str, set[str]] = {name: set() for name in (*lock, *UNLOCKED, *required)}
        for name, locked in lock.items():
            for parent in locked.via:
                self._requires[parent].add(name)
        self._requires["loupe"] |= set(UNLOCKED) | {"loupe-client"}
        self.bounds = {name: str(required["loupe"][name]) for name in UNLOCKED}
        self._made: dict[str, Component] = {}

    def reached(self, root: str) -> Mapping[str, set[str]]:
        """Everything below a distribution: what each requires."""
        found: dict[str, set[str]] = {}
        ahead = [root]
        while ahead:
            if (name := ahead.pop()) not in found:
                found[name] = self._requires[name]
                ahead += self._requires[name]
        return found

    def component(self, name: str) -> Component:
        """The component of a distribution."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Component:
        if name in self.project:
            return self._own(name)
        licence = self.licences.python[name]
        if name in UNLOCKED:
            note = f"{self.bounds[name]}; the build is the machine's choice"
            return _library(
                name, None, PackageURL("pypi", name=name), licence, properties=[("loupe:versions", note)]
            )
        locked = self._lock[name]
        purl = PackageURL("pypi", name=name, version=locked.version)
        files = ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(str(purl)),
            comment="one hash for each of its files",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256) for sha256 in locked.sha256],
        )
        within = [
            _library(library, None, None, its, ref=f"{purl}#{library}")
            for library, its in self.licences.libraries.get(name, {}).items()
        ]
        for program, entry in self.licences.programs.get(name, {}).items():
            digests = [(f"loupe:sha256:{machine}", digest) for machine, digest in pins()[name].sha256.items()]
            version = entry["version"]
            known_as = PackageURL.from_string(entry["purl"].format(version=version))
            within.append(_library(program, version, known_as, entry["licence"], properties=digests))
            within[-1].type = ComponentType.APPLICATION
        return _library(name, locked.version, purl, licence, files=[files], within=within)

    def _own(self, name: str) -> Component:
        """A wheel of this repository, with what it holds of others."""
        version, licence = self.project[name]["version"], self.project[name]["license"]
        held = [
            _library(part, None, PackageURL("github", part, part), entry["licence"], ref=f"{name}#{part}")
            for part, entry in self.licences.vendored.items()
        ]
        if name == "loupe":
            linked = [
                _library(
                    part,
                    None,
                    None,
                    entry["licence"],
                    ref=f"csot-artifact#{part}",
                    properties=[("loupe:linked", f"statically, where the compiler is {entry['by']}")],
                )
                for part, entry in self.licences.linked.items()
            ]
            purl = PackageURL("generic", name="csot-artifact", version=str(abi_version()))
            held = [_library("csot-artifact", str(abi_version()), purl, licence, within=linked)]
        purl = PackageURL("generic", name=name, version=version)
        own = _library(name, version, purl, licence, within=held)
        own.type = ComponentType.APPLICATION
        return own


def _document(root: str, parts: _Parts, npm: Sequence[NpmPackage]) -> str:
    bom = Bom()
    reached = parts.reached(root)
    bom.metadata.component = parts.component(root)
    bom.components = [parts.component(name) for name in reached if name != root]
    edges = {
        parts.component(name): [parts.component(one) for one in sorted(below)]
        for name, below in reached.items()
    }
    if npm:
        packages = {f"{package.name}@{package.version}": _npm_component(package) for package in npm}
        version, licence = parts.project[root]["version"], parts.project[root]["license"]
        console = _library(_CONSOLE, version, PackageURL("generic", name=_CONSOLE, version=version), licence)
        edges |= {
            packages[f"{one.name}@{one.version}"]: [packages[name] for name in one.requires] for one in npm
        }
        edges[console] = list(packages.values())
        edges[parts.component(root)].append(console)
        bom.components = [*bom.components, console, *packages.values()]
    bom.dependencies = [
        Dependency(ref=component.bom_ref, dependencies=[Dependency(ref=one.bom_ref) for one in below])
        for component, below in edges.items()
    ]
    content: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library makes both anew each time: the same content is the same document.
    del content["metadata"]["timestamp"], content["serialNumber"]
    name = json.dumps(content, sort_keys=True)
    content["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, name).urn
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _npm_component(package: NpmPackage) -> Component:
    group, _, name = package.name.rpartition("/")
    purl = PackageURL("npm", group or None, name, package.version)
    component = _library(name, package.version, purl, package.licence)
    component.group = group or None
    component.hashes = [HashType(alg=HashAlgorithm.SHA_512, content=package.sha512)]
    return component


def _library(  # noqa: PLR0913 - each has a name in CycloneDX
    name: str,
    version: str | None,
    purl: PackageURL | None,
    licence: str,
    *,
    ref: str | None = None,
    files: Iterable[ExternalReference] = (),
    within: Iterable[Component] = (),
    properties: Iterable[tuple[str, str]] = (),
) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=purl,
        bom_ref=ref or str(purl),
        licenses=[LicenseExpression(licence)],
        external_references=files,
        components=within,
        properties=[Property(name=key, value=value) for key, value in properties],
    )


def _project(folder: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    return project


def _required(project: Mapping[str, Any]) -> dict[str, Any]:
    extras = project.get("optional-dependencies", {})
    texts = [*project["dependencies"], *(one for each in extras.values() for one in each)]
    return {one.name: one.specifier for one in map(Requirement, texts)}
