"""The client's commands for tasks, against a real scheduler."""

import json
import secrets
from typing import Any

import pytest_asyncio
from loupe.scheduler.v1 import job_pb2, task_pb2
from loupe.server.v1 import server_pb2

from tests.support.commands import Command
from tests.support.waiting import eventually

from .conftest import CODES

SCHEDULER = "servers/scheduler"


@pytest_asyncio.fixture(loop_scope="session")
async def command(stack: Any) -> Command:
    """As an administrator, who may act on all tasks."""
    token = stack.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"]
    return Command.of(token, registry=stack.registry_address, scheduler=stack.address)


async def test_t1_a_task_is_terminated_started_and_deleted(bench: Any, command: Command) -> None:
    """Each command does what the state allows, and otherwise prints the reason."""
    task = (await bench.submit()).name
    for verb in ("terminate", "start", "release"):
        assert "WAITING" in await command.refused(verb, task)
    held = await bench.worker.acquire()
    assert "terminating" in (await command.text("terminate", task)).lower()
    await held.terminated()
    assert (await command.json("task", task))["state"] == "TASK_STATE_TERMINATED"
    assert "attempt 2" in await command.text("start", task)
    held = await bench.worker.acquire()
    assert "TRAINING" in await command.refused("delete", task)
    await held.failed("NAN_LOSS")
    assert "NAN_LOSS" in await command.text("task", task)
    assert await command.json("delete", task.removeprefix("tasks/")) == {"deleted": task}
    for verb in ("task", "terminate", "start", "delete", "release", "logs", "watch", "contact-sheet"):
        assert "loupe tasks" in await command.refused(verb, task), verb


async def test_t9_a_worker_is_drained_listed_and_undrained(
    bench: Any, command: Command, new_worker: Any
) -> None:
    """T9: with a sentence at each step, in both languages, and the state where workers are listed."""
    name = f"workers/{secrets.token_hex(4)}"
    worker, short = new_worker(bench.stack, bench.resource, name), name.removeprefix("workers/")
    await bench.submit()
    held = await worker.acquire()
    drained = await command.text("workers", "drain", short)
    assert held.lease.task.removeprefix("tasks/") in drained
    assert "DRAINING" in await command.text("workers", "list")
    await held.give_back()
    assert "is drained" in await command.text("workers", "drain", short, "--wait")
    told = await command.text("system")
    assert "DRAINED" in told
    assert "1 WORKERS_DRAINED" in told
    assert "已恢复接单" in await command.text("workers", "undrain", short, "--lang", "zh")
    assert "DRAINED" not in await command.text("workers", "list")
    assert "loupe system" in await command.refused("workers", "drain", "nobody")
    assert "没有名为" in await command.refused("workers", "drain", "nobody", "--lang", "zh")


async def test_system_tells_of_replicas_events_and_what_needs_attention(bench: Any, command: Command) -> None:
    """A server that does not answer is one line; what stands still is said with its remedy."""
    await bench.stack.execute(
        "INSERT INTO dead_letter (id, consumer, message_id, subject, headers, payload, reason, detail) "
        "VALUES (gen_random_uuid(), 'c', 'm', 's', '{}', '', 'R', 'd')"
    )
    older = server_pb2.Replica(
        address="10.0.0.9:7102",
        version="0.0.9",
        needs=[server_pb2.Replica.Need(name="database", state="DATABASE_UNAVAILABLE")],
        disks=[server_pb2.Disk(name="data", free_bytes=4 * 10**9, size_bytes=10**11)],
        certificates=[server_pb2.Certificate(name="tls")],
    )
    await bench.stack.execute(
        # Heard of in an hour: the test may take long.
        "INSERT INTO replicas (id, description, heard_time) "
        "VALUES (gen_random_uuid(), :description, now() + interval '1 hour')",
        description=older.SerializeToString(),
    )

    async def streams() -> bool:
        (server,) = [one for one in (await command.json("system"))["servers"] if one["name"] == SCHEDULER]
        return len(server.get("streams", [])) == 2 and bool(server.get("consumers"))

    await eventually(streams)
    told = await command.text("system")
    for part in (
        bench.stack.address,
        older.address,
        "0.0.9",
        "stream TASKS",
        "consumer scheduler-releases",
        "4 %",
    ):
        assert part.replace(" %", "%") in told or part in told, part
    found = await command.json("system")
    assert [one["reason"] for one in found["attention"]] == [
        "SEVERAL_VERSIONS",
        "DEAD_LETTERS",
        "NOT_READY",
        "DISK_ALMOST_FULL",
        "CERTIFICATE_EXPIRES",
    ]
    assert all(one["message"] and one["messageZh"] != one["message"] for one in found["attention"])
    assert [one["name"] for one in found["servers"] if "reason" in one] == ["servers/evaluator"]
    assert "同时运行着多个版本" in await command.text("system", "--lang", "zh")


