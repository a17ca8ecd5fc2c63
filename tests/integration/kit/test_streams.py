"""Streams on a NATS server that an operator runs: made where they are missing, and then left alone."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loupe.errors import Unavailable

from deploy.embedded.credentials import Credentials, load_or_create
from deploy.embedded.nats import Nats
from deploy.embedded.ports import HOST, assign
from services.kit.messaging import Messaging
from services.kit.streams import ensure_stream
from tests.support.nats_servers import nats_servers, spec_of

GIB = 2**30
HOUR_S = 3600.0
SUBJECTS = ("kit.things.*.state",)


class Installation:
    """One NATS server whose JetStream may store so much."""

    def __init__(self, folder: Path, max_file_store: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._server = Nats(
            folder, port=assign(["nats"], {})["nats"], credentials=load_or_create(folder / "credentials.json")
        )
        self._limit = {"max_file_store": max_file_store}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Messaging]:
        """Start it, connect, and stop it."""
        spec = spec_of(self._server, self._folder, jetstream=self._limit)
        async with (
            nats_servers([spec], self._folder),
            await Messaging.connect(self._server.url) as messaging,
        ):
            yield messaging


async def settings_of(messaging: Messaging, name: str) -> dict[str, Any]:
    answer = await messaging.client.request(f"$JS.API.STREAM.INFO.{name}")
    configuration: dict[str, Any] = json.loads(answer.data)["config"]
    return configuration


async def edit(messaging: Messaging, name: str, **changes: object) -> dict[str, Any]:
    """What an operator does with `nats stream edit`."""
    wanted = {**await settings_of(messaging, name), **changes}
    answer = await messaging.client.request(f"$JS.API.STREAM.UPDATE.{name}", json.dumps(wanted).encode())
    assert "error" not in json.loads(answer.data), answer.data
    return await settings_of(messaging, name)


def without(configuration: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in configuration.items() if name not in names}


async def test_a_reservation_that_fits_once_is_enough_for_every_start(tmp_path: Path) -> None:
    """NATS adds what a creation would reserve to what the stream has: a second start then needs it twice."""
    installation = Installation(tmp_path / "nats", int(1.5 * GIB))
    for start in range(2):
        async with installation.running() as messaging:
            for _ in range(2):  # a service that was killed, its NATS still there
                await ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S, max_bytes=GIB)
            await messaging.publish("kit.things.a.state", b"kept", message_id=f"m{start}")
            info = await messaging.jetstream.stream_info("THINGS")
            assert info.state.messages == start + 1


async def test_the_refusal_of_nats_is_told_in_its_words(tmp_path: Path) -> None:
    """Whoever reads "MESSAGING_UNAVAILABLE" looks for a broken cable, not for a full disk."""
    async with Installation(tmp_path / "nats", GIB).running() as messaging:
        with pytest.raises(Unavailable) as refusal:
            await ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S, max_bytes=2 * GIB)
    assert "stream THINGS" in refusal.value.message
    assert "insufficient storage resources available" in refusal.value.message
    assert "10047" in refusal.value.message
    assert "max_file_store" in refusal.value.message


async def test_what_the_operator_set_stays(nats_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Settings of a stream are the operator's; a service that starts tells what differs, once, as a fact."""
    async with await Messaging.connect(nats_url) as messaging:
        await ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S, max_bytes=GIB)
        edited = await edit(
            messaging,
            "THINGS",
            max_age=int(2 * HOUR_S * 1e9),
            max_bytes=GIB // 2,
            max_msgs_per_subject=7,
            description="kept for the auditors",
            metadata={"owner": "fab 2"},
            compression="s2",
            discard="new",
        )
        caplog.set_level(logging.INFO, logger="services.kit.streams")
        for _ in range(3):
            await ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S, max_bytes=GIB)
        assert await settings_of(messaging, "THINGS") == edited
    (told,) = [r for r in caplog.records if r.__dict__.get("stream") == "THINGS"]
    assert told.levelno == logging.INFO
    assert set(told.__dict__["differs"]) == {"max_age", "max_bytes", "discard"}
    assert told.__dict__["differs"]["max_bytes"] == {"here": GIB // 2, "default": GIB}


async def test_nothing_is_logged_of_a_stream_with_default_settings(
    nats_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A line at every start that says nothing hides the one that says something."""
    caplog.set_level(logging.INFO, logger="services.kit.streams")
    for _ in range(2):
        async with await Messaging.connect(nats_url) as messaging:
            await ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S)
            await ensure_stream(messaging, "BOUND", ("kit.bound",), max_age_s=HOUR_S, max_bytes=GIB)
    assert not [r for r in caplog.records if "stream" in r.__dict__]


@pytest.mark.parametrize(
    ("there", "wanted", "then"),
    [
        (("kit.a",), ("kit.b",), {"kit.a", "kit.b"}),
        (("kit.a", "kit.b"), ("kit.a",), {"kit.a", "kit.b"}),
        (("kit.>",), ("kit.*.state", "kit.*.stage"), {"kit.>"}),
        (("kit.*.*",), ("kit.*.state",), {"kit.*.*"}),
        (("kit.*.state", "lab"), ("kit.>",), {"kit.>", "lab"}),
        (("kit.*",), ("kit.a.b",), {"kit.*", "kit.a.b"}),
    ],
)
async def test_a_stream_gets_the_subjects_that_it_lacks_and_nothing_else(
    nats_url: str, there: tuple[str, ...], wanted: tuple[str, ...], then: set[str]
) -> None:
    """A new version publishes on a new subject; what an operator took into the stream stays in it."""
    async with await Messaging.connect(nats_url) as messaging:
        await ensure_stream(messaging, "THINGS", there, max_age_s=HOUR_S)
        edited = await edit(messaging, "THINGS", max_msgs_per_subject=7, max_age=int(2 * HOUR_S * 1e9))
        await ensure_stream(messaging, "THINGS", wanted, max_age_s=HOUR_S)
        found = await settings_of(messaging, "THINGS")
    assert set(found["subjects"]) == then
    assert without(found, "subjects", "metadata") == without(edited, "subjects", "metadata")


async def test_replicas_that_start_together_make_one_stream(tmp_path: Path) -> None:
    """All look, none finds it, one makes it; to the others the creation is refused although all is well."""
    installation = Installation(tmp_path / "nats", int(1.5 * GIB))
    async with installation.running() as messaging:
        await asyncio.gather(
            *(
                ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S + n, max_bytes=GIB)
                for n in range(5)
            )
        )


@contextlib.asynccontextmanager
async def cluster(root: Path, credentials: Credentials) -> AsyncIterator[Messaging]:
    """Three servers that keep streams together, as an operator runs them."""
    names = [f"nats-{number}" for number in range(3)]
    ports = assign([*names, *(f"{name} cluster" for name in names)], {})
    routes = [f"nats://{HOST}:{ports[f'{name} cluster']}" for name in names]
    servers = {name: Nats(root / name, port=ports[name], credentials=credentials) for name in names}
    specs = [
        replace(
            spec_of(
                server,
                root / name,
                server_name=name,
                cluster={"name": "fab", "listen": f"{HOST}:{ports[f'{name} cluster']}", "routes": routes},
            ),
            name=name,
        )
        for name, server in servers.items()
    ]
    url = ",".join(server.url for server in servers.values())
    async with nats_servers(specs, root), await Messaging.connect(url) as messaging:
        async with asyncio.timeout(60):
            while True:  # until they have elected a leader
                with contextlib.suppress(Unavailable):
                    await ensure_stream(messaging, "ELECTED", ("kit.elected",), max_age_s=HOUR_S, replicas=3)
                    break
                await asyncio.sleep(0.1)
        yield messaging


async def test_a_start_leaves_the_replicas_of_a_cluster_alone(tmp_path: Path) -> None:
    """A service that sets a stream back to one replica undoes the operator's safety, and tells nobody."""
    async with cluster(tmp_path, load_or_create(tmp_path / "credentials.json")) as messaging:
        assert (await settings_of(messaging, "ELECTED"))["num_replicas"] == 3
        await ensure_stream(messaging, "THINGS", SUBJECTS, max_age_s=HOUR_S)
        await edit(messaging, "THINGS", num_replicas=3)
        for subjects in (SUBJECTS, (*SUBJECTS, "kit.more")):
            await ensure_stream(messaging, "THINGS", subjects, max_age_s=HOUR_S)
            found = await settings_of(messaging, "THINGS")
            assert found["num_replicas"] == 3
            assert set(found["subjects"]) == set(subjects)
