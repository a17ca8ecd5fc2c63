"""Rows of algorithm images and their versions."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from loupe.errors import NotFound
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.input_specification import InputSpecification
from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.images import (
    AlgorithmImage,
    AlgorithmImageVersion,
    ImageKind,
    ImageVersionNumber,
    TaskType,
)
from services.registry.storage.tables import algorithm_image_versions as versions
from services.registry.storage.tables import algorithm_images as images
from services.registry.storage.tables import production_environments as environments


class AlgorithmImages:
    """Images and their immutable versions."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, image: AlgorithmImage) -> bool:
        """Insert it; False if the id is taken."""
        values = asdict(image)
        del values["latest"]
        added = await self._session.scalar(
            insert(images).values(**values).on_conflict_do_nothing().returning(images.c.id)
        )
        return added is not None

    async def get(self, image: str) -> AlgorithmImage:
        """The image; NotFound."""
        row = (await self._session.execute(_with_latest().where(images.c.id == image))).first()
        if row is None:
            raise NotFound(
                f"algorithmImages/{image} does not exist; list the images and choose one",
                resource=f"algorithmImages/{image}",
            )
        return _image(row)

    async def listing(
        self,
        page: RowPageRequest,
        *,
        kind: ImageKind | None,
        task_type: TaskType | None,
        production_environment: str | None,
        conditions: Mapping[str, str],
    ) -> RowPage[AlgorithmImage]:
        """A page, sorted by id; None does not filter. `conditions`: columns of the production environment."""
        query = _with_latest().order_by(images.c.id).limit(page.limit)
        for column, wanted in (
            (images.c.kind, kind),
            (images.c.task_type, task_type),
            (images.c.production_environment, production_environment),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if conditions:
            fitting = sa.select(environments.c.id).where(
                *(environments.c[column] == word for column, word in conditions.items())
            )
            query = query.where(images.c.production_environment.in_(fitting))
        if page.after is not None:
            query = query.where(images.c.id > page.after[0])
        rows = (await self._session.execute(query)).all()
        return page.cut([_image(row) for row in rows], lambda item: (item.id,))

    async def add_version(self, version: AlgorithmImageVersion) -> bool:
        """Insert it; False if the number is taken."""
        added = await self._session.scalar(
            insert(versions)
            .values(
                image=version.image,
                major=version.number.major,
                minor=version.number.minor,
                description=version.description,
                classification_networks=list(version.classification_networks),
                input=asdict(version.input),
                default_model_params=dict(version.default_model_params),
                default_training_params=dict(version.default_training_params),
                training_paths=list(version.training_paths),
                create_time=version.create_time,
            )
            .on_conflict_do_nothing()
            .returning(versions.c.image)
        )
        return added is not None

    async def get_version(self, image: str, number: ImageVersionNumber) -> AlgorithmImageVersion:
        """The version; NotFound."""
        query = sa.select(versions).where(
            versions.c.image == image, versions.c.major == number.major, versions.c.minor == number.minor
        )
        row = (await self._session.execute(query)).first()
        if row is None:
            name = f"algorithmImages/{image}/versions/{number}"
            raise NotFound(f"{name} does not exist; list the image's versions and choose one", resource=name)
        return _version(row)

    async def list_versions(self, image: str, page: RowPageRequest) -> RowPage[AlgorithmImageVersion]:
        """Newest first, by number."""
        query = (
            sa.select(versions)
            .where(versions.c.image == image)
            .order_by(versions.c.major.desc(), versions.c.minor.desc())
            .limit(page.limit)
        )
        if page.after is not None:
            query = query.where(sa.tuple_(versions.c.major, versions.c.minor) < sa.tuple_(*page.after))
        rows = (await self._session.execute(query)).all()
        return page.cut([_version(row) for row in rows], lambda item: (item.number.major, item.number.minor))


def _with_latest() -> sa.Select[Any]:
    latest = (
        sa.select(versions.c.major, versions.c.minor)
        .where(versions.c.image == images.c.id)
        .order_by(versions.c.major.desc(), versions.c.minor.desc())
        .limit(1)
        .lateral("latest")
    )
    return sa.select(images, latest.c.major, latest.c.minor).outerjoin(latest, sa.true())


def _image(row: Any) -> AlgorithmImage:  # noqa: ANN401 -- a row has no static type
    return AlgorithmImage(
        id=row.id,
        kind=ImageKind(row.kind),
        task_type=TaskType(row.task_type),
        display_name=row.display_name,
        description=row.description,
        production_environment=row.production_environment,
        create_time=row.create_time,
        latest=None if row.major is None else ImageVersionNumber(row.major, row.minor),
    )


def _version(row: Any) -> AlgorithmImageVersion:  # noqa: ANN401 -- a row has no static type
    return AlgorithmImageVersion(
        image=row.image,
        number=ImageVersionNumber(row.major, row.minor),
        input=InputSpecification.from_json(row.input),
        classification_networks=tuple(row.classification_networks),
        default_model_params=row.default_model_params,
        default_training_params=row.default_training_params,
        training_paths=tuple(row.training_paths),
        description=row.description,
        create_time=row.create_time,
    )
