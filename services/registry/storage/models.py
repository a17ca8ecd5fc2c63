"""Rows of models, versions and aliases."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from loupe.errors import NotFound
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.input_specification import InputSpecification
from services.kit.paging import RowPage, RowPageRequest
from services.looks import TrainingLooks
from services.registry.domain.images import TaskType
from services.registry.domain.models import (
    LATEST,
    Model,
    ModelVersion,
    Package,
    PackageFormat,
    Release,
    VersionNumber,
)
from services.registry.storage.tables import model_aliases as aliases
from services.registry.storage.tables import model_versions as versions
from services.registry.storage.tables import models, packages

# The folder of the object store.
PACKAGES = "packages"


class Models:
    """Models and their versions."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, model: str) -> Model:
        """The model; NotFound."""
        row = (await self._session.execute(_with_latest().where(models.c.id == model))).first()
        if row is None:
            raise NotFound(
                f"models/{model} does not exist; a model comes to be with its first release",
                resource=f"models/{model}",
            )
        return _model(row)

    async def listing(
        self,
        page: RowPageRequest,
        *,
        name_contains: str,
        production_environment: str | None,
        task_type: TaskType | None,
    ) -> RowPage[Model]:
        """A page of models that meet all conditions, sorted by id."""
        query = _with_latest().order_by(models.c.id).limit(page.limit)
        if name_contains:
            query = query.where(sa.func.lower(models.c.id).contains(name_contains.lower(), autoescape=True))
        if production_environment is not None:
            query = query.where(models.c.production_environment == production_environment)
        if task_type is not None:
            query = query.where(models.c.task_type == task_type)
        if page.after is not None:
            query = query.where(models.c.id > page.after[0])
        rows = (await self._session.execute(query)).all()
        return page.cut([_model(row) for row in rows], lambda item: (item.id,))

    async def lock_for_release(self, release: Release, now: datetime) -> None:
        """Create the model if it is new, and lock its row: versions are numbered one after another."""
        values = {
            "id": release.model,
            "production_environment": release.production_environment,
            "task_type": release.task_type,
            "last_modifier": release.releaser,
            "create_time": now,
            "update_time": now,
        }
        await self._session.execute(insert(models).values(**values).on_conflict_do_nothing())
        await self._session.execute(
            sa.select(models.c.id).where(models.c.id == release.model).with_for_update()
        )

    async def lock(self, model: str) -> None:
        """Lock the model's row; NotFound."""
        query = sa.select(models.c.id).where(models.c.id == model).with_for_update()
        if await self._session.scalar(query) is None:
            await self.get(model)

    async def touch(self, model: str, modifier: str, now: datetime) -> None:
        """Record who changed it last."""
        await self._session.execute(
            sa.update(models).where(models.c.id == model).values(last_modifier=modifier, update_time=now)
        )

    async def follow(self, release: Release) -> None:
        """Copy environment and type from the newest release."""
        await self._session.execute(
            sa.update(models)
            .where(models.c.id == release.model)
            .values(production_environment=release.production_environment, task_type=release.task_type)
        )

    async def next_number(self, model: str, major: int) -> VersionNumber:
        """The number after the highest of the major. The model's row must be locked."""
        highest = await self._session.scalar(
            sa.select(sa.func.max(versions.c.release_number)).where(
                versions.c.model == model, versions.c.major == major
            )
        )
        return VersionNumber(major, (highest or 0) + 1)

    async def add_version(self, version: ModelVersion) -> bool:
        """Insert the version; False if the task has one already."""
        release = version.release
        added = await self._session.scalar(
            insert(versions)
            .values(
                model=release.model,
                major=version.number.major,
                release_number=version.number.release_number,
                task=release.task,
                algorithm_image_version=release.algorithm_image_version,
                parent_version=release.parent_version,
                weights_sha256=bytes.fromhex(release.weights_sha256),
                snapshots=list(release.snapshots),
                code_list=list(release.code_list),
                num_of_classes=release.num_of_classes,
                input=asdict(release.input),
                model_params=dict(release.model_params),
                training_params=dict(release.training_params),
                preprocessing_params=dict(release.preprocessing_params),
                seed=release.seed,
                report=release.report,
                releaser=release.releaser,
                production_environment=release.production_environment,
                task_type=release.task_type,
                looks=release.looks.to_json() if release.looks else None,
                archived=version.archived,
                create_time=version.create_time,
            )
            .on_conflict_do_nothing(index_elements=[versions.c.task])
            .returning(versions.c.model)
        )
        return added is not None

    async def version_of_task(self, task: str) -> ModelVersion | None:
        """The version of the task; None if it has none."""
        row = (await self._session.execute(_with_aliases().where(versions.c.task == task))).first()
        return None if row is None else _version(row)

    async def resolve(self, model: str, version_id: str) -> ModelVersion:
        """The version of a number, of an alias, or the latest; NotFound."""
        query = _with_aliases().where(versions.c.model == model)
        number = VersionNumber.parse(version_id)
        if number is not None:
            query = query.where(
                versions.c.major == number.major, versions.c.release_number == number.release_number
            )
        elif version_id == LATEST:
            query = (
                query.where(~versions.c.archived)
                .order_by(versions.c.major.desc(), versions.c.release_number.desc())
                .limit(1)
            )
        else:
            query = query.join(
                aliases,
                sa.and_(
                    aliases.c.model == versions.c.model,
                    aliases.c.major == versions.c.major,
                    aliases.c.release_number == versions.c.release_number,
                ),
            ).where(aliases.c.alias == version_id)
        row = (await self._session.execute(query)).first()
        if row is None:
            name = f"models/{model}/versions/{version_id}"
            told = f"{name} does not exist; list the model's versions and aliases"
            if version_id == LATEST:
                told = (
                    f"{name} leads to no version: there is no such model, or all its versions are archived; "
                    "name a version itself, or restore one"
                )
            raise NotFound(told, resource=name)
        return _version(row)

    async def list_versions(
        self, model: str, page: RowPageRequest, *, show_archived: bool
    ) -> RowPage[ModelVersion]:
        """Newest first, by number."""
        query = (
            _with_aliases()
            .where(versions.c.model == model)
            .order_by(versions.c.major.desc(), versions.c.release_number.desc())
            .limit(page.limit)
        )
        if not show_archived:
            query = query.where(~versions.c.archived)
        if page.after is not None:
            query = query.where(
                sa.tuple_(versions.c.major, versions.c.release_number) < sa.tuple_(*page.after)
            )
        rows = (await self._session.execute(query)).all()
        return page.cut(
            [_version(row) for row in rows],
            lambda item: (item.number.major, item.number.release_number),
        )

    async def add_package(self, version: ModelVersion, package: Package) -> bool:
        """Insert the package; False if the version has one of its format already."""
        added = await self._session.scalar(
            insert(packages)
            .values(
                model=version.release.model,
                **asdict(version.number),
                **{**asdict(package), "sha256": bytes.fromhex(package.sha256)},
            )
            .on_conflict_do_nothing()
            .returning(packages.c.model)
        )
        return added is not None

    async def named_packages(self, sha256s: Collection[str]) -> set[str]:
        """Those of the hashes that belong to a package."""
        wanted = sa.cast([bytes.fromhex(value) for value in sha256s], sa.ARRAY(sa.LargeBinary))
        rows = await self._session.scalars(
            sa.select(packages.c.sha256).where(packages.c.sha256 == sa.any_(wanted))
        )
        return {sha256.hex() for sha256 in rows}

    async def set_archived(self, version: ModelVersion, *, archived: bool) -> None:
        """Hide the version, or show it again."""
        await self._session.execute(sa.update(versions).where(*_is(version)).values(archived=archived))

    async def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Move the alias to the version."""
        number = {"major": version.number.major, "release_number": version.number.release_number}
        await self._session.execute(
            insert(aliases)
            .values(model=version.release.model, alias=alias, **number)
            .on_conflict_do_update(index_elements=[aliases.c.model, aliases.c.alias], set_=number)
        )


def _is(version: ModelVersion) -> Iterable[sa.ColumnElement[bool]]:
    return (
        versions.c.model == version.release.model,
        versions.c.major == version.number.major,
        versions.c.release_number == version.number.release_number,
    )


def _with_latest() -> sa.Select[Any]:
    latest = (
        sa.select(versions.c.major, versions.c.release_number)
        .where(versions.c.model == models.c.id, ~versions.c.archived)
        .order_by(versions.c.major.desc(), versions.c.release_number.desc())
        .limit(1)
        .lateral("latest")
    )
    return sa.select(models, latest.c.major, latest.c.release_number).outerjoin(latest, sa.true())


def _with_aliases() -> sa.Select[Any]:
    version_aliases = aliases.alias("told")
    listed = (
        sa.select(sa.func.array_agg(aggregate_order_by(version_aliases.c.alias, version_aliases.c.alias)))
        .where(
            version_aliases.c.model == versions.c.model,
            version_aliases.c.major == versions.c.major,
            version_aliases.c.release_number == versions.c.release_number,
        )
        .correlate(versions)
        .scalar_subquery()
    )
    exported = (
        sa.select(
            sa.func.jsonb_agg(
                aggregate_order_by(
                    sa.func.jsonb_build_object(
                        *("format", packages.c.format),
                        *("sha256", sa.func.encode(packages.c.sha256, "hex")),
                        *("size_bytes", packages.c.size_bytes),
                        *("create_time", packages.c.create_time),
                        *("abi_version", packages.c.abi_version),
                        *("format_version", packages.c.format_version),
                    ),
                    packages.c.format,
                )
            )
        )
        .where(
            packages.c.model == versions.c.model,
            packages.c.major == versions.c.major,
            packages.c.release_number == versions.c.release_number,
        )
        .correlate(versions)
        .scalar_subquery()
    )
    return sa.select(versions, listed.label("aliases"), exported.label("packages"))


def _model(row: Any) -> Model:  # noqa: ANN401 -- a row has no static type
    return Model(
        id=row.id,
        production_environment=row.production_environment,
        task_type=TaskType(row.task_type),
        last_modifier=row.last_modifier,
        create_time=row.create_time,
        update_time=row.update_time,
        latest=None if row.major is None else VersionNumber(row.major, row.release_number),
    )


def _version(row: Any) -> ModelVersion:  # noqa: ANN401 -- a row has no static type
    return ModelVersion(
        release=Release(
            model=row.model,
            major=row.major,
            task=row.task,
            algorithm_image_version=row.algorithm_image_version,
            weights_sha256=row.weights_sha256.hex(),
            code_list=tuple(row.code_list),
            num_of_classes=row.num_of_classes,
            input=InputSpecification.from_json(row.input),
            task_type=TaskType(row.task_type),
            parent_version=row.parent_version,
            snapshots=tuple(row.snapshots),
            model_params=row.model_params,
            training_params=row.training_params,
            preprocessing_params=row.preprocessing_params,
            seed=row.seed,
            report=row.report,
            releaser=row.releaser,
            production_environment=row.production_environment,
            looks=TrainingLooks.from_json(row.looks),
        ),
        number=VersionNumber(row.major, row.release_number),
        create_time=row.create_time,
        archived=row.archived,
        aliases=tuple(row.aliases or ()),
        packages=tuple(_package(one) for one in row.packages or ()),
    )


def _package(of: dict[str, Any]) -> Package:
    return Package(
        **{
            **of,
            "format": PackageFormat(of["format"]),
            "create_time": datetime.fromisoformat(of["create_time"]),
        }
    )
