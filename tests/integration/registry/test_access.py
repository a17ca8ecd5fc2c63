"""Tokens, roles and the audit log (A1 to A3)."""

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from loupe.access.v1 import access_pb2
from loupe.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    LoupeError,
    PermissionDenied,
    Unauthenticated,
)
from loupe.registry.v1 import (
    dataset_service_pb2,
    identity_pb2,
    identity_service_pb2,
    master_data_service_pb2,
    model_service_pb2,
)
from loupe.rpc.channel import connect

from gateway.contracts import all_services
from tests.support.tokens import token_of
from tests.support.wall_clock import WallClock, service_under

from .conftest import Caller, Registry, run_registry, version_of


async def who(caller: Caller) -> identity_pb2.Principal:
    return await caller.identity.WhoAmI(identity_service_pb2.WhoAmIRequest())


async def new_user(registry: Registry, role: int = access_pb2.ROLE_ENGINEER, **values: object) -> str:
    user_id = f"u-{secrets.token_hex(4)}"
    made = await registry.admin.identity.CreateUser(
        identity_service_pb2.CreateUserRequest(user_id=user_id, user=identity_pb2.User(role=role, **values))
    )
    return str(made.name)


async def new_token(registry: Registry, user: str, **values: object) -> identity_pb2.Token:
    return await registry.admin.identity.CreateToken(
        identity_service_pb2.CreateTokenRequest(parent=user, token=identity_pb2.Token(**values))
    )


async def audit(registry: Registry, **filters: object) -> list[identity_pb2.AuditEntry]:
    answer = await registry.admin.identity.ListAuditEntries(
        identity_service_pb2.ListAuditEntriesRequest(page_size=1000, **filters)
    )
    return list(answer.entries)


async def test_the_bootstrap_token_is_the_admins(registry: Registry) -> None:
    """The first person in must get in, and be somebody."""
    principal = await who(registry.admin)
    assert (principal.name, principal.role) == ("users/admin", access_pb2.ROLE_ADMIN)
    assert principal.token.startswith("users/admin/tokens/")
    assert (await who(registry.service)).name == "services/scheduler"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (None, "TOKEN_MISSING"),
        ("nonsense", "TOKEN_UNKNOWN"),
        ("loupe_admin_" + "0" * 48, "TOKEN_UNKNOWN"),
        ("loupe_0123456789abcdef_" + "x" * 43, "TOKEN_UNKNOWN"),
        ("loupe_' OR 1=1_" + "x" * 43, "TOKEN_UNKNOWN"),
    ],
)
async def test_a_call_without_a_valid_token_is_refused(
    registry: Registry, token: str | None, reason: str
) -> None:
    """A1: and a wrong secret reads as an unknown token, so that ids cannot be probed."""
    with pytest.raises(Unauthenticated) as refused:
        await who(registry.caller(token))
    assert refused.value.reason == reason


async def test_a_revoked_token_stops_at_once(registry: Registry) -> None:
    """A1: the registry remembers no verification; other services follow within their cache's ten seconds."""
    token = await new_token(registry, await new_user(registry))
    caller = registry.caller(token.secret)
    await who(caller)
    revoked = await registry.admin.identity.RevokeToken(
        identity_service_pb2.RevokeTokenRequest(name=token.name)
    )
    assert revoked.revoked
    with pytest.raises(Unauthenticated) as refused:
        await who(caller)
    assert refused.value.reason == "TOKEN_REVOKED"


