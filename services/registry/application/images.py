"""Algorithm images and their versions (W2)."""

from collections.abc import Mapping
from dataclasses import replace

from loupe.errors import AlreadyExists

from services.kit.database import DatabaseSessions, database_time
from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.identifiers import refuse
from services.registry.domain.images import (
    AlgorithmImage,
    AlgorithmImageVersion,
    ImageKind,
    ImageVersionNumber,
    TaskType,
)
from services.registry.storage.images import AlgorithmImages
from services.registry.storage.master_data import ProductionEnvironments


class ImageCatalogue:
    """The algorithms that models are trained with."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def create(self, image: AlgorithmImage) -> AlgorithmImage:
        """Create an image; NotFound if its environment does not exist, AlreadyExists."""
        refuse(image.faults())
        async with self._sessions.begin() as session:
            image = replace(image, create_time=await database_time(session))
            if image.production_environment is not None:
                await ProductionEnvironments(session).get(image.production_environment, lock=True)
            if not await AlgorithmImages(session).add(image):
                raise AlreadyExists(
                    f"algorithmImages/{image.id} exists already; add a version to it or choose another id"
                )
        return image

    async def get(self, image: str) -> AlgorithmImage:
        """One image with its latest version's number."""
        async with self._sessions.begin() as session:
            return await AlgorithmImages(session).get(image)

    async def list(
        self,
        page: RowPageRequest,
        *,
        kind: ImageKind | None,
        task_type: TaskType | None,
        production_environment: str | None,
        conditions: Mapping[str, str],
    ) -> RowPage[AlgorithmImage]:
        """By id, filtered by what is given; conditions are words of the production environment (W2)."""
        async with self._sessions.begin() as session:
            return await AlgorithmImages(session).listing(
                page,
                kind=kind,
                task_type=task_type,
                production_environment=production_environment,
                conditions=conditions,
            )

    async def create_version(self, version: AlgorithmImageVersion) -> AlgorithmImageVersion:
        """Create a version of an image; AlreadyExists, since a version never changes."""
        refuse(version.faults())
        async with self._sessions.begin() as session:
            version = replace(version, create_time=await database_time(session))
            images = AlgorithmImages(session)
            await images.get(version.image)
            if not await images.add_version(version):
                raise AlreadyExists(
                    f"algorithmImages/{version.image} has a version {version.number} already, "
                    "and versions never change; choose another number"
                )
        return version

    async def version(self, image: str, number: ImageVersionNumber) -> AlgorithmImageVersion:
        """One version."""
        async with self._sessions.begin() as session:
            return await AlgorithmImages(session).get_version(image, number)

    async def versions(self, image: str, page: RowPageRequest) -> RowPage[AlgorithmImageVersion]:
        """Newest first, by number."""
        async with self._sessions.begin() as session:
            images = AlgorithmImages(session)
            await images.get(image)
            return await images.list_versions(image, page)