async def test_t3_tasks_are_filtered(bench: Any, command: Command) -> None:
    name = f"m-{secrets.token_hex(5)}"
    task = (await bench.submit(model_name=name)).name

    async def found(*options: str) -> list[str]:
        return [its["name"] for its in (await command.json("tasks", "--name", name, *options))["tasks"]]

    assert await found("--state", "waiting", "--creator", bench.engineer.name) == [task]
    assert await found("--kind", "prediction") == []
    assert await found("--environment", "demo-fab-cell-array") == [task]
    assert await found("--state", "completed") == []
    assert "no task" in await command.text("tasks", "--name", name, "--creator", "nobody")
    assert "sleeping" in await command.refused("tasks", "--state", "sleeping")


async def test_p7_a_prediction_on_training_data_must_be_acknowledged(bench: Any, command: Command) -> None:
    """P7: a prediction on training data is reported before and after it, with the remedy."""
    dataset = bench.data_path.split("/")[1]
    version = "@".join((await bench.released()).model_version.split("/")[1::2])
    wish = ("predict", version, "--dataset", dataset, "--resource", bench.resource)
    refusal = await command.refused(*wish)
    assert "12 of 12 samples" in refusal
    assert "--acknowledge-training-overlap" in refusal
    submitted = await command(*wish, "--acknowledge-training-overlap")
    assert (submitted.exit_code, "submitted tasks/" in submitted.stdout) == (0, True)
    assert "12 of 12 samples" in submitted.stderr
    assert "official" in submitted.stderr
    (task,) = (await command.json("tasks", "--kind", "prediction", "--name", version.partition("@")[0]))[
        "tasks"
    ]
    assert task["prediction"]["trainingOverlap"]["affectedSampleCount"] == "12"
    assert "12 of 12 samples" in await command.text("task", task["name"])


async def test_p7_who_makes_a_bank_is_told_of_trainings_with_its_data(bench: Any, command: Command) -> None:
    """P7: in the reader's language, and a bank is made though the scheduler does not answer."""
    task = await bench.submit()
    bank, path = f"b-{secrets.token_hex(4)}", bench.data_path.removeprefix("datasets/").replace("/paths", "")
    made = await command.json("banks", "create", bank, "--environment", "demo-fab-cell-array", "--path", path)
    assert task.name in made["trainings"]
    assert f"{task.name.removeprefix('tasks/')} ({task.training.model_name})" in await command.text(
        "banks", "show", bank
    )
    assert "正在等待或运行" in await command.text("banks", "show", bank, "--lang", "zh")
    alone = Command({**command.environ, "LOUPE_SCHEDULER_ADDRESS": "127.0.0.1:9"})
    shown = await alone("banks", "show", bank, "--json")
    assert shown.exit_code == 0, shown.stderr
    assert json.loads(shown.stdout)["trainings"] is None
    assert "unknown" in shown.stderr
    await command.text("banks", "archive", bank)
    await command.text("delete", task.name)


async def test_w_a_submission_that_names_nothing_known_is_refused(
    bench: Any, command: Command, path_importer: Any
) -> None:
    """An error in a script names the missing resource."""
    dataset = bench.data_path.split("/")[1]
    sound = {"--name": "m-1", "--image": "surface-classification", "--dataset": dataset}
    for option, value in (("--image", "none"), ("--dataset", "none")):
        arguments = [word for pair in {**sound, option: value}.items() for word in pair]
        assert "none" in await command.refused("train", *arguments)
    released = (await bench.released()).model_version
    model = released.split("/")[1]
    assert "none" in await command.refused("predict", f"{model}@v3.01", "--dataset", "none")
    assert "v3.09" in await command.refused("predict", f"{model}@v3.09", "--dataset", dataset)
    assert "question bank" in await command.refused("predict", f"{model}@v3.01")
    bank = await path_importer(bench.engineer, f"bank-{secrets.token_hex(4)}", "p", {"TPFIP": 1})
    submitted = await command.json(
        "predict", f"{model}@v3.01", "--dataset", bank.split("/")[1], "--resource", bench.resource
    )
    assert task_pb2.TaskState.Value(submitted["state"]) == task_pb2.TASK_STATE_WAITING


