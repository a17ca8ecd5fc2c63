"""Drafts of the wizard as messages, and back."""

from loupe.errors import InvalidArgument
from loupe.scheduler.v1 import draft_pb2, task_pb2

from services.scheduler.domain.draft import Draft
from services.scheduler.wire.submissions import refuse_output_only
from services.scheduler.wire.values import id_of, timestamp


def draft_id(name: str, field: str = "name") -> str:
    """The id in `drafts/{draft}`; InvalidArgument for any other name."""
    return id_of(name, "drafts", field)


def draft_of(message: draft_pb2.Draft, owner: str) -> Draft:
    """The draft that somebody wants to keep."""
    if not message.HasField("training"):
        raise InvalidArgument(
            "draft.training must hold the answers", reason="NO_SPEC", field="draft.training"
        )
    refuse_output_only(message.training)
    answers = message.training.SerializeToString(deterministic=True)
    return Draft(owner, draft_id(message.name, "draft.name"), answers, message.step)


def draft(value: Draft) -> draft_pb2.Draft:
    """A draft; without answers where nothing is kept."""
    message = draft_pb2.Draft(name=value.name, etag=value.etag, update_time=timestamp(value.update_time))
    if value.revision:
        message.step = value.step
        message.training.CopyFrom(task_pb2.TrainingSpec.FromString(value.training))
    return message
