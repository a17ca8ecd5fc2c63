# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""IdentityService."""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from loupe.registry.v1 import identity_pb2 as pb
from loupe.registry.v1 import identity_service_pb2 as rpc
from loupe.registry.v1 import identity_service_pb2_grpc as rpc_grpc

from services.kit.auth import TokenVerifier, current_principal
from services.registry.application.identity import Accounts
from services.registry.application.sessions import LogIns
from services.registry.domain.identity import check_role
from services.registry.wire import identity as wire
from services.registry.wire import names, paging
from services.registry.wire.values import moment

Context = Any  # grpc.aio's context; no handler touches it


class IdentityServicer(rpc_grpc.IdentityServiceServicer):
    """Users, tokens and the audit log."""

    def __init__(self, accounts: Accounts, log_ins: LogIns, verifier: TokenVerifier) -> None:
        self._accounts = accounts
        self._log_ins = log_ins
        self._verifier = verifier

    async def LogIn(self, request: rpc.LogInRequest, _: Context) -> rpc.LogInResponse:
        token, presented = await self._log_ins.log_in(request.user_id, request.password, request.new_password)
        return wire.session_out(token, presented)

    async def LogOut(self, _request: rpc.LogOutRequest, _: Context) -> Empty:
        await self._log_ins.log_out(current_principal())
        return Empty()

    async def ChangePassword(self, request: rpc.ChangePasswordRequest, _: Context) -> Empty:
        await self._log_ins.change_password(current_principal(), request.password, request.new_password)
        return Empty()

    async def ResetPassword(self, request: rpc.ResetPasswordRequest, _: Context) -> rpc.ResetPasswordResponse:
        handed_out = await self._log_ins.reset_password(names.parse_one(names.USER, request.name))
        return rpc.ResetPasswordResponse(one_time_password=handed_out)

    async def UpdateUser(self, request: rpc.UpdateUserRequest, _: Context) -> pb.User:
        user = wire.user_in(names.parse_one(names.USER, request.user.name, "user.name"), request.user)
        by = current_principal().name.removeprefix("users/")
        fields = frozenset(request.update_mask.paths)
        return wire.user_out(await self._accounts.update_user(user, fields, etag=request.etag, by=by))

    async def WhoAmI(self, _request: rpc.WhoAmIRequest, _: Context) -> pb.Principal:
        principal = current_principal()
        return wire.principal_out(principal, await self._accounts.expiry(principal))

    async def Authenticate(self, request: rpc.AuthenticateRequest, _: Context) -> pb.Principal:
        principal = await self._verifier.verify(request.token)
        return wire.principal_out(principal, await self._accounts.expiry(principal))

    async def RecordAuditEntry(self, request: rpc.RecordAuditEntryRequest, _: Context) -> Empty:
        await self._accounts.record(wire.audit_in(request.entry, current_principal().name))
        return Empty()

    async def CreateUser(self, request: rpc.CreateUserRequest, _: Context) -> pb.User:
        return wire.user_out(await self._accounts.create_user(wire.user_in(request.user_id, request.user)))

    async def ListUsers(self, request: rpc.ListUsersRequest, _: Context) -> rpc.ListUsersResponse:
        page = await self._accounts.users(paging.BY_ID.page(request))
        return rpc.ListUsersResponse(
            users=[wire.user_out(user) for user in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def CreateToken(self, request: rpc.CreateTokenRequest, _: Context) -> pb.Token:
        wanted = request.token
        token, presented = await self._accounts.create_token(
            names.parse_one(names.USER, request.parent, "parent"),
            check_role(wire.role_in(wanted.role), "token.role") if wanted.role else None,
            wanted.description,
            moment(wanted, "expire_time"),
            request_id=request.request_id,
        )
        return wire.token_out(token, presented)

    async def ListTokens(self, request: rpc.ListTokensRequest, _: Context) -> rpc.ListTokensResponse:
        page = await self._accounts.tokens(
            names.parse_one(names.USER, request.parent, "parent"), paging.BY_ID.page(request)
        )
        return rpc.ListTokensResponse(
            tokens=[wire.token_out(token) for token in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def RevokeToken(self, request: rpc.RevokeTokenRequest, _: Context) -> pb.Token:
        return wire.token_out(await self._accounts.revoke_token(*names.parse_token(request.name)))

    async def ListAuditEntries(
        self, request: rpc.ListAuditEntriesRequest, _: Context
    ) -> rpc.ListAuditEntriesResponse:
        page = await self._accounts.audit_entries(
            paging.AUDIT_ENTRIES.page(request),
            principal=request.principal or None,
            after=moment(request, "after"),
        )
        return rpc.ListAuditEntriesResponse(
            entries=[wire.audit_out(entry) for entry in page.items],
            next_page_token=paging.AUDIT_ENTRIES.token(request, page.last_key),
        )
