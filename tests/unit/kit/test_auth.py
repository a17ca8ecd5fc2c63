# ruff: noqa: D102 -- the protocol says it

import asyncio
import hashlib
import itertools

import pytest
from loupe.errors import PermissionDenied, Unauthenticated, Unavailable
from loupe.rpc.authorization import bearer

from services.kit.auth import (
    CachingVerifier,
    PolicyTable,
    Principal,
    RefusingVerifier,
    Role,
    RpcPolicy,
    ServiceTokenVerifier,
    acting_as,
    current_principal,
    require,
    token_of,
)

from .echo_service import NAME, descriptor

PEOPLE = [Role.VIEWER, Role.ENGINEER, Role.RELEASER, Role.ADMIN]


@pytest.mark.parametrize(
    ("caller", "required"), list(itertools.product([*PEOPLE, Role.WORKER, Role.SERVICE], Role))
)
def test_every_pair_of_roles(caller: Role, required: Role) -> None:
    """A2: people who may do more may do all that comes before; a process never what only admins may.

    ANYONE is not asked for: a server admits its callers without looking. Asked by mistake, it admits none.
    """
    of_processes = {
        Role.WORKER: {Role.WORKER},
        Role.SERVICE: {Role.ANY_AUTHENTICATED, Role.VIEWER, Role.ENGINEER, Role.WORKER, Role.SERVICE},
    }
    allowed = (
        required in of_processes[caller]
        if caller in of_processes
        else required is Role.ANY_AUTHENTICATED
        or (required in PEOPLE and PEOPLE.index(caller) >= PEOPLE.index(required))
    )
    principal = Principal("ann", caller)
    if allowed:
        require(principal, required)
    else:
        with pytest.raises(PermissionDenied) as caught:
            require(principal, required)
        assert caught.value.facts["required"] == required.name


def test_there_is_no_caller_outside_of_a_call() -> None:
    """A1: code that asks who calls must never get an answer by default."""
    with pytest.raises(Unauthenticated):
        current_principal()
    with acting_as(Principal("ann", Role.VIEWER)):
        assert current_principal().name == "ann"
    with pytest.raises(Unauthenticated):
        current_principal()


@pytest.mark.parametrize(
    "metadata",
    [[], [("authorization", "loupe_1_x")], [("authorization", "Bearer ")], [("authorization", "Basic x")]],
)
def test_no_token_is_no_caller(metadata: list[tuple[str, str]]) -> None:
    with pytest.raises(Unauthenticated):
        token_of(metadata)


def test_a_token_is_read_as_it_was_written() -> None:
    assert token_of([("user-agent", "x"), bearer("loupe_1_x")]) == "loupe_1_x"


class Registry:
    """Knows one token; counts who asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.known = {"t": Principal("ann", Role.ENGINEER, "1")}
        self.away = False
        self.answer = asyncio.Event()
        self.answer.set()

    async def verify(self, token: str) -> Principal:
        self.asked += 1
        await self.answer.wait()
        if self.away:
            raise Unavailable("the registry is away")
        if token not in self.known:
            raise Unauthenticated("unknown token")
        return self.known[token]


async def test_our_own_processes_are_known_without_asking() -> None:
    """A training must go on while the registry is away; and whoever is accepted may change at any call."""
    registry = Registry()
    digest = hashlib.sha256(b"s3cret").hexdigest()
    accepted = {digest: Principal("services/scheduler", Role.SERVICE)}
    verifier = ServiceTokenVerifier(lambda: accepted, registry)
    assert (await verifier.verify("s3cret")).name == "services/scheduler"
    assert registry.asked == 0
    assert (await verifier.verify("t")).name == "ann"
    for other in ("s3cre", digest, ""):
        with pytest.raises(Unauthenticated):
            await verifier.verify(other)
    with pytest.raises(Unauthenticated):
        await ServiceTokenVerifier(lambda: accepted, RefusingVerifier()).verify("t")
    accepted = {}
    with pytest.raises(Unauthenticated):
        await verifier.verify("s3cret")


async def test_a_revoked_token_is_refused_after_the_time_to_live() -> None:
    """A revocation must bite everywhere within a bound that can be told to an auditor."""
    registry, now_s = Registry(), 0.0
    verifier = CachingVerifier(registry, 10.0, lambda: now_s)
    await verifier.verify("t")
    del registry.known["t"]
    now_s = 9.9
    assert (await verifier.verify("t")).name == "ann"
    assert registry.asked == 1
    now_s = 10.0
    with pytest.raises(Unauthenticated):
        await verifier.verify("t")


async def test_when_nobody_can_tell_nobody_passes() -> None:
    """An expired answer is no answer: fail closed, and tell the caller to try again."""
    registry, now_s = Registry(), 0.0
    verifier = CachingVerifier(registry, 10.0, lambda: now_s)
    await verifier.verify("t")
    now_s, registry.away = 11.0, True
    with pytest.raises(Unavailable):
        await verifier.verify("t")


async def test_a_token_made_a_moment_ago_works() -> None:
    registry = Registry()
    verifier = CachingVerifier(registry, 10.0, lambda: 0.0)
    with pytest.raises(Unauthenticated):
        await verifier.verify("new")
    registry.known["new"] = Principal("bob", Role.VIEWER)
    assert (await verifier.verify("new")).name == "bob"


async def test_many_calls_with_one_token_ask_once_and_one_that_hangs_up_harms_nobody() -> None:
    registry = Registry()
    registry.answer.clear()
    verifier = CachingVerifier(registry, 10.0, lambda: 0.0)
    first, *rest = [asyncio.create_task(verifier.verify("t")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    registry.answer.set()
    assert {principal.name for principal in await asyncio.gather(*rest)} == {"ann"}
    assert registry.asked == 1


async def test_the_memory_of_tokens_is_bounded() -> None:
    """Whoever sends made-up tokens must not fill the server's memory; nor whoever has many real ones."""
    registry = Registry()
    registry.known = {str(i): Principal(str(i), Role.VIEWER) for i in range(20)}
    verifier = CachingVerifier(registry, 10.0, lambda: 0.0, max_entries=5)
    for token in registry.known:
        await verifier.verify(token)
    assert len(verifier._known) == 5


def test_the_policy_table_is_the_contracts() -> None:
    table = PolicyTable.from_descriptors([descriptor()])
    assert table.of(f"/{NAME}/Release") == RpcPolicy(Role.RELEASER, audited=True)
    assert table.of(f"/{NAME}/Lease").role is Role.SERVICE
    with pytest.raises(KeyError):
        table.of(f"/{NAME}/Other")


def test_an_rpc_without_a_role_is_refused_by_name() -> None:
    """A2: forgetting the option must not open a door; the server does not start."""
    with pytest.raises(ValueError, match=r"/loupe\.kittest\.v2\.EchoService/Watch"):
        PolicyTable.from_descriptors([descriptor("loupe.kittest.v2.EchoService", without_role="Watch")])


def test_an_rpc_without_an_audit_policy_is_refused_by_name() -> None:
    """A3: forgetting the option must not hide who took a model along."""
    with pytest.raises(ValueError, match=r"audit\) on /loupe\.kittest\.v3\.EchoService/Watch"):
        PolicyTable.from_descriptors([descriptor("loupe.kittest.v3.EchoService", without_audit="Watch")])


def test_only_health_and_reflection_are_public() -> None:
    assert PolicyTable.is_public("/grpc.health.v1.Health/Check")
    assert PolicyTable.is_public("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    assert not PolicyTable.is_public(f"/{NAME}/Who")
