"""A fab's environment names a proxy, for pip: no store is asked through it (whole stacks: `tests/e2e`)."""

import urllib.request
from pathlib import Path

import pytest
from loupe.settings import load

from deploy.embedded.readiness import answers_http
from deploy.embedded.seaweed import ObjectStoreSettings as Embedded
from services.kit.database import Database
from services.kit.messaging import Messaging
from services.kit.object_store import ObjectStore, ObjectStoreSettings
from services.kit.signals import Signals
from services.kit.streams import ensure_stream
from tests.support.waiting import eventually

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell has it that forgot `no_proxy`."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "ws_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.setenv(variable, NOBODY)
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    # What follows the environment would fail.
    assert urllib.request.getproxies()["http"] == NOBODY


@pytest.mark.usefixtures("dead_proxy")
async def test_the_stores_are_reached_directly(
    postgres_url: str, nats_url: str, object_store_settings: Embedded, migrations: Path
) -> None:
    """Work and wake-ups, events, objects and the looks of `loupe up` at what it starts."""
    async with Database(postgres_url, "kit") as database, Signals(postgres_url) as signals:
        await database.migrate(migrations)
        await eventually(lambda: signals.connected)
    async with await Messaging.connect(nats_url, timeout_s=10) as messaging:
        await ensure_stream(messaging, "THINGS", ("kit.things.*",), max_age_s=3600.0)
        await messaging.publish("kit.things.a", b"x", message_id="1")
    async with ObjectStore(load(ObjectStoreSettings, object_store_settings.environment())) as store:
        await store.put_bytes("a", b"x")
        assert await store.get_bytes("a", max_bytes=1) == b"x"
    host, _, port = object_store_settings.endpoint.rpartition(":")
    assert await answers_http(host, int(port), "/healthz")
