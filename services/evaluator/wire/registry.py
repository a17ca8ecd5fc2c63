"""The registry as a client: relabelling, mask codes, question banks and versions in production."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

import grpc
from loupe.errors import NotFound
from loupe.registry.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    question_bank_service_pb2,
    question_bank_service_pb2_grpc,
)
from loupe.rpc.authorization import bearer

from services.evaluator.domain.leaderboard import BankRevision
from services.evaluator.domain.relabelling import Mark, MarkOutcome

_DEADLINE_S = 60.0
_PRODUCTION = "production"
_PAGE = 500
_PARALLEL = 8
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


class Banks:
    """`application.leaderboards.BankPort`, with the evaluator's own token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._banks = question_bank_service_pb2_grpc.QuestionBankServiceStub(channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)

    async def bank_revision(self, bank: str, number: int) -> BankRevision:
        """A revision of a bank, the current one if `number` is 0; NotFound."""
        found = await self._banks.GetQuestionBank(question_bank_service_pb2.GetQuestionBankRequest(name=bank))
        revision = found.revision
        if number:
            revision = await self._banks.GetQuestionBankRevision(
                question_bank_service_pb2.GetQuestionBankRevisionRequest(
                    name=f"{found.name}/revisions/{number}"
                )
            )
        return BankRevision(revision.name, found.production_environment)

    async def in_production(self, environment: str, models: Collection[str]) -> dict[str, str]:
        """The versions in production of these models, and of all of the environment, by model."""
        wanted = set(models)
        request = model_service_pb2.ListModelsRequest(page_size=_PAGE, production_environment=environment)
        while True:
            answer = await self._models.ListModels(request)
            wanted.update(model.name for model in answer.models)
            request.page_token = answer.next_page_token
            if not request.page_token:
                break
        parallel = asyncio.Semaphore(_PARALLEL)

        async def version_of(model: str) -> model_pb2.ModelVersion | None:
            request = model_service_pb2.GetModelVersionRequest(name=f"{model}/versions/{_PRODUCTION}")
            async with parallel:
                try:
                    return await self._models.GetModelVersion(request)
                except NotFound:
                    return None

        named = sorted(wanted)
        versions = await asyncio.gather(*map(version_of, named))
        return {
            model: version.name
            for model, version in zip(named, versions, strict=True)
            if version is not None and version.production_environment == environment
        }


def mask_codes_from(channel: grpc.aio.Channel) -> Callable[[str], Awaitable[tuple[str, ...]]]:
    """A function that reads the mask codes of a data path."""
    stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)

    async def mask_codes(data_path: str) -> tuple[str, ...]:
        answer = await stub.GetDataPath(dataset_service_pb2.GetDataPathRequest(name=data_path))
        return tuple(answer.mask_codes)

    return mask_codes
