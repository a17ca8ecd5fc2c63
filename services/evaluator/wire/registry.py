"""The registry as a client: relabelling samples, and the mask codes of a data path."""

from collections.abc import Awaitable, Callable, Sequence

import grpc
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, dataset_service_pb2_grpc
from loupe.rpc.authorization import bearer

from services.evaluator.domain.relabelling import Mark, MarkOutcome

_DEADLINE_S = 60.0
_OUTCOME = dataset_pb2.RelabelOutcome


class RegistryClient:
    """Calls the registry with the token of our caller: the registry checks and audits that user (A3)."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self._metadata = (bearer(token),)

    async def relabel(
        self, data_path: str, marks: Sequence[Mark], revision: int
    ) -> tuple[list[MarkOutcome], int]:
        """Move the samples to their right codes; the outcome of each mark, and the new revision."""
        answer = await self._stub.RelabelSamples(
            dataset_service_pb2.RelabelSamplesRequest(
                parent=data_path,
                relabels=[
                    dataset_pb2.SampleRelabel(file=mark.file, sha256=mark.sha256, code=mark.right_code)
                    for mark in marks
                ],
                revision=revision,
            ),
            timeout=_DEADLINE_S,
            metadata=self._metadata,
        )
        outcomes = [
            MarkOutcome(outcome.outcome != _OUTCOME.OUTCOME_REFUSED, outcome.new_file, outcome.message)
            for outcome in answer.outcomes
        ]
        return outcomes, answer.data_path.revision


def mask_codes_from(channel: grpc.aio.Channel) -> Callable[[str], Awaitable[tuple[str, ...]]]:
    """A function that reads the mask codes of a data path."""
    stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)

    async def mask_codes(data_path: str) -> tuple[str, ...]:
        answer = await stub.GetDataPath(dataset_service_pb2.GetDataPathRequest(name=data_path))
        return tuple(answer.mask_codes)

    return mask_codes
