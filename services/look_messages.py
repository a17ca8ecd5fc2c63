"""Looks at the validation split as messages of the contracts, and back (E4)."""

from dataclasses import asdict

from google.protobuf.message import Message
from loupe.errors import InvalidArgument
from loupe.registry.v1 import model_pb2

from services.looks import NetworkLooks, TrainingLooks


def to_message(value: TrainingLooks | None) -> model_pb2.TrainingLooks | None:
    """As a message; its fields have the names of the value's."""
    if value is None:
        return None
    return model_pb2.TrainingLooks(
        classification=_network(value.classification), segmentation=_network(value.segmentation)
    )


def _network(value: NetworkLooks | None) -> model_pb2.NetworkLooks | None:
    return None if value is None else model_pb2.NetworkLooks(**asdict(value))


def from_message(holder: Message, field: str = "looks") -> TrainingLooks | None:
    """The value of a field of a message; None where it is absent. InvalidArgument if it is contradictory."""
    if not holder.HasField(field):
        return None
    message: model_pb2.TrainingLooks = getattr(holder, field)
    return TrainingLooks(
        *(
            _network_from(getattr(message, network)) if message.HasField(network) else None
            for network in ("classification", "segmentation")
        )
    )


def _network_from(message: model_pb2.NetworkLooks) -> NetworkLooks:
    value = NetworkLooks(
        max_iteration=message.max_iteration,
        look_count=message.look_count,
        best_iteration=message.best_iteration,
        best_score=message.best_score if message.HasField("best_score") else None,
        last_iteration=message.last_iteration,
        last_score=message.last_score if message.HasField("last_score") else None,
        looks_since_best=message.looks_since_best,
    )
    if not value.is_possible:
        raise InvalidArgument(f"looks contradict themselves: {value}", reason="LOOKS_IMPOSSIBLE")
    return value
