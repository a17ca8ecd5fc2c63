"""Compares the bytes of a package with the registry's record, before any of it is loaded and run (X5)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loupe import names
from loupe.errors import NotFound
from loupe.failures import Refused
from loupe.language import translated
from loupe.registry.v1 import model_pb2, model_service_pb2
from loupe.saving import save_bytes
from loupe.signatures import BadSignature, PublicKeys, Signed, is_signed
from loupe.unpacking import CONFIG, Contents, NotAPackage, config_faults, copy

if TYPE_CHECKING:
    from loupe.client import AsyncLoupe


_MOST_FAULTS = 10


@dataclass(frozen=True)
class Candidate:
    """A private copy of a package, and what the registry says of its bytes."""

    folder: Path
    version: model_pb2.ModelVersion
    """The version that it is compared with."""
    is_on_record: bool
    """Whether the registry has a package of this version. Without one the library must not be run."""
    changed: tuple[str, ...] = ()
    """Files that are not the registry's; at most config.yaml, whose thresholds an operator may change."""
    is_released_file: bool = False
    """Whether it is the registry's zip, byte for byte."""
    signed: Signed | None = None
    """None for a package that was made before packages were signed."""


def copied(package: Path, folder: Path) -> Contents:
    """A private copy of a package, in a new folder below; Refused where it is none."""
    try:
        contents = copy(package, folder / "package")
    except NotAPackage as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(f"{error.filename or package} cannot be read: {error.strerror}") from error
    try:
        names.model_version(contents.model_version)
    except (NotAPackage, names.BadName) as error:
        raise Refused(f"{package}: {error}") from error
    return contents


def require_signature(package: Path, contents: Contents, keys: PublicKeys) -> Signed:
    """Who signed it; Refused unless it was one of the keys, and nothing is changed since."""
    try:
        return keys.require(contents)
    except BadSignature as error:
        raise Refused(
            translated(
                "{package} is refused; nothing of it was run: {reason}", package=package, reason=error.told
            )
        ) from error


async def candidate(
    client: "AsyncLoupe", package: Path, against: str | None, folder: Path, keys: PublicKeys | None = None
) -> Candidate:
    """Copy a package into an empty private folder, check its signature, and compare it with the record.

    The version is `against`, else the one that the package names. Refused where none of `keys` signed it. By
    default these are the registry's, and a package may be unsigned: it may be older than they are.
    Refused, by name, where the library, the networks, or what config.yaml says beside the thresholds are not
    the registry's.
    """
    contents = await asyncio.to_thread(copied, package, folder)
    signed = await _signed(client, package, contents, keys)
    claimed = names.model_version(contents.model_version)
    version = await client.models.GetModelVersion(
        model_service_pb2.GetModelVersionRequest(name=names.model_version(against) if against else claimed)
    )
    is_what_it_claims = against is None or version.name == claimed
    link = await _record(client, version.name) if is_what_it_claims else None
    if link is None:
        return Candidate(contents.folder, version, is_on_record=False, signed=signed)
    if contents.sha256 == link.package.sha256:
        return Candidate(contents.folder, version, is_on_record=True, is_released_file=True, signed=signed)
    recorded = await _downloaded(client, link, folder)
    unlike = [name for name in contents.files if contents.files[name] != recorded.files[name]]
    differences = [
        f"{name} has SHA-256 {contents.files[name]}, the registry's {recorded.files[name]}"
        for name in unlike
        if name != CONFIG
    ]
    if CONFIG in unlike:
        given, its = ((one.folder / CONFIG).read_bytes() for one in (contents, recorded))
        faults = config_faults(given, its)
        differences += (f"{CONFIG}, {fault}" for fault in faults[:_MOST_FAULTS])
        if len(faults) > _MOST_FAULTS:
            differences.append(f"{CONFIG} differs in {len(faults) - _MOST_FAULTS} more places")
    if differences:
        raise Refused(
            f"{package} is not the package of {names.short(version.name)}; nothing of it was run:\n"
            + "\n".join(differences)
        )
    return Candidate(contents.folder, version, is_on_record=True, changed=tuple(unlike), signed=signed)


async def _signed(
    client: "AsyncLoupe", package: Path, contents: Contents, keys: PublicKeys | None
) -> Signed | None:
    if keys is None:
        if not await asyncio.to_thread(is_signed, contents):
            return None
        known = await client.models.GetSigningKeys(model_service_pb2.GetSigningKeysRequest())
        pem = "".join(key.public_key for key in known.keys)
        keys = PublicKeys.parse(pem.encode(), "the registry") if pem else PublicKeys([])
    return await asyncio.to_thread(require_signature, package, contents, keys)


async def _record(client: "AsyncLoupe", version: str) -> model_service_pb2.LinkPackageResponse | None:
    try:
        link: model_service_pb2.LinkPackageResponse = await client.models.LinkPackage(
            model_service_pb2.LinkPackageRequest(name=version, format=model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT)
        )
    except NotFound as error:
        if error.reason != "NOT_EXPORTED":
            raise
        return None
    return link


async def _downloaded(
    client: "AsyncLoupe", link: model_service_pb2.LinkPackageResponse, folder: Path
) -> Contents:
    zipped = folder / "recorded.zip"
    await save_bytes(zipped, client.linked(link.url, link.file_name), sha256=link.package.sha256)
    return await asyncio.to_thread(copy, zipped, folder / "recorded")