async def test_a_token_expires(registry: Registry) -> None:
    """A1: ninety days unless said otherwise; then it is worth nothing."""
    user = await new_user(registry)
    token = await new_token(registry, user)
    life = token.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(days=89) < life <= timedelta(days=90)
    async with registry.database.sessions.begin() as session:
        await session.execute(
            sa.text("UPDATE tokens SET expire_time = now() - interval '1 second' WHERE id = :id"),
            {"id": token.name.rpartition("/")[2]},
        )
    with pytest.raises(Unauthenticated) as refused:
        await who(registry.caller(token.secret))
    assert refused.value.reason == "TOKEN_EXPIRED"
    past = identity_pb2.Token()
    past.expire_time.FromDatetime(datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(InvalidArgument):
        await registry.admin.identity.CreateToken(
            identity_service_pb2.CreateTokenRequest(parent=user, token=past)
        )


async def test_the_secret_is_shown_once_and_kept_as_a_digest(registry: Registry) -> None:
    """A1: whoever reads the database, or lists tokens, learns no secret."""
    user = await new_user(registry)
    token = await new_token(registry, user)
    listed = await registry.admin.identity.ListTokens(identity_service_pb2.ListTokensRequest(parent=user))
    assert [item.secret for item in listed.tokens] == [""]
    secret = token.secret.split("_", 2)[2].encode()
    async with registry.database.sessions.begin() as session:
        rows = (await session.execute(sa.text("SELECT tokens::text FROM tokens"))).scalars().all()
    assert rows
    assert not any(secret.decode() in row or secret.hex() in row for row in rows)


async def test_a_repeated_wish_for_a_token_leaves_one(registry: Registry) -> None:
    """A1: the answer was lost, and with it the secret; a token that nobody has must not live on."""
    user = await new_user(registry)

    async def made(**fields: object) -> identity_pb2.Token:
        request = identity_service_pb2.CreateTokenRequest(parent=user, request_id="line 3", **fields)
        return await registry.admin.identity.CreateToken(request)

    lost, token = await made(), await made()
    assert (token.name, token.secret != lost.secret) == (lost.name, True)
    assert (await who(registry.caller(token.secret))).name == user
    with pytest.raises(Unauthenticated):
        await who(registry.caller(lost.secret))
    both = await asyncio.gather(made(), made())
    assert {one.name for one in both} == {token.name}
    other = await new_user(registry)
    request = identity_service_pb2.CreateTokenRequest(parent=other, request_id="line 3")
    assert (await registry.admin.identity.CreateToken(request)).name != token.name
    # What was revoked stays so, however late a repetition comes.
    await registry.admin.identity.RevokeToken(identity_service_pb2.RevokeTokenRequest(name=token.name))
    with pytest.raises(FailedPrecondition) as refused:
        await made()
    assert refused.value.reason == "TOKEN_REVOKED"
    with pytest.raises(InvalidArgument):
        await registry.admin.identity.CreateToken(
            identity_service_pb2.CreateTokenRequest(parent=user, request_id="x" * 65)
        )


async def test_i1_who_saw_a_user_as_it_was_does_not_overwrite_what_it_became(registry: Registry) -> None:
    """Two administrators with one page open: the second is told to read again."""
    seen = await registry.admin.identity.CreateUser(
        identity_service_pb2.CreateUserRequest(
            user_id=f"u-{secrets.token_hex(4)}", user=identity_pb2.User(role=access_pb2.ROLE_VIEWER)
        )
    )

    async def change(etag: str, **fields: object) -> identity_pb2.User:
        return await registry.admin.identity.UpdateUser(
            identity_service_pb2.UpdateUserRequest(
                user=identity_pb2.User(name=seen.name, role=access_pb2.ROLE_VIEWER, **fields), etag=etag
            )
        )

    changed = await change(seen.etag, display_name="Li")
    assert changed.etag not in {"", seen.etag}
    with pytest.raises(Aborted) as refused:
        await change(seen.etag, disabled=True)
    assert refused.value.reason == "RESOURCE_CHANGED"
    outcomes = await asyncio.gather(
        *(change(changed.etag, display_name=f"Li {n}") for n in range(4)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["Aborted", "Aborted", "Aborted", "User"]
    assert (await change("", display_name="Wang")).display_name == "Wang"


async def test_a_token_does_no_more_than_its_user(registry: Registry) -> None:
    """A2: neither when it is made nor after the user's role was lowered."""
    user = await new_user(registry, access_pb2.ROLE_RELEASER)
    with pytest.raises(InvalidArgument) as refused:
        await new_token(registry, user, role=access_pb2.ROLE_ADMIN)
    assert refused.value.violations[0].reason == "ROLE_TOO_HIGH"
    with pytest.raises(InvalidArgument):
        await new_token(registry, user, role=access_pb2.ROLE_SERVICE)
    low = await new_token(registry, user, role=access_pb2.ROLE_VIEWER)
    assert (await who(registry.caller(low.secret))).role == access_pb2.ROLE_VIEWER
    high = await new_token(registry, user)
    async with registry.database.sessions.begin() as session:
        await session.execute(
            sa.text("UPDATE users SET role = 2 WHERE id = :id"), {"id": user.removeprefix("users/")}
        )
    assert (await who(registry.caller(high.secret))).role == access_pb2.ROLE_VIEWER


async def test_a_disabled_user_is_out(registry: Registry) -> None:
    """A1: with every token at once."""
    token = await new_token(registry, await new_user(registry, disabled=True))
    with pytest.raises(Unauthenticated) as refused:
        await who(registry.caller(token.secret))
    assert refused.value.reason == "USER_DISABLED"


async def test_other_services_ask_who_a_token_is(registry: Registry, engineer: Caller) -> None:
    """A1: `Authenticate` is for services; a person cannot use it to try tokens."""
    user = await new_user(registry)
    token = await new_token(registry, user)
    request = identity_service_pb2.AuthenticateRequest(token=token.secret)
    told = await registry.service.identity.Authenticate(request)
    assert (told.name, told.role, told.token) == (user, access_pb2.ROLE_ENGINEER, token.name)
    with pytest.raises(PermissionDenied):
        await engineer.identity.Authenticate(request)
    with pytest.raises(Unauthenticated):
        await registry.service.identity.Authenticate(identity_service_pb2.AuthenticateRequest(token="x"))  # noqa: S106


async def test_roles_end_where_the_table_says(registry: Registry, viewer: Caller, engineer: Caller) -> None:
    """A2: a viewer changes nothing, an engineer keeps no master data, only services number releases."""
    with pytest.raises(PermissionDenied) as refused:
        await viewer.data.CreateDataset(dataset_service_pb2.CreateDatasetRequest(dataset_id="x"))
    assert refused.value.facts["required"] == "ENGINEER"
    with pytest.raises(PermissionDenied):
        await engineer.master_data.CreateComputeResource(
            master_data_service_pb2.CreateComputeResourceRequest(compute_resource_id="x")
        )
    with pytest.raises(PermissionDenied):
        await registry.admin.models.CreateModelVersion(
            model_service_pb2.CreateModelVersionRequest(parent="models/m", version=version_of("tasks/t"))
        )
    with pytest.raises(PermissionDenied):
        await engineer.identity.ListAuditEntries(identity_service_pb2.ListAuditEntriesRequest())


async def test_a2_a_worker_calls_what_workers_need_and_nothing_else(registry: Registry) -> None:
    """A picture that takes over a trainer's child or the trainer itself must not become an administrator."""
    worker = registry.caller(token_of("trainer", registry.environment["LOUPE_SERVICE_TOKENS_DIR"]))
    admitted = set()
    for service in all_services():
        if not service.full_name.startswith(("loupe.registry.", "loupe.server.")):
            continue
        for method in service.methods:
            assert not method.client_streaming
            kind = worker.channel.unary_stream if method.server_streaming else worker.channel.unary_unary
            call = kind(f"/{service.full_name}/{method.name}")(b"")
            try:
                await (anext(aiter(call)) if method.server_streaming else call)
            except PermissionDenied:
                continue
            except LoupeError:
                admitted.add(method.name)
            else:
                admitted.add(method.name)
    # Whoever logs in shows no token.
    assert admitted == {"Authenticate", "RecordAuditEntry", "LogIn"}


async def test_a2_a_service_makes_nobody_an_administrator(registry: Registry) -> None:
    """The scheduler reads, pins data and numbers releases; users, tokens and aliases are people's."""
    identity, models = registry.service.identity, registry.service.models
    for call, request in (
        (identity.CreateUser, identity_service_pb2.CreateUserRequest(user_id="x")),
        (identity.CreateToken, identity_service_pb2.CreateTokenRequest(parent="users/admin")),
        (identity.ResetPassword, identity_service_pb2.ResetPasswordRequest(name="users/admin")),
        (models.SetAlias, model_service_pb2.SetAliasRequest(name="models/m/versions/v3.01")),
    ):
        with pytest.raises(PermissionDenied):
            await call(request)
    evaluator = registry.caller(token_of("evaluator", registry.environment["LOUPE_SERVICE_TOKENS_DIR"]))
    for call, request in (
        (evaluator.models.CreateModelVersion, model_service_pb2.CreateModelVersionRequest()),
        (evaluator.models.RecordPackage, model_service_pb2.RecordPackageRequest()),
    ):
        with pytest.raises(PermissionDenied, match="only services/scheduler"):
            await call(request)
    refused = await audit(registry, principal="services/scheduler")
    assert {(entry.action.rpartition("/")[2], entry.result) for entry in refused} >= {
        ("CreateToken", "PERMISSION_DENIED"),
        ("SetAlias", "PERMISSION_DENIED"),
    }


async def test_a3_an_entry_that_a_process_tells_names_that_process(registry: Registry) -> None:
    """Whoever took over a worker can still tell lies about others, but not in another's name."""
    worker = registry.caller(token_of("trainer", registry.environment["LOUPE_SERVICE_TOKENS_DIR"]))
    lie = identity_pb2.AuditEntry(
        principal="users/admin",
        action="loupe.registry.v1.IdentityService/CreateToken",
        result="OK",
        peer="ipv4:10.0.0.1:1",
        reporter="services/scheduler",
    )
    await worker.identity.RecordAuditEntry(identity_service_pb2.RecordAuditEntryRequest(entry=lie))
    newest = (await audit(registry, principal="users/admin"))[0]
    assert (newest.peer, newest.reporter) == (lie.peer, "services/trainer")
    user = await new_user(registry)
    own = (await audit(registry, principal="users/admin"))[0]
    assert (own.resource, own.reporter) == (user, "")


async def test_no_entry_of_the_audit_log_is_too_long_to_be_read(registry: Registry) -> None:
    """A page of a worker's made-up entries would be larger than a message, and no one could delete them."""
    worker = registry.caller(token_of("trainer", registry.environment["LOUPE_SERVICE_TOKENS_DIR"]))
    for field in ("principal", "action", "resource", "result", "peer"):
        entry = identity_pb2.AuditEntry(**{field: "缺" * 501})
        with pytest.raises(InvalidArgument) as refused:
            await worker.identity.RecordAuditEntry(identity_service_pb2.RecordAuditEntryRequest(entry=entry))
        assert [(one.field, one.reason) for one in refused.value.violations] == [
            (f"entry.{field}", "TOO_LONG")
        ]


async def test_users_have_roles_that_can_be_had(registry: Registry) -> None:
    """A2: SERVICE and WORKER are no person's, and no role is no user."""
    for role in (
        *(access_pb2.ROLE_SERVICE, access_pb2.ROLE_WORKER),
        *(access_pb2.ROLE_UNSPECIFIED, access_pb2.ROLE_ANY_AUTHENTICATED),
    ):
        with pytest.raises(InvalidArgument):
            await new_user(registry, role)
    user = await new_user(registry)
    with pytest.raises(AlreadyExists):
        await registry.admin.identity.CreateUser(
            identity_service_pb2.CreateUserRequest(
                user_id=user.removeprefix("users/"), user=identity_pb2.User(role=access_pb2.ROLE_VIEWER)
            )
        )


async def test_changes_and_refusals_are_audited_and_looking_is_not(registry: Registry) -> None:
    """A3: who did what, when, from where, with what result."""
    viewer = await registry.with_role(access_pb2.ROLE_VIEWER)
    name = (await who(viewer)).name
    engineer = await registry.with_role(access_pb2.ROLE_ENGINEER)
    maker = (await who(engineer)).name
    dataset = f"audited-{secrets.token_hex(4)}"
    began = datetime.now(UTC)
    await engineer.data.CreateDataset(dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset))
    with pytest.raises(AlreadyExists):
        await engineer.data.CreateDataset(dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset))
    await viewer.data.ListDatasets(dataset_service_pb2.ListDatasetsRequest())
    with pytest.raises(PermissionDenied):
        await viewer.data.CreateDataset(dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset))
    with pytest.raises(Unauthenticated):
        await registry.caller("loupe_x_" + "y" * 40).data.ListDatasets(
            dataset_service_pb2.ListDatasetsRequest()
        )
    create = "loupe.registry.v1.DatasetService/CreateDataset"
    made = [(entry.action, entry.resource, entry.result) for entry in await audit(registry, principal=maker)]
    assert made == [(create, dataset, "ALREADY_EXISTS"), (create, f"datasets/{dataset}", "OK")]
    refused = await audit(registry, principal=name)
    assert [(entry.action, entry.result) for entry in refused] == [(create, "PERMISSION_DENIED")]
    assert refused[0].peer.startswith(("ipv4:127.0.0.1:", "ipv6:"))
    since = identity_service_pb2.ListAuditEntriesRequest(page_size=1000)
    since.after.FromDatetime(began)
    newest = (await registry.admin.identity.ListAuditEntries(since)).entries
    assert (newest[0].principal, newest[0].result) == ("", "UNAUTHENTICATED")
    assert all(entry.time.ToDatetime(UTC) > began for entry in newest)


