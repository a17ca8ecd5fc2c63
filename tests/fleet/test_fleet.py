"""Two replicas of each server on hosts of their own, with an operator's PostgreSQL, NATS and S3."""

import asyncio
import hashlib
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from loupe.errors import Unavailable
from loupe.registry.v1 import algorithm_image_service_pb2, identity_service_pb2
from loupe.scheduler.v1 import task_pb2

from services.kit.messaging import Messaging, named_errors
from services.registry import seeds
from tests.console.__main__ import CONSOLE, PLAYWRIGHT
from tests.fleet.callers import Noted, calling
from tests.fleet.fab import PANELS, Fab
from tests.fleet.installation import OFFICE, REPLICAS, SERVERS, TRAINERS, Installation
from tests.fleet.stores import NATS_HOSTS
from tests.support.node import node
from tests.support.waiting import eventually

pytestmark = pytest.mark.stack

ON_16 = pytest.mark.parametrize("fleet", ["16"], indirect=True)
ON_BOTH = pytest.mark.parametrize("fleet", ["16", "18"], indirect=True)
STREAMS = ("TASKS", "LOSS", "MODELS")
CONSOLE_CALLS = {"X-Loupe-Client": "console"}
_PASSWORD = "another machine"  # noqa: S105 -- of this test alone
_LEAST_SHARE = 0.3
_BLOWS_S = 75.0
"""How long the training that all replicas are struck under lasts, at the pace of an undisturbed one."""


@ON_BOTH
async def test_all_servers_start_at_once_on_empty_stores(fleet: Installation) -> None:
    """By environment variables only: none ends and is started again, all have the same tables."""
    assert {one.name: one.restarts for one in fleet.supervisor.processes if one.restarts} == {}
    async with fleet.client() as client:
        request = algorithm_image_service_pb2.ListAlgorithmImagesRequest()
        assert len((await client.images.ListAlgorithmImages(request)).algorithm_images) == len(seeds._IMAGES)


@ON_BOTH
async def test_every_replica_gets_its_share_of_the_calls(fleet: Installation) -> None:
    """By a name that stands for two, as the gateways call, and by a list of both, as this client does.

    Whoever called while one replica was still starting finds it within seconds.
    """
    async with calling(fleet) as noted:

        async def have_their_shares() -> bool:
            before = await _calls_by_replica(fleet)
            answered = {server: noted.count(server) for server in SERVERS}
            await eventually(lambda: all(noted.count(server) >= answered[server] + 40 for server in SERVERS))
            more = await _calls_by_replica(fleet)
            more.subtract(before)
            shares = [
                more[name] / sum(more[one] for one in pair) for pair in REPLICAS.values() for name in pair
            ]
            return min(shares) >= _LEAST_SHARE

        await eventually(have_their_shares)
    assert noted.failed == []


async def _calls_by_replica(fleet: Installation) -> Counter[str]:
    """How many calls each has ended."""
    counts: Counter[str] = Counter()
    for server, pair in REPLICAS.items():
        metric = "loupe_http_requests_total" if server == "gateway" else "loupe_rpc_calls_total"
        for name in pair:
            counts[name] = round(sum(value for _, value in await fleet.samples(name, metric)))
    return counts


