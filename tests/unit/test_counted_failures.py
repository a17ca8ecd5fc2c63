"""Calls that fail, in the audit log: some lines, then one with a count (A3)."""

import pytest
from loupe.registry.v1.identity_pb2 import AuditEntry

from services.counted_failures import ALL_OWN_LINES, OWN_LINES, FailureCounter
from services.kit.auth import Principal, Role
from services.kit.grpc_server import ServedCall


def call(
    code: str = "UNAUTHENTICATED",
    *,
    address: str = "10.0.0.1",
    principal: Principal | None = None,
    method: str = "loupe.A/B",
    request: object = None,
) -> ServedCall:
    return ServedCall(
        method=method,
        audited=True,
        principal=principal,
        code=code,
        peer=f"ipv4:{address}:5000",
        address=address,
        request=request,
        answer=None,
        facts={},
    )


async def lines_of(counter: FailureCounter) -> list[AuditEntry]:
    written: list[AuditEntry] = []

    async def write(line: AuditEntry) -> None:
        written.append(line)

    await counter.record(write)
    return written


async def test_a_flood_of_made_up_tokens_is_one_line_an_interval() -> None:
    """At 102 lines a second an address wrote 3.3 GB a day."""
    counter = FailureCounter()
    own = [counter.own_line(call()) for _ in range(10_000)]
    assert own == [True] * OWN_LINES + [False] * (10_000 - OWN_LINES)
    (line,) = await lines_of(counter)
    assert (line.principal, line.action, line.result, line.peer) == (
        "",
        "loupe.A/B",
        "UNAUTHENTICATED",
        "10.0.0.1",
    )
    assert line.resource == f"count={10_000 - OWN_LINES}"
    assert counter.own_line(call())
    assert await lines_of(counter) == []


async def test_many_addresses_cannot_write_more_than_one_disk_takes() -> None:
    """Whoever has a network of addresses is counted with all others."""
    counter = FailureCounter()
    addresses = [f"10.{n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(20_000)]
    own = sum(counter.own_line(call(address=address)) for address in addresses)
    assert own == ALL_OWN_LINES
    lines = await lines_of(counter)
    assert len(lines) == 1001
    assert sum(int(line.resource.removeprefix("count=")) for line in lines) == len(addresses) - own
    assert lines[-1].peer == "several"


async def test_a_users_failures_are_counted_under_the_user() -> None:
    """Whatever address they come from; others and the services keep their lines."""
    vera, worker = Principal("users/vera", Role.VIEWER), Principal("service", Role.SERVICE)
    counter = FailureCounter()
    for number in range(OWN_LINES + 2):
        method = f"loupe.A/{number}"
        counter.own_line(call("PERMISSION_DENIED", principal=vera, address=f"10.0.0.{number}", method=method))
    assert counter.own_line(call("OK", principal=vera))
    assert counter.own_line(call())
    assert all(counter.own_line(call("NOT_FOUND", principal=worker)) for _ in range(2 * OWN_LINES))
    (line,) = await lines_of(counter)
    assert (line.principal, line.action, line.result, line.resource) == (
        "users/vera",
        "several",
        "PERMISSION_DENIED",
        "count=2",
    )


async def test_counts_that_cannot_be_written_stay() -> None:
    """The registry may be away when an interval ends."""
    counter = FailureCounter()
    for _ in range(OWN_LINES + 1):
        counter.own_line(call())

    async def away(_line: AuditEntry) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await counter.record(away)
    assert [line.resource for line in await lines_of(counter)] == ["count=1"]


async def test_a_change_whose_caller_gave_up_is_never_only_counted() -> None:
    """It may be done: who deletes data paths after fifty refused calls must not do so without their names."""
    counter = FailureCounter()
    engineer = Principal("users/a", Role.ENGINEER, "t")
    for _ in range(2 * OWN_LINES):
        counter.own_line(call("PERMISSION_DENIED", principal=engineer))
    assert counter.own_line(call("CANCELLED", principal=engineer, request=AuditEntry()))
    assert not counter.own_line(call("CANCELLED", principal=engineer))
    for _ in range(2 * OWN_LINES):
        counter.own_line(call())
    assert not counter.own_line(call("CANCELLED", request=AuditEntry()))
