"""What each process may do in the object store and at NATS, and what readers of events may not."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import nats
import pytest
from minio import Minio
from minio.error import S3Error
from nats.js import api

from deploy.embedded.identities import OBJECT_RIGHTS
from deploy.embedded.nats import EVENT_RIGHTS, Nats
from deploy.embedded.ports import assign
from deploy.embedded.programs import NATS, program
from deploy.embedded.readiness import speaks
from deploy.embedded.seaweed import BUCKET, ObjectStoreSettings
from deploy.embedded.servers import EmbeddedServers
from deploy.embedded.settings import ProgramCheck
from deploy.embedded.supervisor import Supervisor
from services.kit.messaging import Messaging
from services.kit.streams import StreamSettings
from services.registry import consumers as registry
from services.scheduler import consumers as scheduler
from tests.support.waiting import DEADLINE_S, eventually

GRANTED = OBJECT_RIGHTS.values()
PREFIXES = sorted(
    {"stack", *(p for all_of in GRANTED for p in (*all_of.reads, *all_of.keeps, *all_of.stores))}
)


def store(settings: ObjectStoreSettings) -> Minio:
    keys = (settings.access_key, settings.secret_key)
    return Minio(settings.endpoint, *keys, secure=False, region="us-east-1")


def listing(client: Minio, prefix: str) -> list[object]:
    return list(client.list_objects(BUCKET, prefix))


def allowed(action: Callable[[], object]) -> bool:
    try:
        action()
    except S3Error as error:
        if error.code != "AccessDenied":
            raise
        return False
    return True


@pytest.mark.parametrize("process", OBJECT_RIGHTS)
def test_a_process_reaches_its_own_prefixes_alone(servers: EmbeddedServers, process: str) -> None:
    """A trainer that was taken over must not read packages, list what others store, or replace samples."""
    rights, own = OBJECT_RIGHTS[process], store(servers.seaweed.settings_of(process))
    everything = store(servers.object_store)
    reached: dict[str, set[str]] = {"read": set(), "written": set(), "listed": set(), "deleted": set()}
    for prefix in PREFIXES:
        key = f"{prefix}/identities-{process}"
        everything.put_object(BUCKET, key, io.BytesIO(b"1"), 1)
        attempts: dict[str, Callable[[], object]] = {
            "read": partial(own.get_object, BUCKET, key),
            "written": partial(own.put_object, BUCKET, key, io.BytesIO(b"2"), 1),
            "listed": partial(listing, own, f"{prefix}/"),
            "deleted": partial(own.remove_object, BUCKET, key),
        }
        for name, attempt in attempts.items():
            if allowed(attempt):
                reached[name].add(prefix)
        everything.remove_object(BUCKET, key)
    writes = {*rights.keeps, *rights.stores}
    assert reached == {
        "read": {*rights.reads, *writes},
        "written": writes,
        "listed": {*rights.keeps},
        "deleted": writes,
    }
    assert not allowed(partial(listing, own, ""))
    assert not allowed(lambda: own.make_bucket("mine"))
    assert not allowed(lambda: own.remove_bucket(BUCKET))


async def connected(url: str, refusals: asyncio.Queue[str] | None = None) -> Any:  # noqa: ANN401 -- no types
    async def note(error: Exception) -> None:
        if refusals is not None:
            refusals.put_nowait(str(error).lower())

    return await nats.connect(url, error_cb=note)


async def with_streams(server: Nats) -> None:
    """The streams and their copies, as registry and scheduler make them when they start."""
    for name, ensure in (("registry", registry.ensure_streams), ("scheduler", scheduler_streams)):
        settings = StreamSettings(mirrors_url=server.mirrors_url_of(name))
        async with await Messaging.connect(server.url_of(name), name=name) as messaging:
            await ensure(messaging, settings)


def scheduler_streams(messaging: Messaging, settings: StreamSettings) -> Awaitable[None]:
    return scheduler.ensure_streams(messaging, settings, loss_bytes=2**20)


async def published(server: Nats, subject: str, payload: bytes) -> None:
    name = "scheduler" if subject.startswith("loupe.tasks.") else "registry"
    async with await Messaging.connect(server.url_of(name), name=name) as messaging:
        await messaging.publish(subject, payload, message_id=payload.decode())


async def test_a_reader_follows_events_as_documented_and_publishes_none(nats_server: Nats) -> None:
    """Push, pull and ordered consumers, single messages and live subjects: an MES may use any of them."""
    await with_streams(nats_server)
    refusals: asyncio.Queue[str] = asyncio.Queue()
    reader = await connected(nats_server.reader_url, refusals)
    try:
        live = await reader.subscribe("loupe.models.*.released")
        await reader.flush()
        await published(nats_server, "loupe.models.a.released", b"1")
        assert (await live.next_msg(timeout=DEADLINE_S)).data == b"1"
        events = reader.jetstream(timeout=DEADLINE_S)
        config = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=1)
        followed = await events.subscribe("loupe.models.*.released", stream="MODELS", config=config)
        message = await followed.next_msg(timeout=DEADLINE_S)
        assert (message.data, message.metadata.sequence.stream) == (b"1", 1)
        await message.ack()
        ordered = await events.subscribe("loupe.models.>", stream="MODELS", ordered_consumer=True)
        assert (await ordered.next_msg(timeout=DEADLINE_S)).data == b"1"
        pulled = await events.pull_subscribe("loupe.models.>", stream="MODELS")
        (message,) = await pulled.fetch(1, timeout=DEADLINE_S)
        await message.ack()
        assert (await events.get_msg("MODELS", 1)).data == b"1"
        assert (await events.stream_info("MODELS")).state.last_seq == 1
        for forbidden in (
            "loupe.models.a.released",
            *(f"$JS.API.STREAM.{verb}.MODELS" for verb in ("PURGE", "DELETE")),
        ):
            await reader.publish(forbidden, b"")
        for _ in range(3):
            assert "permissions violation" in await asyncio.wait_for(refusals.get(), DEADLINE_S)
    finally:
        await reader.close()


async def test_no_answer_that_a_reader_asks_for_becomes_an_event_or_a_request(nats_server: Nats) -> None:
    """The server sends answers where the request says: to a subject of a stream, or of JetStream itself."""
    await with_streams(nats_server)
    await published(nats_server, "loupe.tasks.t.state", b"1")
    reader, operator = await connected(nats_server.reader_url), await connected(nats_server.url)
    try:
        answers = await reader.subscribe("_INBOX.attack")

        async def ask(what: str, request: dict[str, Any] | None, reply: str) -> None:
            payload = b"" if request is None else json.dumps(request).encode()
            await reader.publish(f"$JS.API.{what}", payload, reply=reply)

        async def make(name: str, **config: Any) -> None:  # noqa: ANN401 -- as JSON
            request = {"stream_name": "TASKS", "config": {"ack_policy": "none", "name": name, **config}}
            await ask(f"CONSUMER.CREATE.TASKS.{name}", request, "_INBOX.attack")
            answer = json.loads((await answers.next_msg(timeout=DEADLINE_S)).data)
            assert "error" not in answer, answer

        events = reader.jetstream(timeout=DEADLINE_S)
        await eventually(lambda: stored(events, "TASKS"))
        await make("pulled")
        for forged in ("loupe.models.m.released", "loupe.tasks.forged.state", "loupe.tasks.forged.loss.n"):
            await reader.subscribe(forged)
            await make(f"pushed{forged.count('.')}{forged[6]}", deliver_subject=forged, deliver_policy="all")
            await ask("STREAM.INFO.TASKS", None, forged)
            await ask("STREAM.MSG.GET.TASKS", {"seq": 1}, forged)
            await ask("DIRECT.GET.TASKS", {"seq": 1}, forged)
            await ask("CONSUMER.INFO.TASKS.pulled", None, forged)
            await ask("CONSUMER.MSG.NEXT.TASKS.pulled", {"batch": 1, "no_wait": True}, forged)
        for request in ("STREAM.PURGE.TASKS", "STREAM.DELETE.TASKS", "CONSUMER.DELETE.TASKS.pulled"):
            # The answer to a pull that finds nothing is empty, as these requests are.
            await ask("CONSUMER.MSG.NEXT.TASKS.pulled", {"batch": 1, "no_wait": True}, f"$JS.API.{request}")
            await ask("CONSUMER.INFO.TASKS.pulled", None, f"$JS.API.{request}")
        # Requests of one connection are answered in turn: when this is, all of them were.
        assert (await events.consumer_info("TASKS", "pulled")).name == "pulled"
        assert await stored(events, "TASKS") == 1
        own = operator.jetstream(timeout=DEADLINE_S)
        assert [await stored(own, stream) for stream in ("TASKS", "LOSS", "MODELS")] == [1, 0, 0]
    finally:
        await reader.close()
        await operator.close()


async def stored(events: Any, stream: str) -> int:  # noqa: ANN401 -- no types
    return int((await events.stream_info(stream)).state.messages)


async def test_a_reader_cannot_touch_the_consumers_of_services(nats_server: Nats) -> None:
    """Whoever changes the filter of `registry-releases`, or takes its messages, stops releases."""
    await with_streams(nats_server)
    operator = await connected(nats_server.url)
    reader = await connected(nats_server.reader_url)
    try:
        own = operator.jetstream(timeout=DEADLINE_S)
        wanted = api.ConsumerConfig(
            durable_name="registry-releases",
            filter_subject="loupe.tasks.*.state",
            ack_policy=api.AckPolicy.EXPLICIT,
        )
        await own.add_consumer("TASKS", wanted)
        await published(nats_server, "loupe.tasks.t.state", b"1")
        config = {"durable_name": "registry-releases", "name": "registry-releases", "ack_policy": "explicit"}
        for verb, filtered in (("CREATE", ".loupe.tasks.*.stage"), ("CREATE", "")):
            request = {"stream_name": "TASKS", "config": {**config, "filter_subject": filtered[1:]}}
            subject = f"$JS.API.CONSUMER.{verb}.TASKS.registry-releases{filtered}"
            await reader.request(subject, json.dumps(request).encode(), timeout=DEADLINE_S)
        inbox = await reader.subscribe("_INBOX.stolen")
        pull = json.dumps({"batch": 1, "no_wait": True}).encode()
        await reader.publish("$JS.API.CONSUMER.MSG.NEXT.TASKS.registry-releases", pull, reply="_INBOX.stolen")
        await inbox.next_msg(timeout=DEADLINE_S)
        await reader.publish("$JS.ACK.TASKS.registry-releases.1.1.1.1.0", b"+ACK")
        await reader.flush(timeout=int(DEADLINE_S))
        found = await own.consumer_info("TASKS", "registry-releases")
        assert found.config.filter_subject == "loupe.tasks.*.state"
        assert (found.num_pending, found.delivered.consumer_seq, found.num_ack_pending) == (1, 0, 0)
    finally:
        await reader.close()
        await operator.close()


async def test_readers_leave_a_bounded_number_of_consumers_for_a_bounded_time(nats_server: Nats) -> None:
    """Each durable consumer would cost the server memory and the disk a file, for ever."""
    await with_streams(nats_server)
    reader = await connected(nats_server.reader_url)
    try:
        made = []
        for number in range(300):
            config = {"durable_name": f"d{number}", "name": f"d{number}", "ack_policy": "explicit"}
            answer = await reader.request(
                f"$JS.API.CONSUMER.CREATE.MODELS.d{number}",
                json.dumps({"stream_name": "MODELS", "config": config}).encode(),
                timeout=DEADLINE_S,
            )
            made.append(json.loads(answer.data))
        kept = [answer for answer in made if "error" not in answer]
        assert 50 < len(kept) <= 128
        assert {answer["config"]["inactive_threshold"] for answer in kept} == {300 * 10**9}
    finally:
        await reader.close()


FORBIDDEN = {
    "registry": (
        "loupe.tasks.t.state",
        "$JS.API.STREAM.PURGE.MODELS",
        "$JS.API.STREAM.DELETE.TASKS",
        "$JS.API.CONSUMER.CREATE.TASKS.evaluator-deleted-tasks",
        "$JS.API.CONSUMER.CREATE.TASKS",
        "$JS.API.CONSUMER.MSG.NEXT.TASKS.evaluator-deleted-tasks",
        "$JS.ACK.TASKS.evaluator-deleted-tasks.1.1.1.1.0",
    ),
    "scheduler": ("loupe.models.m.released", "$JS.API.STREAM.UPDATE.MODELS", "$JS.API.STREAM.PURGE.TASKS"),
    "evaluator": ("loupe.tasks.t.state", "loupe.models.m.released", "$JS.API.STREAM.CREATE.X"),
}


@pytest.mark.parametrize("process", EVENT_RIGHTS)
async def test_a_service_publishes_its_own_events_and_uses_its_own_consumers(
    nats_server: Nats, process: str
) -> None:
    """Whoever takes over the evaluator must not announce releases, nor another service read its messages."""
    refusals: asyncio.Queue[str] = asyncio.Queue()
    service = await connected(nats_server.url_of(process), refusals)
    try:
        for subject in FORBIDDEN[process]:
            await service.publish(subject, b"")
            assert subject.lower() in await asyncio.wait_for(refusals.get(), DEADLINE_S)
        await service.subscribe("loupe.>")
        assert "subscription" in await asyncio.wait_for(refusals.get(), DEADLINE_S)
    finally:
        await service.close()


async def test_a_copy_that_is_ahead_of_its_stream_is_made_anew(nats_server: Nats) -> None:
    """A power cut may take from a stream what its copy kept; others then get the same numbers."""
    await with_streams(nats_server)
    for payload in (b"1", b"2", b"3"):
        await published(nats_server, "loupe.models.m.released", payload)
    reader, operator = await connected(nats_server.reader_url), await connected(nats_server.url)
    try:
        events = reader.jetstream(timeout=DEADLINE_S)
        await eventually(lambda: has_last(events, 3))
        await operator.jetstream().delete_stream("MODELS")
        await with_streams(nats_server)
        await published(nats_server, "loupe.models.m.released", b"other")
        await eventually(lambda: has_last(events, 1))
        assert (await events.get_msg("MODELS", 1)).data == b"other"
    finally:
        await reader.close()
        await operator.close()


async def has_last(events: Any, sequence: int) -> bool:  # noqa: ANN401 -- no types
    return int((await events.stream_info("MODELS")).state.last_seq) == sequence


async def test_streams_of_an_earlier_release_are_there_after_an_upgrade(
    servers: EmbeddedServers, tmp_path: Path
) -> None:
    """It knew one account for all; its events are those that an MES still has to read."""
    server = Nats(tmp_path, port=assign(["nats"], {})["nats"], credentials=servers.credentials)
    former = tmp_path / "former.conf"
    settings = {"listen": server.address, "jetstream": {"store_dir": server.folder.name}}
    former.write_text(json.dumps(settings))
    process = await asyncio.create_subprocess_exec(
        program(NATS, ProgramCheck.PINNED), "--config", str(former), cwd=tmp_path
    )
    try:
        host, _, port = server.address.partition(":")
        await eventually(lambda: speaks(host, int(port), b"INFO "))
        client = await connected(f"nats://{server.address}")
        events = client.jetstream(timeout=DEADLINE_S)
        await events.add_stream(name="MODELS", subjects=["loupe.models.>"], max_age=registry.MODELS_MAX_AGE_S)
        await events.publish("loupe.models.m.released", b"1")
        await events.add_consumer("MODELS", api.ConsumerConfig(durable_name="scheduler-releases"))
        await client.close()
    finally:
        process.terminate()
        await process.wait()
    supervisor = Supervisor([server.spec()], log_dir=tmp_path)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
        await with_streams(server)
        operator, reader = await connected(server.url), await connected(server.reader_url)
        kept = operator.jetstream(timeout=DEADLINE_S)
        assert (await kept.get_msg("MODELS", 1)).data == b"1"
        assert (await kept.consumer_info("MODELS", "scheduler-releases")).num_pending == 1
        read = reader.jetstream(timeout=DEADLINE_S)
        await eventually(lambda: has_last(read, 1))
        await operator.close()
        await reader.close()
    finally:
        await supervisor.stop(kill=True)


async def test_readers_are_served_again_soon_after_a_restart_of_the_server(
    servers: EmbeddedServers, tmp_path: Path
) -> None:
    """The copies find their streams again by themselves, and what was published meanwhile."""
    server = Nats(tmp_path, port=assign(["nats"], {})["nats"], credentials=servers.credentials)
    for payload in (b"1", b"2"):
        supervisor = Supervisor([server.spec()], log_dir=tmp_path)
        supervisor.start()
        try:
            await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
            if payload == b"1":
                await with_streams(server)
            await published(server, "loupe.models.m.released", payload)
            reader = await connected(server.reader_url)
            read = reader.jetstream(timeout=DEADLINE_S)
            await eventually(partial(has_last, read, int(payload)))
            await reader.close()
        finally:
            await supervisor.stop(kill=True)