async def test_w3a_a_training_tells_which_codes_it_trains(bench: Any, command: Command) -> None:
    """W3: without model parameters the codes come from the data, and the command lists them."""
    submit = (
        "train", "--image", "surface-classification", "--dataset", bench.data_path.split("/")[1],
        "--environment", "demo-fab-cell-array", "--resource", bench.resource, "--acknowledge-missing-paths",
    )  # fmt: skip
    done = await command(*submit, "--name", f"m-{secrets.token_hex(5)}")
    (task,) = [word.strip(":") for word in done.stdout.split() if word.startswith("tasks/")]
    trained = await bench.get(task)
    codes = list(trained.training.model_params["code_list"])
    classes = int(trained.training.model_params["classification"]["num_of_classes"])
    assert f"trains {classes} classes ({', '.join(codes[:classes])})" in done.stdout
    assert "CODES_OF_THE_DATA" in done.stderr
    told = await command.json(*submit, "--name", f"m-{secrets.token_hex(5)}")
    assert told["training"]["modelParams"]["code_list"] == codes


async def test_t4_the_system_is_seen_at_one_look(bench: Any, command: Command, new_worker: Any) -> None:
    """Versions, workers with leases and free amounts, waiting jobs with causes; a missing server is named."""
    # Somebody else answers there: as good as a dead address, and sooner.
    command = Command({**command.environ, "LOUPE_EVALUATOR_ADDRESS": bench.stack.address})
    name = f"workers/{secrets.token_hex(4)}"
    room = job_pb2.Amounts(cpus=2, memory_bytes=2**31)
    worker = new_worker(bench.stack, bench.resource, name, room, version="0.1.0", device="abacus")
    task = (await bench.submit()).name
    await worker.acquire()
    for _ in range(2):
        await bench.submit()
    told = await command.json("system")
    assert {one["name"]: "message" in one for one in told["servers"]} == {
        "servers/registry": False,
        "servers/scheduler": False,
        "servers/evaluator": True,
    }
    (listed,) = [one for one in told["workers"] if one["name"] == name]
    assert (listed["presence"], listed["device"]) == ("WORKER_PRESENCE_BUSY", "abacus")
    assert [one["task"] for one in listed["leases"]] == [task]
    (queued,) = [one for one in told["queue"]["resources"] if one["computeResource"] == bench.resource]
    assert (queued["waitingCount"], queued["runningCount"]) == ("2", "1")
    assert [(one["reason"], one["count"]) for one in queued["waiting"]] == [("ALL_WORKERS_BUSY", "2")]
    text = await command.text("system")
    for part in (
        task.removeprefix("tasks/"),
        "abacus",
        "BUSY",
        "2 ALL_WORKERS_BUSY",
        "1 CPU, 1.1 GB of 2 CPU",
    ):
        assert part in text, part


async def test_p8_what_became_of_tests_after_releases_is_told(
    bench: Any, command: Command, path_importer: Any, eventually: Any
) -> None:
    """P8: with the task, or in the person's language why there is none."""
    dataset = f"set-{secrets.token_hex(4)}"
    trained = await path_importer(bench.engineer, dataset, "p", dict.fromkeys(CODES, 4))
    training = await bench.completed(data_paths=[trained])
    bank = f"b-{secrets.token_hex(4)}"
    wish = ("--environment", "demo-fab-cell-array", "--path", f"{dataset}/p", "--resource")
    await command.json(
        "banks", "create", bank, *wish, bench.resource.partition("/")[2], "--run-after-release"
    )
    assert "no test; " in await command.text("banks", "runs", bank)
    assert "questionBanks/" in await command.refused("banks", "runs", "a/b")
    version = (await command.json("release", training.name))["modelVersion"]

    async def told() -> list[dict[str, Any]]:
        # A version that another test released a moment ago in this environment may be tested too.
        runs = (await command.json("banks", "runs", bank))["runs"]
        return [run for run in runs if run["modelVersion"] == version]

    await eventually(told)
    (run,) = await told()
    assert (run["task"], run["refusals"][0]["reason"]) == ("", "NOTHING_LEFT")
    assert len((await command.json("banks", "runs", bank, "--limit", "1"))["runs"]) == 1
    text = await command.text("banks", "runs", bank)
    assert "refused, NOTHING_LEFT" in text
    chinese = Command({**command.environ, "LC_ALL": "zh_CN.UTF-8"})
    assert "请选择其他题库" in await chinese.text("banks", "runs")
    await command.json("banks", "archive", bank)
