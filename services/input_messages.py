"""Input specifications as messages of the contracts, and back."""

from dataclasses import asdict

from google.protobuf import json_format
from loupe.registry.v1 import algorithm_image_pb2

from services.input_specification import InputSpecification


def to_message(value: InputSpecification) -> algorithm_image_pb2.InputSpecification:
    """As a message; its fields have the names of the value's."""
    return algorithm_image_pb2.InputSpecification(**asdict(value))


def from_message(message: algorithm_image_pb2.InputSpecification) -> InputSpecification:
    """The value of a message, with the default for what is 0 or empty.

    The contract has float32, which is not 0.485. As JSON a float is the shortest number that gives it.
    """
    return InputSpecification.from_json(json_format.MessageToDict(message, preserving_proto_field_name=True))
