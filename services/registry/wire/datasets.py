"""Datasets, data paths, samples and snapshots as messages."""

from collections.abc import Iterable

from loupe.groups import group_key
from loupe.registry.v1 import dataset_pb2 as pb
from loupe.translation import Sentence

from services.registry.domain.candidates import Candidate, CandidateOutcome, SampleOutcome
from services.registry.domain.datasets import CodeParts, DataPath, Dataset, DeletedDataPath, Snapshot
from services.registry.domain.relabelling import Relabel, RelabelOutcome
from services.registry.domain.samples import CodeCount, Sample
from services.registry.wire import names
from services.registry.wire.values import timestamp

_OUTCOMES = {
    CandidateOutcome.ADDED: pb.SampleOutcome.OUTCOME_ADDED,
    CandidateOutcome.UNCHANGED: pb.SampleOutcome.OUTCOME_UNCHANGED,
    CandidateOutcome.REPLACED: pb.SampleOutcome.OUTCOME_REPLACED,
    CandidateOutcome.REJECTED: pb.SampleOutcome.OUTCOME_REJECTED,
}


def dataset_out(value: Dataset) -> pb.Dataset:
    """As a message."""
    return pb.Dataset(
        name=names.DATASET.make(value.id),
        description=value.description,
        path_count=value.path_count,
        sample_count=value.sample_count,
        create_time=timestamp(value.create_time),
        creator=value.creator,
    )


def path_out(value: DataPath) -> pb.DataPath:
    """As a message."""
    return pb.DataPath(
        name=names.DATA_PATH.make(value.dataset, value.id),
        description=value.description,
        status=pb.DATA_PATH_STATUS_VALID if value.valid else pb.DATA_PATH_STATUS_INVALID,
        sample_count=value.sample_count,
        code_counts=counts_out(value.code_counts),
        mask_count=value.mask_count,
        revision=value.revision,
        create_time=timestamp(value.create_time),
        update_time=timestamp(value.update_time),
        mask_codes=value.mask_codes,
        owner=value.owner,
        bits=value.bits or 0,
        question_banks=[names.BANK.make(bank) for bank in value.question_banks],
    )


def deleted_path_out(value: DeletedDataPath) -> pb.DeletedDataPath:
    """As a message."""
    return pb.DeletedDataPath(
        name=value.name,
        data_path=path_out(value.path),
        delete_time=timestamp(value.delete_time),
        deleter=value.deleter,
        purge_time=timestamp(value.purge_time),
    )


def sample_out(value: Sample) -> pb.Sample:
    """As a message."""
    return pb.Sample(
        file=value.file,
        code=value.code,
        sha256=value.image.sha256,
        size_bytes=value.image.size_bytes,
        width=value.image.width,
        height=value.image.height,
        format=value.image.format,
        mask_sha256=value.mask_sha256 or "",
        group=value.group or "",
        create_time=timestamp(value.create_time),
    )


def snapshot_out(value: Snapshot) -> pb.Snapshot:
    """As a message."""
    return pb.Snapshot(
        name=names.SNAPSHOT.make(value.dataset, value.path, value.sha256),
        sha256=value.sha256,
        sample_count=sum(count.sample_count for count in value.code_counts),
        code_counts=counts_out(value.code_counts),
        create_time=timestamp(value.create_time),
    )


def code_parts_out(value: CodeParts) -> pb.CodeParts:
    """As a message."""
    return pb.CodeParts(
        code=value.code,
        sample_count=value.sample_count,
        part_count=value.part_count,
        tied_codes=sorted(value.tied_codes),
    )


def candidate_in(message: pb.SampleCandidate) -> Candidate:
    """What an importer offers."""
    group = group_key(message.group) or None
    return Candidate(message.file, message.sha256, message.mask_sha256 or None, group)


def outcome_out(value: SampleOutcome) -> pb.SampleOutcome:
    """As a message."""
    reason, told = "", Sentence("", "")
    if value.rejection is not None:
        reason, told = value.rejection.reason.value, value.rejection.told
    elif value.doubt is not None:
        reason, told = value.doubt.value, value.doubt.told
    return pb.SampleOutcome(
        file=value.file,
        outcome=_OUTCOMES[value.outcome],
        reason=reason,
        message=told.english,
        message_zh=told.chinese,
        same_pixels_under_other_codes=value.same_pixels.under_other_codes,
        same_pixels_in_other_paths=value.same_pixels.in_other_paths,
        same_pixels_under_same_code=value.same_pixels.under_same_code,
    )


def relabel_in(message: pb.SampleRelabel) -> Relabel:
    """What a caller wants."""
    return Relabel(message.file, message.sha256, message.code)


def relabel_outcome_out(value: RelabelOutcome) -> pb.RelabelOutcome:
    """As a message."""
    return pb.RelabelOutcome(
        file=value.file,
        outcome=pb.RelabelOutcome.Outcome.Value(f"OUTCOME_{value.result}"),
        new_file=value.new_file,
        reason=value.reason,
        message=value.message,
        message_zh=value.message_zh,
    )


def counts_out(counts: Iterable[CodeCount]) -> list[pb.CodeCount]:
    """Counts by code as messages."""
    return [
        pb.CodeCount(code=count.code, sample_count=count.sample_count, mask_count=count.mask_count)
        for count in counts
    ]