@ON_16
async def test_pictures_and_uploads_work_from_another_machine(fab: Fab) -> None:
    """I3: who logged in at one gateway is known at the other; links lead to the store, which is elsewhere."""
    fleet = fab.fleet
    async with httpx.AsyncClient(headers=CONSOLE_CALLS) as http:
        page = await http.get(f"{fleet.pages(0)}/", headers={"Accept": "text/html"})
        assert page.status_code == 200, page.text
        body = {"userId": "admin", "password": await _one_time_password(fab), "newPassword": _PASSWORD}
        logged_in = await http.post(f"{fleet.pages(0)}/v1/session", json=body)
        assert logged_in.status_code == 200, logged_in.text
        # Of both hosts, as it is for a browser that knows them by one name.
        ((name, session),) = logged_in.cookies.items()
        http.headers["Cookie"] = f"{name}={session}"
        path = f"{fleet.pages(1)}/v1/{PANELS}"
        (sample,) = (await http.get(f"{path}/samples?pageSize=1")).json()["samples"]
        link = (await http.get(f"{path}:linkSample", params={"file": sample["file"]})).json()["url"]
        assert httpx.URL(link).netloc.decode() == fleet.store.address
        seen = await http.get(link)
        assert hashlib.sha256(seen.content).hexdigest() == sample["sha256"]
        picture = bytes(
            cv2.imencode(".png", np.random.default_rng(7).integers(0, 256, (64, 64), np.uint8))[1]
        )
        sha256 = hashlib.sha256(picture).hexdigest()
        asked = {"sha256s": [sha256], "sizeBytes": [len(picture)]}
        (upload,) = (await http.post(f"{path}:planSampleUploads", json=asked)).json()["uploads"]
        assert (await http.put(upload["url"], content=picture)).status_code == 200
        candidates = {"candidates": [{"file": "TPFIP/from-elsewhere.png", "sha256": sha256}]}
        added = (await http.post(f"{path}:addSamples", json=candidates)).json()
        assert [one["outcome"] for one in added["outcomes"]] == ["OUTCOME_ADDED"], added


