"""Rows of production environments and compute resources."""

from dataclasses import asdict

import sqlalchemy as sa
from loupe.errors import NotFound
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.master_data import ComputeResource, ProductionEnvironment
from services.registry.storage.tables import (
    algorithm_images,
    compute_resources,
    models,
    production_environments,
    question_banks,
)


class ProductionEnvironments:
    """Places where models are used."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, environment: ProductionEnvironment) -> bool:
        """Insert it; False if the id is taken."""
        added = await self._session.scalar(
            insert(production_environments)
            .values(**asdict(environment))
            .on_conflict_do_nothing()
            .returning(production_environments.c.id)
        )
        return added is not None

    async def get(self, environment: str, *, lock: bool = False) -> ProductionEnvironment:
        """The environment; NotFound. A lock prevents new bindings and its removal."""
        query = sa.select(production_environments).where(production_environments.c.id == environment)
        row = (await self._session.execute(query.with_for_update() if lock else query)).mappings().first()
        if row is None:
            raise NotFound(
                f"productionEnvironments/{environment} does not exist; list the environments and choose one",
                resource=f"productionEnvironments/{environment}",
            )
        return ProductionEnvironment(**row)

    async def listing(self, page: RowPageRequest) -> RowPage[ProductionEnvironment]:
        """A page of environments, sorted by id."""
        query = sa.select(production_environments).order_by(production_environments.c.id).limit(page.limit)
        if page.after is not None:
            query = query.where(production_environments.c.id > page.after[0])
        rows = (await self._session.execute(query)).mappings()
        return page.cut([ProductionEnvironment(**row) for row in rows], lambda item: (item.id,))

    async def users_of(self, environment: str) -> list[str]:
        """Names of some images, models and question banks that are bound to it."""
        image_names = await self._session.scalars(
            sa.select("algorithmImages/" + algorithm_images.c.id)
            .where(algorithm_images.c.production_environment == environment)
            .limit(3)
        )
        model_names = await self._session.scalars(
            sa.select("models/" + models.c.id).where(models.c.production_environment == environment).limit(3)
        )
        bank_names = await self._session.scalars(
            sa.select("questionBanks/" + question_banks.c.id)
            .where(question_banks.c.production_environment == environment)
            .limit(3)
        )
        return [*image_names, *model_names, *bank_names]

    async def delete(self, environment: str) -> None:
        """Remove it."""
        await self._session.execute(
            sa.delete(production_environments).where(production_environments.c.id == environment)
        )


class ComputeResources:
    """Hardware for tasks."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, resource: ComputeResource) -> bool:
        """Insert it; False if the id is taken."""
        added = await self._session.scalar(
            insert(compute_resources)
            .values(**asdict(resource))
            .on_conflict_do_nothing()
            .returning(compute_resources.c.id)
        )
        return added is not None

    async def get(self, resource: str) -> ComputeResource:
        """The resource; NotFound."""
        query = sa.select(compute_resources).where(compute_resources.c.id == resource)
        row = (await self._session.execute(query)).mappings().first()
        if row is None:
            raise NotFound(
                f"computeResources/{resource} does not exist; list the resources and choose one",
                resource=f"computeResources/{resource}",
            )
        return ComputeResource(**row)

    async def listing(self, page: RowPageRequest) -> RowPage[ComputeResource]:
        """A page of resources, sorted by id."""
        query = sa.select(compute_resources).order_by(compute_resources.c.id).limit(page.limit)
        if page.after is not None:
            query = query.where(compute_resources.c.id > page.after[0])
        rows = (await self._session.execute(query)).mappings()
        return page.cut([ComputeResource(**row) for row in rows], lambda item: (item.id,))
