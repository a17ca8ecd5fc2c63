"""The main job through the command line, on a whole stack: from images to a released, tested version.

Every command is a process of its own, as a person or a script runs it: what is asserted is stdout, stderr and
exit code.
"""

import csv
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from loupe.settings import load

from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings
from tests.faults import evidence

from .conftest import CODES, IMAGE, TRAINING, Loupe

pytestmark = pytest.mark.stack


def test_a_stack_that_runs_is_shown_and_not_started_twice(loupe: Loupe) -> None:
    """A script may begin with `up` whatever is there."""
    running = loupe.json("status")
    assert running["running"] is True
    assert {process["state"] for process in running["processes"]} == {"ready"}
    again = loupe("up", "--detach", "--json")
    assert again.value["alreadyRunning"] is True
    assert again.value["supervisorPid"] == running["supervisorPid"]


def test_a1_the_tokens_of_a_running_stack_are_rotated(loupe: Loupe) -> None:
    """All that follows here goes on with the new ones, by the same processes."""
    processes = loupe.json("status")["processes"]
    assert loupe.json("service-tokens", "rotate")["folder"] == str(loupe.data_dir / "service-tokens")
    assert "retire those first" in loupe("service-tokens", "rotate").stderr
    assert [one["pid"] for one in loupe.json("status")["processes"]] == [one["pid"] for one in processes]


def test_an_import_repeated_changes_nothing_and_sends_nothing(loupe: Loupe, panels: Path) -> None:
    """D2: resumable and idempotent; what is there is known by its content."""
    again = loupe.json("data", "import", panels, "--dataset", "panels")
    assert (again["added"], again["unchanged"], again["uploadedObjects"]) == (0, 35, 0)


def test_what_is_lost_is_told_with_its_cure_and_an_import_heals_it(loupe: Loupe, panels: Path) -> None:
    """D2: after a disk fault, who runs the installation learns what is gone, and what brings it back."""
    assert loupe.json("check", "--read")["lostCount"] == 0
    file = panels / "TPFIP" / "P000_1.jpg"
    key = f"samples/{hashlib.sha256(file.read_bytes()).hexdigest()}"
    objects = BlockingObjectStore(
        load(ObjectStoreSettings, evidence.seaweed(loupe.data_dir).settings.environment())
    )
    objects.delete(key)
    objects.close()
    found = loupe("check", "--json")
    assert found.code == 1
    (finding,) = json.loads(found.stdout)["findings"]
    assert (finding["kind"], finding["subject"]) == ("KIND_MISSING", key)
    assert finding["resource"] == "datasets/panels/paths/main"
    assert "重新导入" in loupe("check", "--lang", "zh").stdout
    again = loupe.json("data", "import", panels, "--dataset", "panels")
    assert (again["added"], again["unchanged"], again["uploadedObjects"]) == (0, 35, 1)
    assert loupe.json("check")["lostCount"] == 0