@ON_16
async def test_the_console_works_in_a_browser_on_another_machine(fab: Fab, tmp_path: Path) -> None:
    """By the name of both gateways: a person logs in, imports a folder, and looks at a picture of it."""
    if not (CONSOLE / "dist/index.html").exists() or not PLAYWRIGHT.exists():
        pytest.skip("the console is not built: `make console`")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("there is no Chromium")
    fleet = fab.fleet
    announced = {
        "CONSOLE_URL": f"http://gateway:{SERVERS['gateway']}",
        "CONSOLE_STORE": fleet.store.address,
        "CONSOLE_PASSWORD": await _one_time_password(fab),
        "CONSOLE_FOLDER": str(tmp_path),
    }
    process = await asyncio.create_subprocess_exec(
        *(*fleet.hosts[OFFICE].prefix(CONSOLE), node(), str(PLAYWRIGHT), "test", "--project=zh-imports"),
        *("--reporter=list", f"--output={tmp_path / 'results'}"),
        env=os.environ | announced,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()


async def _one_time_password(fab: Fab) -> str:
    request = identity_service_pb2.ResetPasswordRequest(name="users/admin")
    return str((await fab.client.identity.ResetPassword(request)).one_time_password)


@ON_16
async def test_a_training_goes_on_whatever_replica_ends(fab: Fab) -> None:
    """T5: each is told to end once, and killed once; calls are answered, and nothing acknowledged is lost.

    Servers that start again leave the streams as an operator has changed them.
    """
    fleet, iterations = fab.fleet, round(_BLOWS_S * fab.iterations_per_s)
    async with await fleet.messaging() as messaging:
        changed = await _change_a_stream(messaging)
        task = await fab.submit("struck", iterations)
        await fab.until_trained(task, 1)
        async with calling(fleet) as noted:
            await _strike_every_replica(fleet, noted)
        struck = await fab.task(task)
        assert struck.state == task_pb2.TASK_STATE_TRAINING, "it ended before every replica was struck"
        ended = await fab.until_completed(task, iterations)
        assert {name: (await _ask(messaging, name))["config"] for name in STREAMS} == changed
    assert noted.failed == []
    assert ended.recoveries == 0
    assert noted.made <= await fab.datasets()
    assert await fab.lost() == {}


async def _strike_every_replica(fleet: Installation, noted: Noted) -> None:
    """One after the other, never both of a server; the next is struck while the last one starts."""
    back: dict[str, asyncio.Task[None]] = {}
    for blow in (signal.SIGTERM, signal.SIGKILL):
        for replica in (0, 1):
            for server, pair in REPLICAS.items():
                for name in pair:
                    if name in back:
                        await back.pop(name)
                begun, answered = time.monotonic(), noted.count(server)
                name = pair[replica]
                back[name] = asyncio.create_task(fleet.until_back(name, fleet.strike(name, blow)))
                await eventually(lambda: noted.count(server) >= answered + 10)  # noqa: B023 -- awaited here
                what = f"longest call at a {server} of which one replica got {blow.name}"
                longest_s = noted.longest_s(server, begun)
                fleet.figures[what] = max(fleet.figures.get(what, 0.0), longest_s)
    await asyncio.gather(*back.values())


async def _change_a_stream(messaging: Messaging) -> Mapping[str, dict[str, Any]]:
    """The settings of all streams, after an operator has changed one."""
    assert {(await _ask(messaging, name))["config"]["num_replicas"] for name in STREAMS} == {3}
    other = {
        **(await _ask(messaging, "LOSS"))["config"],
        "max_bytes": 2**29,
        "description": "half of it is enough",
    }
    await messaging.ask_jetstream("STREAM.UPDATE.LOSS", other)
    return {name: (await _ask(messaging, name))["config"] for name in STREAMS}


@ON_16
async def test_a_training_goes_on_without_a_node_of_nats(fab: Fab) -> None:
    """The leader of the stream of its points is killed and stays away; it catches up when it is back."""
    fleet, iterations = fab.fleet, round(10 * fab.iterations_per_s)
    async with await fleet.messaging() as messaging, calling(fleet) as noted:
        task = await fab.submit("without-a-node", iterations)
        await fab.until_trained(task, 1)
        before = await _ask(messaging, "LOSS")
        async with fleet.away(before["cluster"]["leader"]):
            with fleet.measured("a node of NATS killed, until another one stores the points of its stream"):
                await eventually(lambda: _is_led_by_another(messaging, before))
            await fab.until_completed(task, iterations)
        with fleet.measured("that node started again, until it has caught up"):
            await eventually(lambda: _is_whole(messaging))
    assert noted.failed == []
    assert await fab.lost() == {}


async def _ask(messaging: Messaging, stream: str) -> dict[str, Any]:
    """What its leader tells of a stream."""
    return await messaging.ask_jetstream(f"STREAM.INFO.{stream}")


async def _is_led_by_another(messaging: Messaging, before: Mapping[str, Any]) -> bool:
    """Whether another node stores messages of the stream LOSS."""
    try:
        with named_errors("looking at LOSS"):
            now = await _ask(messaging, "LOSS")
    except Unavailable:
        return False
    is_another = now["cluster"]["leader"] != before["cluster"]["leader"]
    return is_another and bool(now["state"]["last_seq"] > before["state"]["last_seq"])


async def _is_whole(messaging: Messaging) -> bool:
    """Whether all three nodes have all of every stream."""
    for name in STREAMS:
        cluster = (await _ask(messaging, name))["cluster"]
        members = {cluster["leader"], *(one["name"] for one in cluster["replicas"] if one["current"])}
        if members != set(NATS_HOSTS):
            return False
    return True


@ON_16
async def test_t5_a_trainer_that_is_told_to_end_gives_its_training_to_another_host(fab: Fab) -> None:
    fleet, iterations = fab.fleet, round(20 * fab.iterations_per_s)
    await fleet.start(TRAINERS[1])
    task = await fab.submit("given-back", iterations)
    await fab.until_trained(task, 1)
    former = await fab.holder(task)
    (other,) = set(TRAINERS) - {former}
    with fleet.measured("a trainer told to end in mid-training, until another one has its training"):
        pid = fleet.strike(former, signal.SIGTERM)

        async def is_with_the_other() -> bool:
            return await fab.holder(task) == other

        await eventually(is_with_the_other)
    ended = await fab.until_completed(task, iterations)
    assert ended.recoveries == 0
    await fleet.until_back(former, pid)
