"""A version's package as a file: made if need be, downloaded, checked (X)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loupe.errors import NotFound
from loupe.registry.v1 import model_pb2, model_service_pb2
from loupe.saving import save_bytes, saved_at
from loupe.scheduler.v1 import task_service_pb2

if TYPE_CHECKING:
    from loupe.client import AsyncLoupe


@dataclass(frozen=True)
class Exported:
    """A package on disk, as the registry has it on record."""

    package: model_pb2.Package
    file: Path


async def export_version(  # noqa: PLR0913 -- all but three have defaults
    client: "AsyncLoupe",
    version: str,
    file: Path | None,
    wanted: model_pb2.PackageFormat.ValueType,
    *,
    follow: Callable[[str], Awaitable[Any]],
    resource: str = "",
    on_bytes: Callable[[int, int], None] = lambda _done, _all: None,
) -> Exported:
    """Save the package of `models/{model}/versions/{version}`, to a file or into a folder.

    If there is none yet, `follow` is given the name of the task that makes it, and raises if it does not come
    to its end. `on_bytes` is called with the bytes so far and all of them. Refused if they are not those
    that the registry has on record.
    """
    if file is not None:
        _refuse_odd(file)
    request = model_service_pb2.LinkPackageRequest(name=version, format=wanted)
    try:
        link = await client.models.LinkPackage(request)
    except NotFound as error:
        if error.reason != "NOT_EXPORTED":
            raise
        task = await client.tasks.ExportModelVersion(
            task_service_pb2.ExportModelVersionRequest(
                model_version=version, format=wanted, compute_resource=resource
            )
        )
        await follow(task.name)
        link = await client.models.LinkPackage(request)
    target = file or Path(link.file_name)
    if target.is_dir():
        target /= link.file_name

    async def counted() -> AsyncIterator[bytes]:
        done = 0
        async for part in client.linked(link.url, link.file_name):
            done += len(part)
            on_bytes(done, link.package.size_bytes)
            yield part

    await save_bytes(target, counted(), sha256=link.package.sha256)
    return Exported(link.package, target)


def _refuse_odd(file: Path) -> None:
    """Before a package is made for nothing."""
    if not file.is_dir():
        saved_at(file)
