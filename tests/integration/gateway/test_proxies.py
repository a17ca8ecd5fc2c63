"""Whose word on where a caller is the gateway takes."""

import pytest

from gateway.events import StreamLimits
from gateway.settings import HttpSettings
from tests.integration.gateway.installation import installation

FORWARDED = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("trusted", "seen"),
    [((), "127.0.0.1"), (("10.0.0.0/8",), "127.0.0.1"), (("127.0.0.0/8",), "10.9.8.7")],
    ids=["nobody", "another", "the proxy"],
)
async def test_only_a_trusted_proxy_says_where_a_caller_is(trusted: tuple[str, ...], seen: str) -> None:
    """A3: whoever reaches the gateway over loopback could write any address into the audit log."""
    settings = HttpSettings(trusted_proxies=trusted)
    async with installation(StreamLimits(), http_settings=settings) as loupe:
        body = {"task": {"training": {"modelName": "m"}}}
        answer = await loupe.http.post("/v1/tasks", json=body, headers=loupe.as_engineer | FORWARDED)
        assert answer.status_code == 200
    assert loupe.tasks.metadata["x-forwarded-for"] == seen


async def test_connections_of_a_trusted_proxy_are_not_limited() -> None:
    """All of its callers share them; it limits each of them itself."""
    settings = HttpSettings(trusted_proxies=("127.0.0.1",), max_connections_per_address=1)
    async with installation(StreamLimits(), http_settings=settings) as loupe:
        await loupe.tasks.feed(1.0)
        body = {"task": {"training": {"modelName": "m"}}}
        await loupe.http.post("/v1/tasks", json=body, headers=loupe.as_engineer)
        watch = loupe.http.stream("GET", "/v1/tasks/1/loss:watch", headers=loupe.as_viewer)
        async with watch as first, loupe.http.stream("GET", first.url, headers=loupe.as_viewer) as second:
            assert (first.status_code, second.status_code) == (200, 200)


@pytest.mark.parametrize("trusted", ["gateway.fab", "127.0.0.1/8"])
def test_a_proxy_is_named_by_its_address(trusted: str) -> None:
    with pytest.raises(ValueError, match="LOUPE_TRUSTED_PROXIES"):
        HttpSettings(trusted_proxies=(trusted,))
