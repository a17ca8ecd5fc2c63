"""Production environments and compute resources as messages."""

from loupe.registry.v1 import master_data_pb2 as pb

from services.registry.domain.master_data import ComputeResource, ProductionEnvironment
from services.registry.wire import names


def environment_in(environment_id: str, message: pb.ProductionEnvironment) -> ProductionEnvironment:
    """What a request describes."""
    return ProductionEnvironment(
        environment_id,
        message.site,
        message.product,
        message.process_step,
        message.equipment,
        message.description,
    )


def environment_out(value: ProductionEnvironment) -> pb.ProductionEnvironment:
    """As a message."""
    return pb.ProductionEnvironment(
        name=names.ENVIRONMENT.make(value.id),
        site=value.site,
        product=value.product,
        process_step=value.process_step,
        equipment=value.equipment,
        description=value.description,
    )


def resource_in(resource_id: str, message: pb.ComputeResource) -> ComputeResource:
    """What a request describes."""
    return ComputeResource(
        resource_id,
        message.description,
        gpus=message.gpus,
        cpus=message.cpus,
        memory_bytes=message.memory_bytes,
        nodes=message.nodes or 1,
    )


def resource_out(value: ComputeResource) -> pb.ComputeResource:
    """As a message."""
    return pb.ComputeResource(
        name=names.RESOURCE.make(value.id),
        description=value.description,
        gpus=value.gpus,
        cpus=value.cpus,
        memory_bytes=value.memory_bytes,
        nodes=value.nodes,
    )
