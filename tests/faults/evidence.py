"""What a stack recorded while its processes were killed, held against what is promised (T5, T6, I2, T7)."""

import asyncio
import hashlib
import itertools
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import nats
import psutil
from loupe.client import Loupe
from loupe.errors import LoupeError
from loupe.events.v1 import events_pb2
from loupe.profile import load_profile
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from loupe.settings import load

from deploy.embedded.data_folder import DataFolder
from deploy.embedded.ports import SEAWEED_GRPC_OFFSET
from deploy.embedded.postgres import Postgres
from deploy.embedded.seaweed import Seaweed
from deploy.embedded.state import read_state
from services.kit.database import Database
from services.kit.object_store import ObjectStore, ObjectStoreSettings
from services.kit.orphans import Collector
from services.kit.signals import Signals
from services.registry.application.collecting import FOLDERS
from services.scheduler.application.collecting import CandidateCollector
from services.scheduler.settings import SchedulingSettings
from tests.faults.killing import Kill, processes
from tests.support.simulation import dependencies_of

_STATES = [task_pb2.TASK_STATE_WAITING, task_pb2.TASK_STATE_TRAINING, task_pb2.TASK_STATE_COMPLETED]
_HASH = re.compile("[0-9a-f]{64}")
_BEGINS = re.compile(r"iterations (\d+)\.\.\d+")
_CHECKPOINT = re.compile(r"(\S+) checkpoint after (\d+) iterations")
# Without these a checkpoint cannot be stored, however long it was there.
_KEEPERS = frozenset({"postgres", "postgres/any", "seaweed", "scheduler"})

# Every change of a job and each checkpoint that it names, with where its curve and its log stood before the
# change had any effect on them.
_HISTORY = """
    CREATE TABLE job_history (
        number bigserial PRIMARY KEY, time timestamptz DEFAULT clock_timestamp(), job text, task text,
        kind text, state text, worker text, token bigint, checkpoint bigint, points bigint, lines bigint
    );
    CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO scheduler.job_history (job, task, kind, state, worker, token, checkpoint, points, lines)
        SELECT NEW.id, NEW.task, NEW.kind, NEW.state, NEW.worker, NEW.fencing_token,
            coalesce(NEW.checkpoint_iteration, 0), c.points, c.lines
        FROM scheduler.curves c WHERE c.task = NEW.task AND c.attempt = NEW.attempt AND c.network = 1;
        RETURN NULL;
    END $$;
    CREATE TRIGGER keep_history_of_new AFTER INSERT ON jobs
    FOR EACH ROW EXECUTE FUNCTION keep_history();
    CREATE TRIGGER keep_history AFTER UPDATE ON jobs FOR EACH ROW WHEN (
        (OLD.state, OLD.worker, OLD.fencing_token, OLD.checkpoint_sha256)
        IS DISTINCT FROM (NEW.state, NEW.worker, NEW.fencing_token, NEW.checkpoint_sha256)
    ) EXECUTE FUNCTION keep_history();
"""
# Key of every object that a row names.
_NAMED = """
    SELECT 'weights/' || weights_sha256 || '.safetensors' FROM scheduler.tasks WHERE weights_sha256 <> ''
    UNION SELECT 'splits/' || split_sha256 || '.jsonl' FROM scheduler.tasks WHERE split_sha256 <> ''
    UNION SELECT 'contact-sheets/' || (stage ->> 'contact_sheet_sha256') || '.jpg'
        FROM scheduler.tasks, jsonb_array_elements(stages) stage WHERE stage ->> 'contact_sheet_sha256' <> ''
    UNION SELECT 'checkpoints/' || checkpoint_sha256 || '.safetensors'
        FROM scheduler.jobs WHERE checkpoint_sha256 IS NOT NULL
    UNION SELECT 'samples/' || encode(sha256, 'hex') FROM registry.samples
    UNION SELECT 'samples/' || encode(mask_sha256, 'hex') FROM registry.samples WHERE mask_sha256 IS NOT NULL
    UNION SELECT 'manifests/' || encode(sha256, 'hex') || '.jsonl' FROM registry.snapshots
    UNION SELECT 'weights/' || encode(weights_sha256, 'hex') || '.safetensors' FROM registry.model_versions
    UNION SELECT 'packages/' || encode(sha256, 'hex') || '.zip' FROM registry.packages
    UNION SELECT 'masks/' || predicted_mask_sha256 || '.png'
        FROM evaluator.sample_result WHERE predicted_mask_sha256 <> ''
    UNION SELECT 'stack/ready'
"""


