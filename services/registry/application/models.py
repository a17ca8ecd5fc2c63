"""The library of released models (R2 to R4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from services.kit import outbox
from services.kit.database import DatabaseSessions, database_time
from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.identifiers import refuse
from services.registry.domain.images import TaskType
from services.registry.domain.models import (
    Model,
    ModelVersion,
    Package,
    PackageFormat,
    Release,
    ReleasedElsewhere,
    VersionArchived,
    VersionHasAliases,
    check_alias,
)
from services.registry.storage.models import PACKAGES, Models
from services.registry.wire.models import packaged, released, version_out
from services.registry.wire.values import require_etag_of

_LINK_LIFE = timedelta(minutes=10)


class Links(Protocol):
    """The part of the object store that is needed here."""

    def presign_get(
        self, key: str, *, expires_s: int, content_type: str, download_name: str | None = None
    ) -> str:
        """A link that reads the object without credentials."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a file, valid until `expire_time`, and the name of the file."""

    url: str
    expire_time: datetime
    file_name: str


class ModelCatalogue:
    """Models, their versions, aliases and packages."""

    def __init__(self, sessions: DatabaseSessions, links: Links) -> None:
        self._sessions = sessions
        self._links = links

    async def get(self, model: str) -> Model:
        """One model."""
        async with self._sessions.begin() as session:
            return await Models(session).get(model)

    async def list(
        self,
        page: RowPageRequest,
        *,
        name_contains: str,
        production_environment: str | None,
        task_type: TaskType | None,
    ) -> RowPage[Model]:
        """By id."""
        async with self._sessions.begin() as session:
            return await Models(session).listing(
                page,
                name_contains=name_contains,
                production_environment=production_environment,
                task_type=task_type,
            )

    async def version(self, model: str, version_id: str) -> ModelVersion:
        """The version of a number, an alias, or `latest`."""
        async with self._sessions.begin() as session:
            return await Models(session).resolve(model, version_id)

    async def versions(
        self, model: str, page: RowPageRequest, *, show_archived: bool
    ) -> RowPage[ModelVersion]:
        """Newest first, by number."""
        async with self._sessions.begin() as session:
            models = Models(session)
            await models.get(model)
            return await models.list_versions(model, page, show_archived=show_archived)

    async def number(self, release: Release) -> ModelVersion:
        """The version of a released task: a new one, or its existing one."""
        async with self._sessions.begin() as session:
            return await number_release(session, release)

    async def archive(
        self, model: str, version_id: str, *, keep_aliases: bool, etag: str, caller: str
    ) -> ModelVersion:
        """Hide a version from lists; VersionHasAliases unless its aliases may go on leading to it."""

        def refuse_aliased(version: ModelVersion) -> None:
            if version.aliases and not keep_aliases:
                aliases = ", ".join(version.aliases)
                raise VersionHasAliases(
                    f"models/{model}/versions/{version.number} is {aliases}; put the alias on another "
                    "version first, or say that it stays (keep_aliases; loupe archive --keep-aliases)",
                    model=model,
                    version=version.number,
                    aliases=aliases,
                )

        return await self._set_archived(
            model, version_id, archived=True, etag=etag, caller=caller, check=refuse_aliased
        )

    async def restore(self, model: str, version_id: str, *, etag: str, caller: str) -> ModelVersion:
        """Show a version in lists again."""
        return await self._set_archived(model, version_id, archived=False, etag=etag, caller=caller)

    async def _set_archived(  # noqa: PLR0913 -- what a change of one property takes
        self,
        model: str,
        version_id: str,
        *,
        archived: bool,
        etag: str,
        caller: str,
        check: Callable[[ModelVersion], None] = lambda _: None,
    ) -> ModelVersion:
        async with self._sessions.begin() as session:
            models = Models(session)
            await models.lock(model)
            version = await models.resolve(model, version_id)
            require_etag_of(version_out(version), etag)
            if version.archived == archived:
                return version
            check(version)
            await models.set_archived(version, archived=archived)
            await models.touch(model, caller, await database_time(session))
            return replace(version, archived=archived)

    async def set_alias(
        self, model: str, version_id: str, alias: str, *, etag: str, caller: str
    ) -> ModelVersion:
        """Move an alias to a version."""
        check_alias(alias)
        async with self._sessions.begin() as session:
            models = Models(session)
            await models.lock(model)
            version = await models.resolve(model, version_id)
            require_etag_of(version_out(version), etag)
            if version.archived:
                raise VersionArchived(
                    f"models/{model}/versions/{version.number} is archived; restore it first",
                    model=model,
                    version=version.number,
                )
            if alias in version.aliases:
                return version
            await models.set_alias(version, alias)
            await models.touch(model, caller, await database_time(session))
            return replace(version, aliases=tuple(sorted({*version.aliases, alias})))

    async def record_package(self, model: str, version_id: str, package: Package) -> Package:
        """Record a stored package, and publish that once; the first of a format stays (X)."""
        refuse(package.faults())
        async with self._sessions.begin() as session:
            package = replace(package, create_time=await database_time(session))
            models = Models(session)
            version = await models.resolve(model, version_id)
            if not await models.add_package(version, package):
                return (await models.resolve(model, version_id)).package(package.format)
            outbox.add(session, *packaged(version, package))
        return package

    async def link_package(self, model: str, version_id: str, wanted: PackageFormat) -> tuple[Package, Link]:
        """The package of a format, and a link to it; NotExported."""
        version = await self.version(model, version_id)
        package = version.package(wanted)
        return package, await self._link(
            f"{PACKAGES}/{package.sha256}.zip", "application/zip", version.file_name(wanted)
        )

    async def link_weights(self, model: str, version_id: str) -> tuple[str, Link]:
        """The SHA-256 of the weights, and a link to them."""
        version = await self.version(model, version_id)
        sha256 = version.release.weights_sha256
        return sha256, await self._link(
            f"weights/{sha256}.safetensors",
            "application/octet-stream",
            f"{model}-{version.number}.safetensors",
        )

    async def _link(self, key: str, content_type: str, file_name: str) -> Link:
        url = self._links.presign_get(
            key,
            expires_s=int(_LINK_LIFE.total_seconds()),
            content_type=content_type,
            download_name=file_name,
        )
        return Link(url, await self._sessions.time() + _LINK_LIFE, file_name)


async def number_release(session: AsyncSession, release: Release) -> ModelVersion:
    """Number a released task within the caller's transaction, and publish the version once.

    The model's row is held from here to the commit, so numbers have no gap and none is given twice (R2).
    """
    refuse(release.faults())
    models = Models(session)
    now = await database_time(session)
    known = await models.version_of_task(release.task)
    if known is None:
        await models.lock_for_release(release, now)
        # Another call for the same task may have numbered it while we waited for the lock.
        known = await models.version_of_task(release.task)
    if known is not None:
        return _same_model(known, release)
    version = ModelVersion(release, await models.next_number(release.model, release.major), now)
    if not await models.add_version(version):
        raise _elsewhere(release, "another model")
    await models.follow(release)
    await models.touch(release.model, release.releaser, now)
    outbox.add(session, *released(version))
    return version


def _same_model(known: ModelVersion, release: Release) -> ModelVersion:
    if known.release.model != release.model:
        raise _elsewhere(release, f"models/{known.release.model}")
    return known


def _elsewhere(release: Release, where: str) -> ReleasedElsewhere:
    return ReleasedElsewhere(
        f"{release.task} is already a version of {where}; it cannot become one of models/{release.model}",
        task=release.task,
    )
