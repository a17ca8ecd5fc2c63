"""The registry, as marks and pictures need it."""

from collections.abc import Awaitable, Callable, Sequence

import grpc
from loupe.registry.v1 import dataset_pb2, dataset_service_pb2, dataset_service_pb2_grpc
from loupe.rpc.authorization import bearer

from services.evaluator.relabelling.application import Settled
from services.evaluator.relabelling.domain import Mark

_DEADLINE_S = 60.0
_OUTCOME = dataset_pb2.RelabelOutcome


class DataPaths:
    """Data paths with the rights of whoever called us: the registry checks and audits that person (A3)."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self._metadata = (bearer(token),)

    async def relabel(
        self, data_path: str, marks: Sequence[Mark], revision: int
    ) -> tuple[list[Settled], int]:
        """What became of each mark, and the path's revision now."""
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
        settled = [
            Settled(outcome.outcome != _OUTCOME.OUTCOME_REFUSED, outcome.new_file, outcome.message)
            for outcome in answer.outcomes
        ]
        return settled, answer.data_path.revision


def mask_codes_from(channel: grpc.aio.Channel) -> Callable[[str], Awaitable[tuple[str, ...]]]:
    """Asks what a data path declares of its masks."""
    stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)

    async def mask_codes(data_path: str) -> tuple[str, ...]:
        answer = await stub.GetDataPath(dataset_service_pb2.GetDataPathRequest(name=data_path))
        return tuple(answer.mask_codes)

    return mask_codes