async def test_the_audit_log_only_grows(registry: Registry) -> None:
    """A3: not even the service's own database role changes a line."""
    await new_user(registry)
    assert await audit(registry)
    for statement in (
        "UPDATE audit_entries SET result = 'OK'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            async with registry.database.sessions.begin() as session:
                await session.execute(sa.text(statement))


async def test_starting_again_changes_nothing(service_environment: dict[str, str]) -> None:
    """Migrations, seeds and the bootstrap token are idempotent; a revoked bootstrap token stays revoked."""
    tables = ("users", "tokens", "algorithm_images", "algorithm_image_versions", "compute_resources")
    counting = sa.text("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables))  # noqa: S608
    counts = []
    for _ in range(2):
        async for registry in run_registry(service_environment):
            async with registry.database.sessions.begin() as session:
                counts.append(tuple((await session.execute(counting)).one()))
    assert counts == [(1, 1, 3, 3, 2)] * 2
    async for registry in run_registry(service_environment):
        token = (await who(registry.admin)).token
        await registry.admin.identity.RevokeToken(identity_service_pb2.RevokeTokenRequest(name=token))
    async for registry in run_registry(service_environment):
        with pytest.raises(Unauthenticated):
            await who(registry.admin)


async def test_many_callers_at_once_are_all_recognised(registry: Registry) -> None:
    """Verification asks the database on every call: it must not run out of connections under a burst."""
    token = await new_token(registry, await new_user(registry))
    caller = registry.caller(token.secret)
    names = await asyncio.gather(*(who(caller) for _ in range(200)))
    assert len({principal.name for principal in names}) == 1


@pytest.mark.parametrize("ahead_s", [600, -600], ids=["ahead", "behind"])
async def test_tokens_and_audit_go_by_postgresqls_clock(
    registry: Registry, tmp_path: Path, ahead_s: float
) -> None:
    """A1, A3: two registries whose clocks differ agree on who may come in, and on when something was done."""
    user = await new_user(registry)
    settings = {**registry.environment, "LOUPE_MAX_CLOCK_SKEW_S": "3600"}
    admin = registry.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"]
    clock = WallClock(tmp_path / "clock", ahead_s)
    async with service_under(clock, "services.registry", settings, tmp_path / "log") as address:
        other = replace(registry, address=address, admin=Caller(connect(address, lambda: admin)))
        began = await registry.database.sessions.time()
        token = await new_token(other, user, expire_time=began + timedelta(minutes=5))
        assert (await who(other.caller(token.secret))).name == user
        assert began <= token.create_time.ToDatetime(UTC) <= began + timedelta(minutes=5)
        async with registry.database.sessions.begin() as session:
            await session.execute(
                sa.text("UPDATE tokens SET expire_time = now() WHERE user_id = :user"),
                {"user": user.removeprefix("users/")},
            )
        for asked in (registry, other):
            with pytest.raises(Unauthenticated) as refused:
                await who(asked.caller(token.secret))
            assert refused.value.reason == "TOKEN_EXPIRED"
        entries = [entry for entry in await audit(registry) if entry.resource.startswith(user)]
        now = await registry.database.sessions.time()
        assert entries[0].action.endswith("CreateToken")
        assert began <= entries[0].time.ToDatetime(UTC) <= now
