"""Production environments and compute resources."""

from services.kit.database import DatabaseSessions
from services.kit.errors import AlreadyExists
from services.kit.paging import RowPage, RowPageRequest
from services.registry.domain.identifiers import refuse
from services.registry.domain.master_data import ComputeResource, EnvironmentInUse, ProductionEnvironment
from services.registry.storage.master_data import ComputeResources, ProductionEnvironments


class MasterData:
    """What administrators keep and everybody chooses from."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def create_environment(self, environment: ProductionEnvironment) -> ProductionEnvironment:
        """Keep a new environment; AlreadyExists."""
        refuse(environment.faults())
        async with self._sessions.begin() as session:
            if not await ProductionEnvironments(session).add(environment):
                raise AlreadyExists(
                    f"productionEnvironments/{environment.id} exists already; choose another id"
                )
        return environment

    async def environment(self, environment: str) -> ProductionEnvironment:
        """One environment."""
        async with self._sessions.begin() as session:
            return await ProductionEnvironments(session).get(environment)

    async def environments(self, page: RowPageRequest) -> RowPage[ProductionEnvironment]:
        """By id."""
        async with self._sessions.begin() as session:
            return await ProductionEnvironments(session).listing(page)

    async def delete_environment(self, environment: str) -> None:
        """Remove an environment that nothing is bound to."""
        async with self._sessions.begin() as session:
            environments = ProductionEnvironments(session)
            await environments.get(environment, lock=True)
            bound = await environments.users_of(environment)
            if bound:
                raise EnvironmentInUse(
                    f"productionEnvironments/{environment} is bound to {', '.join(bound)}; "
                    "it must stay for them",
                    environment=environment,
                )
            await environments.delete(environment)

    async def create_resource(self, resource: ComputeResource) -> ComputeResource:
        """Keep a new compute resource; AlreadyExists."""
        refuse(resource.faults())
        async with self._sessions.begin() as session:
            if not await ComputeResources(session).add(resource):
                raise AlreadyExists(f"computeResources/{resource.id} exists already; choose another id")
        return resource

    async def resource(self, resource: str) -> ComputeResource:
        """One compute resource."""
        async with self._sessions.begin() as session:
            return await ComputeResources(session).get(resource)

    async def resources(self, page: RowPageRequest) -> RowPage[ComputeResource]:
        """By id."""
        async with self._sessions.begin() as session:
            return await ComputeResources(session).listing(page)
