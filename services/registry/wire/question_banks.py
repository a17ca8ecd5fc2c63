"""Question banks as messages."""

from collections.abc import Sequence

from loupe.registry.v1 import question_bank_pb2 as pb

from services.registry.domain.models import VersionNumber
from services.registry.domain.question_banks import BankProfile, BankRevision, QuestionBank
from services.registry.wire import names
from services.registry.wire.datasets import counts_out
from services.registry.wire.values import timestamp, with_etag


def profile_in(message: pb.QuestionBank) -> BankProfile:
    """What a request says of a bank."""
    return BankProfile(
        message.display_name,
        message.description,
        message.run_after_release,
        names.parse_optional(names.RESOURCE, message.compute_resource, "question_bank.compute_resource"),
        message.run_after_training,
    )


def bank_out(value: QuestionBank, trained: Sequence[tuple[str, VersionNumber]] = ()) -> pb.QuestionBank:
    """As a message. Its etag is that of the bank alone, whichever versions were trained with its paths."""
    message = with_etag(
        pb.QuestionBank(
            name=value.name,
            display_name=value.profile.display_name,
            description=value.profile.description,
            production_environment=names.ENVIRONMENT.make(value.production_environment),
            revision=revision_out(value.revision),
            creator=value.creator,
            create_time=timestamp(value.create_time),
            update_time=timestamp(value.update_time),
            last_modifier=value.last_modifier,
            archived=value.archived,
            run_after_release=value.profile.run_after_release,
            run_after_training=value.profile.run_after_training,
            compute_resource=names.RESOURCE.make(value.profile.compute_resource)
            if value.profile.compute_resource
            else "",
        )
    )
    message.trained_versions.extend(names.model_version(model, number) for model, number in trained)
    return message


def revision_out(value: BankRevision) -> pb.QuestionBankRevision:
    """As a message."""
    return pb.QuestionBankRevision(
        name=names.BANK_REVISION.make(value.bank, value.number),
        number=value.number,
        data_paths=value.data_paths,
        snapshots=value.snapshots,
        sample_count=value.sample_count,
        code_counts=counts_out(value.code_counts),
        creator=value.creator,
        create_time=timestamp(value.create_time),
    )