def test_an_import_names_what_it_could_not_take(loupe: Loupe, panels: Path, tmp_path: Path) -> None:
    """D4: an empty, a truncated and a mislabelled file are told with their reasons; the good one is taken."""
    code = tmp_path / "TPFIP"
    code.mkdir()
    good = (panels / "TPFIP" / "P000_1.jpg").read_bytes()
    (code / "good.jpg").write_bytes(good)
    (code / "empty.jpg").write_bytes(b"")
    (code / "cut.jpg").write_bytes(good[: len(good) // 2])
    (code / "lies.png").write_bytes(good)
    (code / "notes.txt").write_text("x")
    done = loupe.json("data", "import", tmp_path, "--dataset", "bad-files")
    assert done["added"] == 1
    assert {item["file"]: item["reason"] for item in done["rejected"]} == {
        "TPFIP/empty.jpg": "EMPTY",
        "TPFIP/cut.jpg": "TRUNCATED",
        "TPFIP/lies.png": "TYPE_MISMATCH",
    }
    assert [item["file"] for item in done["leftOut"]] == ["TPFIP/notes.txt"]


def test_a_training_completes_with_stages_progress_and_report(loupe: Loupe, trained: dict[str, Any]) -> None:
    """M1, E1: what the watcher saw at the end is whole."""
    assert trained["state"] == "TASK_STATE_COMPLETED"
    assert trained["progress"]["overallFraction"] == 1
    stages = {stage["name"]: stage for stage in trained["stages"]}
    assert stages["STAGE_NAME_RESOLUTION_FILTER"]["nonconformingCount"] == "1"
    split = stages["STAGE_NAME_SPLIT"]
    assert int(split["trainCount"]) + int(split["validationCount"]) == 34
    report = loupe.json("report", trained["name"])
    assert report["kind"] == "REPORT_KIND_VALIDATION"
    assert report["codeList"] == CODES
    assert int(report["overall"]["sampleCount"]) == int(split["validationCount"])
    found = [task["name"] for task in loupe.json("tasks", "--name", "PANEL")["tasks"]]
    assert trained["name"] in found


def test_m1_a_training_shows_what_its_augmentation_does(
    loupe: Loupe, trained: dict[str, Any], tmp_path: Path
) -> None:
    """Before and after, as a file that opens."""
    saved = loupe.json("contact-sheet", trained["name"], "-o", tmp_path / "sheet.jpg")
    assert (tmp_path / "sheet.jpg").stat().st_size == saved["sizeBytes"]
    assert (tmp_path / "sheet.jpg").read_bytes().startswith(b"\xff\xd8")
    assert trained["stages"][2]["contactSheetSha256"]
    assert "contact-sheet" in loupe("task", trained["name"]).stdout


def test_the_same_request_gives_the_same_task(loupe: Loupe, trained: dict[str, Any], tmp_path: Path) -> None:
    """W12: a script that lost the answer sends again, and trains nothing twice."""
    params = tmp_path / "model.json"
    params.write_text(
        json.dumps({"classification": {"name": "ResNet18", "num_of_classes": 5}, "code_list": CODES})
    )
    again = loupe.json(
        "train", "--name", "panel-adc", "--image", IMAGE, "--dataset", "panels", "--model-params", params,
        "--environment", "demo-fab-cell-array", "--augment", "flip,colour", "--filter-resolution",
        "--request-id", "e2e-1", *TRAINING,
    )  # fmt: skip
    assert again["name"] == trained["name"]


def test_a_task_is_found_by_its_name_its_id_and_the_beginning_of_its_id(
    loupe: Loupe, trained: dict[str, Any]
) -> None:
    """People copy ids from tables and shorten them."""
    identifier = trained["name"].removeprefix("tasks/")
    for text in (trained["name"], identifier, identifier[:-2]):
        assert loupe.json("task", text)["name"] == trained["name"]
    unknown = loupe("task", "nosuchtask")
    assert (unknown.code, unknown.stdout) == (1, "")
    assert "no task's id begins with 'nosuchtask'" in unknown.stderr


def test_a_watch_of_an_ended_task_tells_its_end_and_its_curve_line_by_line(
    loupe: Loupe, trained: dict[str, Any]
) -> None:
    """Without a terminal: a line per change, and no control characters."""
    done = loupe("watch", trained["name"])
    assert done.code == 0
    assert "\x1b" not in done.stdout
    assert "resolution filter: done" in done.stdout
    # Another test may have released it meanwhile.
    assert any(state in done.stdout.splitlines()[-1] for state in ("COMPLETED", "RELEASED"))


def test_the_log_of_the_training_can_be_read(loupe: Loupe, trained: dict[str, Any]) -> None:
    """M3: each network has its own log."""
    log = loupe.json("logs", trained["name"])
    assert log["lines"]
    assert loupe("logs", trained["name"]).stdout.splitlines() == log["lines"]
    assert loupe.json("logs", trained["name"], "--attempt", "1")["lines"] == log["lines"]


def test_m6_the_curve_of_an_attempt_is_printed_as_csv(loupe: Loupe, trained: dict[str, Any]) -> None:
    """A curve is reachable without the console, also that of an earlier attempt."""
    known = loupe.json("curve", trained["name"], "--points", "0")
    assert known["attempt"] == 1
    head, *rows = loupe("curve", trained["name"], "--points", "0", "--attempt", "1").stdout.splitlines()
    assert head == "iteration,loss"
    assert [row.split(",")[0] for row in rows] == known["iterations"]
    refused = loupe("curve", trained["name"], "--attempt", "2")
    assert (refused.code, refused.stdout) == (1, "")
    assert "has attempts 1 to 1, not 2" in refused.stderr


def test_m1a_what_was_set_aside_is_listed_with_size_and_rule(
    loupe: Loupe, trained: dict[str, Any], tmp_path: Path
) -> None:
    """One strip is too low for the filter; the same list is a file."""
    (sample,) = loupe.json("nonconforming", trained["name"])["samples"]
    assert sample["reason"] == "RESOLUTION_TOO_LOW"
    assert 0 < sample["height"] < 32
    assert "短边" in sample["messageZh"]
    assert f"{sample['width']}×{sample['height']}" in loupe("nonconforming", trained["name"]).stdout
    loupe.json("nonconforming", trained["name"], "-o", tmp_path / "list.csv")
    (row,) = csv.DictReader((tmp_path / "list.csv").read_text(encoding="utf-8-sig").splitlines())
    assert (row["file"], row["height"]) == (sample["file"], str(sample["height"]))


def test_m6_the_history_of_a_task_names_who_did_what(loupe: Loupe, trained: dict[str, Any]) -> None:
    """A person submitted it, workers trained and judged it."""
    found = loupe.json("history", trained["name"])["transitions"]
    assert [one["to"] for one in found][:3] == [
        "TASK_STATE_WAITING",
        "TASK_STATE_TRAINING",
        "TASK_STATE_COMPLETED",
    ]
    assert found[0]["cause"] == trained["creator"]
    assert all(one["cause"].startswith("workers/") for one in found[1:3])
    assert found[0]["cause"] in loupe("history", trained["name"]).stdout


def test_a_release_is_v3_01_and_happens_once(
    loupe: Loupe, trained: dict[str, Any], released: dict[str, Any]
) -> None:
    """R1, R2: the number comes from the image's major and the count of releases; twice is refused."""
    assert released["modelVersion"] == "models/panel-adc/versions/v3.01"
    assert loupe.json("models", "panel-adc@latest")["task"] == trained["name"]
    assert [model["name"] for model in loupe.json("models")["models"]] == ["models/panel-adc"]
    twice = loupe("release", trained["name"])
    assert (twice.code, twice.stdout) == (1, "")
    assert "RELEASED" in twice.stderr
    deleted = loupe("delete", trained["name"])
    assert deleted.code == 1
    # W13: filled in with its answers, it could be submitted as it is.
    checked = loupe.json("train", "--retrain", "panel-adc@v3.01", "--check")
    assert (checked["valid"], checked["findings"]) == (True, [])
    # W14: the training above was measured.
    assert checked["summary"]["networks"][0]["measuredCount"] == 1
    assert checked["summary"]["estimatedDuration"].endswith("s")


def test_a_version_is_tested_against_a_question_bank(
    loupe: Loupe, released: dict[str, Any], bank: Path
) -> None:
    """P1 to P4, P7: a clean prediction's report becomes the version's; its samples can be listed."""
    version = "panel-adc@v3.01"
    assert released["modelVersion"]
    assert bank.is_dir()
    assert loupe.json("report", version)["kind"] == "REPORT_KIND_VALIDATION"
    wish = ("predict", version, "--filter-resolution", "--watch")
    overlapping = loupe.json(*wish, "--dataset", "panels", "--acknowledge-training-overlap")
    assert loupe.json("report", overlapping["name"])["trainingOverlap"]["affectedSampleCount"] == "35"
    assert loupe.json("report", version)["kind"] == "REPORT_KIND_VALIDATION"
    assert "no official report" in loupe("report", version).stderr
    assert "none" in loupe("models", version).stdout
    task = loupe.json(*wish, "--dataset", "bank")
    assert task["state"] == "TASK_STATE_COMPLETED"
    report = loupe.json("report", version)
    assert report["trainingOverlap"]["affectedSampleCount"] == "0"
    assert report["name"] in loupe("models", version).stdout
    assert (report["kind"], report["task"]) == ("REPORT_KIND_PREDICTION", task["name"])
    assert int(report["overall"]["sampleCount"]) + int(report["nonconformingCount"]) == 35
    listed = loupe.json("samples", version, "--limit", "1000")["results"]
    assert len(listed) == 35
    strange = loupe.json("samples", version, "--verdict", "nonconforming")["results"]
    assert [item["file"] for item in strange] == ["TPFIP/P000_strip.jpg"]
    assert strange[0]["reason"].startswith("RESOLUTION")
    page = loupe("report", version).stdout
    assert "confusion matrix" in page
    assert "Wilson" in page


def test_x_a_version_is_exported_and_its_package_verified(
    loupe: Loupe, released: dict[str, Any], panels: Path, tmp_path: Path
) -> None:
    """X: the main job's last step; what is saved is the registry's file, and says what the version says."""
    file = tmp_path / "adc.zip"
    saved = loupe("export", "panel-adc@latest", "-o", file, "--json")
    assert (saved.value["file"], "packaged by tasks/" in saved.stderr) == (str(file), True)
    with zipfile.ZipFile(file) as package:
        assert len(package.namelist()) == 3
    keys = tmp_path / "keys.pem"
    (key,) = loupe.json("keys", "-o", keys)["keys"]
    told = loupe.json("verify", file, "--key", keys)
    assert (told["isSigned"], told["signingKey"]) == (True, key["fingerprint"])
    assert told["task"].startswith("tasks/")
    told = loupe.json("verify", file, panels)
    assert told["isSigned"] is True
    assert told["modelVersion"] == released["modelVersion"]
    assert told["agrees"] is True
    assert told["isReleasedFile"] is True
    assert told["images"] == 35
    assert 0 <= told["largestScoreDifference"] <= told["scoreTolerance"]


def test_a_report_is_looked_into_exported_and_compared(
    loupe: Loupe, trained: dict[str, Any], released: dict[str, Any], tmp_path: Path
) -> None:
    """E2, P2, P4: by the same commands on a task's report and, later, on a version's."""
    task = trained["name"]
    assert released["name"] == task
    for suffix in ("json", "csv", "html"):
        assert loupe("report", task, "--output", tmp_path / f"report.{suffix}").code == 0
    count = int(loupe.json("report", task)["overall"]["sampleCount"])
    with (tmp_path / "report.csv").open(newline="") as lines:
        assert len([row for row in csv.DictReader(lines) if row["predicted_code"]]) == count
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "混淆矩阵" in page
    assert json.loads((tmp_path / "report.json").read_text())
    assert "TO A HUMAN" in loupe("report", task, "--threshold", "0.5").stdout
    assert "No sample changed" in loupe("compare", task, task).stdout
    assert loupe("suspects", task).code == 0
    listed = loupe.json("samples", task, "--limit", "1000")["results"]
    saved = loupe("samples", task, "--download", tmp_path / "all.zip")
    assert saved.code == 0, saved.stderr
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(listed) + 1
        assert "index.csv" in archive.namelist()


def test_events_can_be_asked_for_again_from_the_first(loupe: Loupe, released: dict[str, Any]) -> None:
    """I2: a subscriber sees every state transition of a task in order, and can ask for all of them again."""
    subject = f"loupe.tasks.{released['name'].removeprefix('tasks/')}.state"
    states = [
        event["event"]["transition"]["to"].removeprefix("TASK_STATE_")
        for event in loupe.json("events", "--subject", subject)
    ]
    assert states == ["WAITING", "TRAINING", "COMPLETED", "RELEASED"]
    followed = loupe("events", "--follow", "--since", "1", "--subject", subject, "--limit", "4", "--json")
    lines = [json.loads(line) for line in followed.stdout.splitlines()]
    assert [line["event"]["transition"]["to"].removeprefix("TASK_STATE_") for line in lines] == states


def test_wrong_requests_are_refused_with_every_fault_and_nothing_on_stdout(
    loupe: Loupe, panels: Path, tmp_path: Path
) -> None:
    """W: malformed JSON with its line, an unknown key with the nearest known one, a bad name: exit code 1."""
    assert panels.is_dir()
    malformed = tmp_path / "malformed.json"
    malformed.write_text(
        '{\n  "classification": {"name": "ResNet18", "num_of_classes": 5}\n  "code_list": []\n}'
    )
    common = ("--image", IMAGE, "--dataset", "panels", "--environment", "demo-fab-cell-array")
    done = loupe("train", "--name", "m-1", *common, "--model-params", malformed)
    assert (done.code, done.stdout) == (1, "")
    assert "line 3" in done.stderr
    assert "model_params" in done.stderr
    done = loupe("train", "--name", "m-1", *common, "--set", "base_rl=0.1")
    assert (done.code, done.stdout) == (1, "")
    assert "base_lr" in done.stderr
    done = loupe("train", "--name", "1-bad-", *common, "--set", "max_iter=0")
    assert (done.code, done.stdout) == (1, "")
    assert "model_name" in done.stderr
    assert "max_iter" in done.stderr
    chinese = loupe("train", "--name", "1-bad-", *common, "--check", language="zh_CN.UTF-8")
    assert (chinese.code, chinese.stdout) == (1, "")
    assert "支持 a-z" in chinese.stderr
    chosen = loupe("train", "--check", "1", "--name", "1-bad-", "--lang", "zh")
    assert chosen.code == 1
    assert "支持 a-z" in chosen.stderr
    assert "未选择镜像版本" in chosen.stderr
    step = loupe("train", "--check", "3", "--name", "1-bad-", *common, "--set", "max_iter=0", "--json")
    assert step.code == 1
    answer = json.loads(step.stdout)
    assert [(one["field"], one["reason"]) for one in answer["findings"]] == [
        ("training_params.classification.max_iter", "OUT_OF_RANGE")
    ]
    assert answer["valid"] is False
    sound = loupe.json("train", "--check", "--name", "m-1", *common, "--set", "batch_size=16")
    assert (sound["valid"], sound["findings"]) == (True, [])
    # W14: what would be trained, in JSON and as tables.
    assert [one["code"] for one in sound["summary"]["codes"]] == CODES
    assert sound["summary"]["networks"][0]["batchSize"] == "16"
    shown = loupe("train", "--check", "--name", "m-1", *common, "--set", "batch_size=16").stdout
    assert "drawn at submission" in shown
    # W15: 30 samples of the classes, of which 25 train.
    (warning,) = loupe.json("train", "--check", "--name", "m-1", *common)["findings"]
    assert (warning["reason"], warning["step"]) == ("BATCH_LARGER_THAN_TRAINING_SIDE", 3)


def test_who_may_not_is_told_and_who_is_unknown_too(loupe: Loupe, panels: Path) -> None:
    """A1, A2: a viewer looks and submits nothing; an unknown token looks at nothing."""
    assert panels.is_dir()
    loupe.json("users", "create", "watcher", "--role", "viewer")
    made = loupe.json("tokens", "create", "watcher", "--role", "viewer", "--days", "1")
    assert json.loads(loupe("whoami", "--json", token=made["secret"]).stdout)["name"] == "users/watcher"
    assert loupe("tasks", token=made["secret"]).code == 0
    submit = ("train", "--name", "m-2", "--image", IMAGE, "--dataset", "panels")
    refused = loupe(*submit, "--environment", "demo-fab-cell-array", token=made["secret"])
    assert (refused.code, refused.stdout) == (1, "")
    assert "VIEWER" in refused.stderr.upper()
    unknown = loupe("tasks", token="loupe_nobody_" + "0" * 32)
    assert (unknown.code, unknown.stdout) == (1, "")
    assert loupe.json("tokens", "revoke", made["name"])["revoked"] is True
    assert loupe.json("users", "reset-password", "watcher")["oneTimePassword"].count("-") == 3
    changed = loupe.json("users", "update", "watcher", "--disable", "--role", "engineer")
    assert (changed["disabled"], changed["role"]) == (True, "ROLE_ENGINEER")
    assert changed["passwordState"] == "PASSWORD_STATE_ONE_TIME"
