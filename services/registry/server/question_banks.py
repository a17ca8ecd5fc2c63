# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""QuestionBankService."""

from collections.abc import Iterable
from typing import Any

from loupe.registry.v1 import question_bank_pb2 as pb
from loupe.registry.v1 import question_bank_service_pb2 as rpc
from loupe.registry.v1 import question_bank_service_pb2_grpc as rpc_grpc

from services.kit.auth import current_principal
from services.registry.application.question_banks import BankCatalogue, ToldBank
from services.registry.wire import names, paging
from services.registry.wire import question_banks as wire

Context = Any  # grpc.aio's context; no handler touches it


class QuestionBankServicer(rpc_grpc.QuestionBankServiceServicer):
    """Question banks and their revisions."""

    def __init__(self, banks: BankCatalogue) -> None:
        self._banks = banks

    async def CreateQuestionBank(self, request: rpc.CreateQuestionBankRequest, _: Context) -> pb.QuestionBank:
        wanted = request.question_bank
        return _told(
            await self._banks.create(
                request.question_bank_id,
                wire.profile_in(wanted),
                production_environment=names.parse_one(
                    names.ENVIRONMENT, wanted.production_environment, "question_bank.production_environment"
                ),
                paths=_paths(wanted.revision.data_paths, "question_bank.revision.data_paths"),
                caller=current_principal().name,
            )
        )

    async def GetQuestionBank(self, request: rpc.GetQuestionBankRequest, _: Context) -> pb.QuestionBank:
        return _told(await self._banks.get(names.parse_one(names.BANK, request.name)))

    async def ListQuestionBanks(
        self, request: rpc.ListQuestionBanksRequest, _: Context
    ) -> rpc.ListQuestionBanksResponse:
        page = await self._banks.listing(
            paging.BY_ID.page(request),
            production_environment=names.parse_optional(
                names.ENVIRONMENT, request.production_environment, "production_environment"
            ),
            show_archived=request.show_archived,
        )
        return rpc.ListQuestionBanksResponse(
            question_banks=[wire.bank_out(bank) for bank in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def UpdateQuestionBank(self, request: rpc.UpdateQuestionBankRequest, _: Context) -> pb.QuestionBank:
        bank = names.parse_one(names.BANK, request.question_bank.name, "question_bank.name")
        return _told(
            await self._banks.update(
                bank,
                wire.profile_in(request.question_bank),
                fields=frozenset(request.update_mask.paths),
                etag=request.etag,
                caller=current_principal().name,
            )
        )

    async def CreateQuestionBankRevision(
        self, request: rpc.CreateQuestionBankRevisionRequest, _: Context
    ) -> pb.QuestionBank:
        return _told(
            await self._banks.revise(
                names.parse_one(names.BANK, request.parent, "parent"),
                _paths(request.data_paths, "data_paths"),
                etag=request.etag,
                caller=current_principal().name,
            )
        )

    async def GetQuestionBankRevision(
        self, request: rpc.GetQuestionBankRevisionRequest, _: Context
    ) -> pb.QuestionBankRevision:
        return wire.revision_out(await self._banks.revision(*names.parse_bank_revision(request.name)))

    async def ListQuestionBankRevisions(
        self, request: rpc.ListQuestionBankRevisionsRequest, _: Context
    ) -> rpc.ListQuestionBankRevisionsResponse:
        page = await self._banks.revisions(
            names.parse_one(names.BANK, request.parent, "parent"), paging.BANK_REVISIONS.page(request)
        )
        return rpc.ListQuestionBankRevisionsResponse(
            revisions=[wire.revision_out(revision) for revision in page.items],
            next_page_token=paging.BANK_REVISIONS.token(request, page.last_key),
        )

    async def ArchiveQuestionBank(
        self, request: rpc.ArchiveQuestionBankRequest, _: Context
    ) -> pb.QuestionBank:
        return _told(
            await self._banks.archive(
                names.parse_one(names.BANK, request.name),
                archived=not request.restore,
                etag=request.etag,
                caller=current_principal().name,
            )
        )


def _told(value: ToldBank) -> pb.QuestionBank:
    return wire.bank_out(value.bank, value.trained_versions)


def _paths(data_paths: Iterable[str], field: str) -> list[tuple[str, str]]:
    return [names.parse_data_path(path, f"{field}[{index}]") for index, path in enumerate(data_paths)]