@dataclass
class Findings:
    """What was seen, and what should not have been."""

    figures: dict[str, Any] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def require(self, kept: bool, told: str) -> None:  # noqa: FBT001 -- reads as assert does
        """A violation unless it is so."""
        if not kept:
            self.violations.append(told)


@dataclass(frozen=True, slots=True)
class Case:
    """What was run, and where."""

    data_dir: Path
    loupe: Loupe
    trainings: Mapping[str, int]
    """Seeds by task."""
    references: Mapping[int, str]
    """Undisturbed tasks by seed."""
    iterations: int
    kills: Sequence[Kill]


@dataclass(frozen=True, slots=True)
class Upload:
    """A checkpoint that was stored."""

    made: float
    """Unix time at which its child had made it, and at which the job named it."""
    named: float


@dataclass(frozen=True, slots=True)
class Interruption:
    """A lease of a training that ended before the training did, as the next lease found it."""

    task: str
    begun: float
    """Unix time at which it began, and at which the next one did."""
    ended: float
    points: int
    resumed: int
    stored: int
    """The newest checkpoint that the job had named, by any lease so far."""
    made: tuple[tuple[int, float], ...]
    """Iteration and Unix time of the checkpoints that its child said to have made."""

    @property
    def repeated(self) -> int:
        """Iterations that were done and are done again."""
        return self.points - self.resumed

    @property
    def unstored(self) -> list[float]:
        """When the checkpoints were made that could not be gone on from."""
        return [time for iteration, time in self.made if self.resumed < iteration <= self.points]


def keep_history(data_dir: Path) -> None:
    """Have PostgreSQL write down every lease from now on."""
    asyncio.run(_keep_history(data_dir))


def ports(data_dir: Path) -> Mapping[str, int]:
    """Where a stack listens; while it runs."""
    state = read_state(DataFolder(data_dir).state_file)
    return state.ports if state is not None else {}


def gather(case: Case) -> Findings:
    """Look at everything."""
    findings = Findings()
    _results(findings, case)
    asyncio.run(_records(findings, case))
    data_dir = case.data_dir
    of_stack = {process.pid for process in of_folder(data_dir)}
    held = set()
    for process in processes(data_dir).values():
        held |= {process.pid, *(child.pid for child in process.children(recursive=True))}
    supervisor = DataFolder(data_dir).supervisor_pid()
    strays = of_stack - held - {supervisor}
    findings.require(not strays, f"processes that nobody supervises: {[_described(pid) for pid in strays]}")
    return findings


def left_behind(folder: Path, data_dir: Path, temporary: Path, listened: Mapping[str, int]) -> list[str]:
    """What a stopped stack did not take along."""
    left = [f"process {_described(process.pid)}" for process in of_folder(folder)]
    left += [str(path) for path in temporary.iterdir()]
    cache = data_dir / "cache"
    left += [str(path) for kept in ("children", "workers") for path in (cache / kept).glob("*/*")]
    numbers = [port + SEAWEED_GRPC_OFFSET for port in listened.values()]
    left += [str(path) for n in numbers for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{n}.sock")]  # noqa: S108
    return [f"left behind: {what}" for what in left]


def lost_objects(data_dir: Path, compared: Counter[str]) -> list[str]:
    """Objects that a row names and that are not there, or with other bytes than their key says."""
    return asyncio.run(_lost_objects(data_dir, compared))


def lost_events(data_dir: Path, compared: Counter[str]) -> list[str]:
    """Transitions that rows have, and neither the bus nor the outbox (I2)."""
    return asyncio.run(_lost_events(data_dir, compared))


async def _lost_objects(data_dir: Path, compared: Counter[str]) -> list[str]:
    missing: dict[str, str] = {}
    async with ObjectStore(load(ObjectStoreSettings, seaweed(data_dir).settings.environment())) as store:
        for key in await _named(data_dir):
            sha256 = _HASH.search(key)
            compared["objects"] += 1
            try:
                data = await store.get_bytes(key, max_bytes=2**30)
            except LoupeError as error:
                missing[key] = error.message
            else:
                if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256[0]:
                    missing[key] = "it holds other bytes"
    # A checkpoint that was superseded meanwhile may be gone.
    named = set(await _named(data_dir)) if missing else set()
    return [f"{key}: {why}" for key, why in missing.items() if key in named]


async def _named(data_dir: Path) -> list[str]:
    """The keys of all objects that a row names."""
    connection = await _connect(data_dir)
    try:
        return [row[0] for row in await connection.fetch(_NAMED)]
    finally:
        await connection.close()


async def _lost_events(data_dir: Path, compared: Counter[str]) -> list[str]:
    connection = await _connect(data_dir)
    try:
        rows = await connection.fetch(
            "SELECT task, revision FROM scheduler.transitions WHERE from_state IS DISTINCT FROM to_state"
        )
        # What the outbox holds is published a moment later.
        await _until_none(connection, "scheduler.outbox")
        await _until_none(connection, "registry.outbox")
        versions = await connection.fetch("SELECT task FROM registry.model_versions")
    finally:
        await connection.close()
    told = set()
    for message in await _stream(data_dir, "TASKS", "loupe.tasks.*.state"):
        transition = events_pb2.TaskStateChanged.FromString(message.data).transition
        told.add((transition.task.removeprefix("tasks/"), transition.revision))
    released = {
        events_pb2.ModelVersionReleased.FromString(message.data).version.task
        for message in await _stream(data_dir, "MODELS", "loupe.models.*.released")
    }
    compared["events"] += len(rows) + len(versions)
    missing = [f"the bus lacks {row['task']} at {row['revision']}" for row in rows if tuple(row) not in told]
    return missing + [
        f"the bus lacks the release of {row['task']}" for row in versions if row["task"] not in released
    ]


def _results(findings: Findings, case: Case) -> None:
    """Every task is COMPLETED in its first attempt; its curve is that of an undisturbed one, bit for bit."""
    wanted = {seed: _curve(case.loupe, task) for seed, task in case.references.items()}
    recoveries = 0
    for task, seed in case.trainings.items():
        found = case.loupe.task(task)
        recoveries += found.recoveries
        state = task_pb2.TaskState.Name(found.state)
        findings.require(state == "TASK_STATE_COMPLETED", f"{task} is {state}: {found.failure.message}")
        findings.require(found.attempt == 1, f"{task} is at attempt {found.attempt}")
        curve = _curve(case.loupe, task)
        whole = list(curve.iterations) == list(range(case.iterations))
        findings.require(whole, f"{task} has points {list(curve.iterations)}")
        same = (curve.losses, curve.validation) == (wanted[seed].losses, wanted[seed].validation)
        findings.require(same, f"the curve of {task} is not that of an undisturbed training of seed {seed}")
    findings.figures |= {"trainings": len(case.trainings), "recoveries in all": recoveries}


def _curve(loupe: Loupe, task: str) -> Any:  # noqa: ANN401 -- LossCurve
    request = task_service_pb2.GetLossCurveRequest(name=task, network=task_pb2.NETWORK_CLASSIFICATION)
    return loupe.call(loupe.async_client.tasks.GetLossCurve, request)


async def _records(findings: Findings, case: Case) -> None:
    connection = await _connect(case.data_dir)
    try:
        await _until_none(connection, "scheduler.outbox")
        interruptions, uploads = await _leases(findings, connection)
        check_repeated(findings, interruptions, uploads, case.kills)
        await _log(findings, connection)
        await _transitions(findings, case)
        await _points(findings, case, interruptions)
        await _storage(findings, case.data_dir, connection)
    finally:
        await connection.close()


async def _leases(
    findings: Findings, connection: asyncpg.Connection
) -> tuple[list[Interruption], list[Upload]]:
    """No job is leased twice at once and no worker has more than one (T6).

    Returns the leases of trainings that were cut short, and all checkpoints that were stored.
    """
    rows = await connection.fetch("SELECT * FROM scheduler.job_history ORDER BY number")
    logged: dict[str, list[Any]] = defaultdict(list)
    for row in await connection.fetch(
        "SELECT task, first_line, lines FROM scheduler.log_chunks WHERE network = 1 ORDER BY task, first_line"
    ):
        logged[row["task"]] += row["lines"]
    last: dict[str, Any] = {}
    holds: dict[str, str] = {}
    grants: dict[str, list[Any]] = defaultdict(list)
    history: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        before = last.get(row["job"])
        last[row["job"]] = row
        history[row["job"]].append(row)
        if before is not None and all(before[key] == row[key] for key in ("state", "worker", "token")):
            continue
        if before is not None and before["state"] == "LEASED":
            holds.pop(before["worker"], None)
        if row["state"] == "LEASED":
            taken = before is not None and before["state"] == "LEASED"
            findings.require(not taken, f"{row['job']} was leased to {row['worker']} while it was leased")
            other = holds.get(row["worker"])
            findings.require(other is None, f"{row['worker']} got {row['job']} while it held {other}")
            token = len(grants[row["job"]]) + 1
            findings.require(row["token"] == token, f"{row['job']}: token {row['token']} is lease {token}")
            holds[row["worker"]] = row["job"]
            grants[row["job"]].append(row)
    unfinished = [job for job, row in last.items() if row["state"] != "DONE"]
    findings.require(not unfinished, f"jobs that are not done: {unfinished}")
    interruptions = []
    for job, leases in grants.items():
        for lease, following in itertools.pairwise(leases):
            if lease["kind"] == "TRAIN":
                said = logged[lease["task"]][lease["lines"] : following["lines"]]
                begins = [int(match[1]) for line in said if (match := _BEGINS.search(line))]
                right = begins in ([], [lease["checkpoint"]])
                findings.require(right, f"{lease['task']} went on at {begins}, not at {lease['checkpoint']}")
                stored = max(row["checkpoint"] for row in history[job] if row["number"] < following["number"])
                interruptions.append(
                    Interruption(
                        task=lease["task"],
                        begun=lease["time"].timestamp(),
                        ended=following["time"].timestamp(),
                        points=following["points"],
                        resumed=following["checkpoint"],
                        stored=stored,
                        made=tuple(_made(said)),
                    )
                )
    findings.figures |= {
        "leases": sum(len(leases) for leases in grants.values()),
        "leases of trainings cut short": len(interruptions),
    }
    return interruptions, [one for rows in history.values() for one in _uploads(rows, logged)]


def _uploads(history: Sequence[Any], logged: Mapping[str, Sequence[str]]) -> Iterator[Upload]:
    """The checkpoints that a job named, as far as its log tells when they were made."""
    for before, row in itertools.pairwise(history):
        named = row["time"].timestamp()
        made = [
            time
            for iteration, time in _made(logged[row["task"]])
            if iteration == row["checkpoint"] > before["checkpoint"] and time <= named
        ]
        if made:
            yield Upload(max(made), named)


def _made(lines: Sequence[str]) -> list[tuple[int, float]]:
    """Iteration and Unix time of each checkpoint that a log tells of."""
    found = (_CHECKPOINT.search(line) for line in lines)
    return [(int(match[2]), datetime.fromisoformat(match[1]).timestamp()) for match in found if match]


def check_repeated(
    findings: Findings,
    interruptions: Sequence[Interruption],
    uploads: Sequence[Upload],
    kills: Sequence[Kill],
) -> None:
    """What was made during two uploads may be repeated; the next lease has the newest that was stored (T5).

    A worker uploads one checkpoint after another: one that is made during an upload waits until it ends, and
    the next one takes its place. So when a lease ends, one upload may have ended just now, and another one be
    on its way. How long an upload may take is what the longest of the run took.
    """

    def could_store(begun: float, ended: float) -> bool:
        return not any(kill.target in _KEEPERS and begun - 5 < kill.time < ended for kill in kills)

    took_s = [one.named - one.made for one in uploads if could_store(one.made, one.named)]
    allowed_s = 2 * max(took_s, default=0)
    for cut in interruptions:
        findings.require(cut.repeated >= 0, f"{cut.task} went on at {cut.resumed}, beyond {cut.points}")
        made = [iteration for iteration, _ in cut.made]
        told = f"{cut.task} went on at {cut.resumed} after {cut.points}, with checkpoints at {made}"
        findings.require(cut.resumed == cut.stored, f"{told}, of which {cut.stored} was stored")
        unstored_s = max(cut.unstored, default=0) - min(cut.unstored, default=0)
        kept = unstored_s <= allowed_s or not could_store(cut.begun, cut.ended)
        findings.require(
            kept, f"{told}: those of {unstored_s:.1f} s were not stored, {allowed_s:.1f} s allowed"
        )
    repeated = [cut.repeated for cut in interruptions if cut.points]
    findings.figures |= {
        "iterations repeated, per interruption": sorted(repeated),
        "iterations repeated in all": sum(repeated),
        "checkpoints not stored, per interruption": sorted(len(cut.unstored) for cut in interruptions),
    }
    if took_s:
        findings.figures["seconds to store a checkpoint, median and most"] = [
            round(statistics.median(took_s), 1),
            round(max(took_s), 1),
        ]


async def _log(findings: Findings, connection: asyncpg.Connection) -> None:
    """Every line of a log stands once: an attempt's log goes on where the last holder's ended."""
    expected: dict[tuple[str, int], int] = defaultdict(int)
    for row in await connection.fetch(
        "SELECT task, network, first_line, lines FROM scheduler.log_chunks ORDER BY task, network, first_line"
    ):
        key = row["task"], row["network"]
        findings.require(row["first_line"] == expected[key], f"the log of {key} has a hole or a double line")
        expected[key] = row["first_line"] + len(row["lines"])


async def _transitions(findings: Findings, case: Case) -> None:
    """The bus says what the rows say: each transition once, in order (I2)."""
    published: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for message in await _stream(case.data_dir, "TASKS", "loupe.tasks.*.state"):
        transition = events_pb2.TaskStateChanged.FromString(message.data).transition
        published[transition.task].append((transition.revision, transition.to))
    for task in (*case.trainings, *case.references.values()):
        request = task_service_pb2.ListTaskTransitionsRequest(name=task)
        rows = case.loupe.call(case.loupe.async_client.tasks.ListTaskTransitions, request).transitions
        states = [transition.to for transition in rows]
        findings.require(states == _STATES, f"{task} went through {states}")
        told = published[task]
        same = told == [(transition.revision, transition.to) for transition in rows]
        findings.require(same, f"the bus says of {task} {told}, its rows {states}")


async def _points(findings: Findings, case: Case, interruptions: list[Interruption]) -> None:
    """NATS published every point, in order, once each time that it was made, and always the same."""
    wanted = {seed: list(_curve(case.loupe, task).losses) for seed, task in case.references.items()}
    messages = await _stream(case.data_dir, "LOSS", "loupe.tasks.*.loss.classification")
    ids = [message.headers["Nats-Msg-Id"] for message in messages]
    findings.require(len(set(ids)) == len(ids), "the bus stored a message twice")
    told: dict[str, list[Any]] = defaultdict(list)
    for message in messages:
        event = events_pb2.LossPointsRecorded.FromString(message.data)
        told[event.task].append(event)
    repeated_s = []
    for task, seed in case.trainings.items():
        cuts = [cut for cut in interruptions if f"tasks/{cut.task}" == task and cut.repeated]
        end, times = 0, []
        seen = []
        for event in told[task]:
            first, made_s = event.first_iteration, event.step_time.ToMicroseconds() / 1e6
            if first < end:
                seen.append((end, first))
                repeated_s.append(times[end - 1] - times[max(first - 1, 0)])
            findings.require(first <= end, f"the bus lacks points {end} to {first} of {task}")
            same = list(event.losses) == wanted[seed][first : first + len(event.losses)]
            findings.require(same, f"the bus tells other losses of {task} from {first} on")
            end = first + len(event.losses)
            times[first:] = [made_s] * len(event.losses)
        findings.require(end == case.iterations, f"the bus tells {end} points of {task}")
        was = [(cut.points, cut.resumed) for cut in cuts]
        findings.require(seen == was, f"the bus went back in {task} at {seen}, the leases at {was}")
    if repeated_s:
        findings.figures["seconds repeated, median and most"] = [
            round(statistics.median(repeated_s), 1),
            round(max(repeated_s), 1),
        ]


async def _storage(findings: Findings, data_dir: Path, connection: asyncpg.Connection) -> None:
    """After the collectors: every object is named by a row, and every object that a row names is there."""
    environment = seaweed(data_dir).settings.environment()
    url = _postgres(data_dir).url
    async with (
        ObjectStore(load(ObjectStoreSettings, environment)) as store,
        Database(url, "scheduler") as scheduler,
        Database(url, "registry") as registry,
        Signals(url) as signals,
    ):
        before = set(store.blocking.keys(""))
        named = {row[0] for row in await connection.fetch(_NAMED)}
        suspected = {row[0] for row in await connection.fetch("SELECT key FROM scheduler.garbage")}
        orphans = before - named - suspected
        broken = _broken_uploads(store)
        # As if a day had passed.
        dependencies = dependencies_of(scheduler, signals, SchedulingSettings(orphan_grace_s=-60))
        await CandidateCollector(dependencies, store).find_orphans()
        collector = Collector(registry.sessions, store, FOLDERS)
        await collector.collect(timedelta(seconds=-60))
        await _until_none(connection, "scheduler.garbage")
        after = set(store.blocking.keys(""))
        named = {row[0] for row in await connection.fetch(_NAMED)}
        still_broken = _broken_uploads(store)
    findings.figures |= {
        "objects": len(before),
        "orphans before the collector": dict(_by_folder(orphans)),
        "broken uploads before the collector": len(broken),
        "objects that no row names afterwards": len(after - named),
    }
    findings.require(not still_broken, f"parts of broken uploads stayed: {still_broken}")
    findings.require(not after - named, f"no row names {sorted(after - named)}")
    findings.require(not named - after, f"rows name what is not there: {sorted(named - after)}")


def _broken_uploads(store: ObjectStore) -> list[str]:
    client, bucket = store.blocking._client, store.blocking._bucket
    return [str(upload.object_name) for upload in client._list_multipart_uploads(bucket).uploads]


def _by_folder(keys: set[str]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for key in keys:
        found[key.partition("/")[0]] += 1
    return found


async def _stream(data_dir: Path, stream: str, subject: str) -> list[Any]:
    """All that the stream keeps of the subject, in order."""
    connection = await nats.connect(load_profile(data_dir).nats_url, allow_reconnect=False)
    try:
        subscription = await connection.jetstream().subscribe(subject, stream=stream, ordered_consumer=True)
        info = await subscription.consumer_info()
        # What the server has delivered may still be on its way to this process.
        count = info.num_pending + (info.delivered.consumer_seq if info.delivered else 0)
        return [await subscription.next_msg(timeout=60) for _ in range(count)]
    finally:
        await connection.close()


async def _until_none(connection: asyncpg.Connection, table: str) -> None:
    until = time.monotonic() + 60
    while await connection.fetchval(f"SELECT count(*) FROM {table}"):  # noqa: S608 -- a name of ours
        if time.monotonic() > until:
            raise TimeoutError(f"{table} is not worked off")
        await asyncio.sleep(0.1)


async def _keep_history(data_dir: Path) -> None:
    connection = await _connect(data_dir)
    try:
        await connection.execute("SET search_path TO scheduler;" + _HISTORY)
    finally:
        await connection.close()


async def _connect(data_dir: Path) -> asyncpg.Connection:
    return await asyncpg.connect(_postgres(data_dir).url.replace("+asyncpg", ""))


def _postgres(data_dir: Path) -> Postgres:
    folder = DataFolder(data_dir)
    return Postgres(
        folder.root / "postgres", port=ports(data_dir)["postgres"], credentials=folder.credentials()
    )


def seaweed(data_dir: Path) -> Seaweed:
    """The object store of a running stack."""
    folder = DataFolder(data_dir)
    return Seaweed(folder.root / "seaweed", ports=ports(data_dir), credentials=folder.credentials())


def of_folder(folder: Path) -> list[psutil.Process]:
    """Processes that work in a folder, whoever started them."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != psutil.Process().pid and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _described(pid: int) -> str:
    try:
        return f"{pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})"
    except psutil.Error:
        return str(pid)
