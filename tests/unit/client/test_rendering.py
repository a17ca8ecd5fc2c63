"""What people see of numbers, tasks and reports."""

import json
import math
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from loupe import names
from loupe.commands.images import whole_numbers
from loupe.commands.session import Output
from loupe.commands.train import apply_settings
from loupe.evaluator.v1 import comparison_pb2, report_pb2
from loupe.progress import LineScreen, picture
from loupe.registry.v1 import algorithm_image_pb2, model_pb2
from loupe.rendering import (
    comparison,
    human_duration,
    judged,
    message_json,
    report,
    sparkline,
    table,
    task_details,
    task_table,
    threshold_curves,
)
from loupe.scheduler.v1 import bank_run_pb2, task_pb2
from loupe.text import visible
from loupe.watching import Curve, TaskView
from rich.console import Console, RenderableType

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def _text(renderable: RenderableType, width: int = 160) -> str:
    console = Console(width=width, no_color=True, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


@pytest.mark.parametrize(
    ("seconds", "told"), [(4.24, "4.2 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations_read_as_people_say_them(seconds: float, told: str) -> None:
    """No `0:03:05.000000` where a person looks."""
    assert human_duration(seconds) == told


def test_a_sparkline_shows_the_course_in_the_given_width() -> None:
    """Falling losses must look falling, whatever their number; a gap stays a gap."""
    line = sparkline([math.exp(-i / 200) for i in range(1000)], 20)
    assert len(line) == 20
    assert (line[0], line[-1]) == ("█", "▁")
    assert list(line) == sorted(line, reverse=True)
    assert sparkline([1.0], 20) == "▁"
    assert sparkline([], 20) == ""
    assert sparkline([1.0, math.nan, 0.0], 3) == "█ ▁"
    assert sparkline([math.nan], 3) == ""


def test_short_names_lead_back_to_resources() -> None:
    """What a table shows can be typed into the next command."""
    assert names.model_version(names.short("models/m/versions/v3.01")) == "models/m/versions/v3.01"
    assert names.data_path(names.short("datasets/d/paths/p")) == "datasets/d/paths/p"
    assert names.short("tasks/0197") == "0197"
    assert names.data_path("p", "d") == "datasets/d/paths/p"
    for wrong in ("m", "m@", "@v1", "a/b@v1"):
        with pytest.raises(names.BadName, match="NAME@VERSION"):
            names.model_version(wrong)


def _task(**fields: object) -> task_pb2.Task:
    task = task_pb2.Task(
        name="tasks/0197aa",
        state=task_pb2.TASK_STATE_TRAINING,
        phase=task_pb2.PHASE_TRAINING,
        attempt=1,
        creator="users/ada",
        training=task_pb2.TrainingSpec(model_name="panel-adc", target_major=3),
        progress=task_pb2.Progress(
            fraction=0.5, overall_fraction=0.45, iteration=150, max_iteration=300, images_per_s=27.5,
            learning_rate=0.011, remaining=Duration(seconds=125), remaining_low=Duration(seconds=100),
            remaining_high=Duration(seconds=180),
        ),
        stages=[
            task_pb2.Stage(
                name=task_pb2.STAGE_NAME_RESOLUTION_FILTER, state=task_pb2.STAGE_STATE_DONE,
                duration=Duration(seconds=2), sample_count=320, nonconforming_count=4,
            ),
            task_pb2.Stage(
                name=task_pb2.STAGE_NAME_SPLIT, state=task_pb2.STAGE_STATE_DONE,
                train_count=252, validation_count=64,
            ),
        ],
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip
    task.start_time.FromDatetime(NOW - timedelta(seconds=65))
    return task


def test_the_monitor_shows_what_m1_to_m3_ask_for() -> None:
    """Stages, progress, ETA with its uncertainty, rate, throughput, loss and accuracy on one screen."""
    curves = {
        "classification": Curve(losses=[2.0, 1.0, 0.5], validation={2: 0.9}),
        "segmentation": Curve(losses=[2.0], validation={1: 0.25}),
    }
    told = _text(picture(TaskView(task=_task(), curves=curves), NOW, 160))
    for part in (
        "panel-adc v3", "TRAINING", "1 min 05 s", "resolution filter", "320 samples, 4 nonconforming",
        "252 to train with, 64 to validate with", "45%", "about 2 min 05 s (1 min 40 s – 3 min 00 s)",
        "iteration 150/300", "27.5 images/s", "lr 0.011", "0.5000", "validation accuracy 90.0 %",
        "validation IoU 25.0 %",
    ):  # fmt: skip
        assert part in told


def test_a_lost_connection_and_a_recovery_are_shown() -> None:
    """A frozen picture without a word is taken for a frozen training (T5)."""
    told = _text(picture(TaskView(task=_task(recoveries=2), disconnected=True), NOW, 160))
    assert "connection lost" in told
    assert "taken up again 2×" in told


def test_plain_output_tells_every_change_once() -> None:
    """In a CI log each change is a line; the same view shown a hundred times is no news."""
    console = Console(width=200, no_color=True)
    view = TaskView(task=_task(), curves={"classification": Curve(losses=[0.5], attempt=1)})
    with console.capture() as captured, LineScreen(console) as screen:
        for _ in range(100):
            screen.show(view)
        view.curves["classification"].validation[2] = 0.75
        screen.show(view)
        view.task = _task(report="reports/r1")
        view.task.state = task_pb2.TASK_STATE_COMPLETED
        view.complete = True
        view.task.end_time.FromDatetime(NOW)
        screen.show(view)
        screen.show(view)
    progress = (
        "training 50% · iteration 150/300 · 27.5 images/s · lr 0.011 · classification loss 0.5000 · "
        "about 2 min 05 s (1 min 40 s – 3 min 00 s) left"
    )
    lines = [line.split(" ", 1)[1] for line in captured.get().splitlines()]
    assert lines == [
        "TRAINING: training",
        "resolution filter: done in 2.0 s, 320 samples, 4 nonconforming",
        "split: done, 252 to train with, 64 to validate with",
        progress,
        "classification: validation accuracy 75.0 % at iteration 2",
        "COMPLETED, reports/r1, after 1 min 05 s",
    ]


def test_the_list_shows_what_t3_asks_for() -> None:
    """Model, version (the target's major until released), state, creator, duration, progress."""
    waiting = _task()
    waiting.ClearField("start_time")
    waiting.state = task_pb2.TASK_STATE_WAITING
    released = _task(model_version="models/panel-adc/versions/v3.01")
    terminating = _task(terminating=True)
    told = _text(task_table([waiting, released, terminating], NOW)).splitlines()
    assert told[1].split()[:5] == ["0197aa", "panel-adc", "v3", "WAITING", "ada"]
    assert "v3.01" in told[2]
    assert "TERMINATING" in told[3]


def _estimate(numerator: int, denominator: int) -> report_pb2.Estimate:
    if not denominator:
        return report_pb2.Estimate()
    return report_pb2.Estimate(
        value=numerator / denominator, low=0.5, high=0.99, numerator=numerator, denominator=denominator
    )


def test_a_report_shows_its_numbers_and_says_what_they_mean() -> None:
    """E1: the report defines each term; 0 of 0 is a dash, never 0 %."""
    value = report_pb2.Report(
        name="reports/r1",
        kind=report_pb2.REPORT_KIND_VALIDATION,
        code_list=["TPFIP", "TTMUD", "TSFAS"],
        num_of_classes=2,
        overall=report_pb2.Overall(
            sample_count=10, correct_count=9, accuracy=_estimate(9, 10), majority_share=0.6
        ),
        codes=[
            report_pb2.CodeResult(code="TPFIP", support=6, precision=_estimate(6, 7), recall=_estimate(6, 6)),
            report_pb2.CodeResult(code="TTMUD", support=4, precision=_estimate(3, 3), recall=_estimate(3, 4)),
            report_pb2.CodeResult(
                code="TSFAS", special=True, precision=_estimate(0, 0), recall=_estimate(0, 0)
            ),
        ],
        confusion=report_pb2.ConfusionMatrix(size=3, counts=[6, 0, 0, 1, 3, 0, 0, 0, 0]),
        nonconforming_count=2,
        definitions=[
            report_pb2.Definition(
                term="[low–high]", term_zh="[下限–上限]", meaning="Wilson's", meaning_zh="Wilson 置信区间"
            )
        ],
    )
    told = _text(report(value))
    for part in (
        "validation split",
        "90.0 % [50.0–99.0]",
        "majority class 60.0 %",
        "TSFAS *",
        "[low–high]  Wilson's",
        "2 nonconforming",
    ):
        assert part in told
    row = next(line for line in told.splitlines() if line.startswith("TSFAS *"))
    assert row.split()[2:5] == ["0", "–", "–"]
    matrix = next(line for line in told.splitlines() if line.startswith("TTMUD") and "·" in line)
    assert matrix.split() == ["TTMUD", "1", "3", "·"]


def test_a_report_with_masks_shows_iou() -> None:
    """E1: overall and per code; a code in no mask has none."""
    value = report_pb2.Report(
        name="reports/r1",
        segmentation=report_pb2.Segmentation(
            sample_count=7, defect=report_pb2.IntersectionOverUnion(value=0.716), mean_iou=0.5
        ),
        codes=[
            report_pb2.CodeResult(code="A", iou=report_pb2.IntersectionOverUnion(value=0.25)),
            report_pb2.CodeResult(code="B", iou=report_pb2.IntersectionOverUnion()),
        ],
    )
    told = _text(report(value))
    assert "defect 71.6 %, mean over codes 50.0 %, of 7 samples with masks" in told
    assert "25.0 %" in next(line for line in told.splitlines() if line.startswith("A "))


def test_a_threshold_shows_what_it_leaves_to_the_model() -> None:
    """E2: a line a code, all first; what is 0 of 0 is a dash."""
    point = report_pb2.ThresholdPoint(precision=1.0, recall=0.5, to_human=0.25)
    curves = report_pb2.ThresholdCurves(
        thresholds=[0.9],
        overall=report_pb2.ThresholdCurve(points=[point]),
        codes=[report_pb2.ThresholdCurve(code="A", points=[report_pb2.ThresholdPoint()])],
    )
    lines = [line.split() for line in _text(threshold_curves(curves)).splitlines()]
    assert lines[1] == ["0.9", "all", "100.0", "%", "50.0", "%", "25.0", "%"]
    assert lines[2] == ["0.9", "A", "–", "–", "–"]


def test_a_comparison_shows_what_changed_and_what_it_proves() -> None:
    """P2: a difference of three pictures is not sold as progress, and what was left out is said."""
    three = comparison_pb2.Changes(
        fixed_count=3,
        unchanged_right_count=50,
        p_value=0.25,
        adjusted_p_value=0.25,
        conclusion=comparison_pb2.CONCLUSION_NO_DIFFERENCE_SHOWN,
        message="No difference is shown: …",
        message_zh="未显示差异：…",
    )
    value = comparison_pb2.Comparison(
        base="reports/a",
        candidate="reports/b",
        compared_count=53,
        candidate_only_count=4,
        overall=three,
        codes=[comparison_pb2.CodeChanges(code="A", changes=three)],
    )
    told = _text(comparison(value))
    assert "4 only in candidate" in told
    assert "No difference is shown: …" in told
    row = next(line for line in told.splitlines() if line.startswith("A "))
    assert row.split() == ["A", "3", "0", "50", "0", "0.25", "no", "difference", "shown"]


def test_json_has_every_field_so_that_scripts_need_no_defaults() -> None:
    """Jq must find `.terminating` on a task that is not terminating."""
    value = message_json(task_pb2.Task(name="tasks/1"))
    assert value["terminating"] is False
    assert value["state"] == "TASK_STATE_UNSPECIFIED"


def _image() -> algorithm_image_pb2.AlgorithmImageVersion:
    image = algorithm_image_pb2.AlgorithmImageVersion()
    image.default_training_params.update(
        {
            "classification": {"base_lr": 0.02, "max_iter": 300, "lr_policy": "poly"},
            "segmentation": {"max_iter": 300},
        }
    )
    return image


def test_single_settings_change_the_defaults_and_keep_whole_numbers_whole() -> None:
    """`--set max_iter=20` must send 20, not 20.0: the server asks for a count of batches (W8)."""
    text = apply_settings("", _image(), ["max_iter=20", "lr_policy=fixed", "segmentation.base_lr=1e-3"])
    assert json.loads(text) == {
        "classification": {"base_lr": 0.02, "max_iter": 20, "lr_policy": "fixed"},
        "segmentation": {"max_iter": 300, "base_lr": 0.001},
    }
    assert '"max_iter": 300' in text
    assert text == apply_settings(
        "", _image(), ["lr_policy=fixed", "segmentation.base_lr=1e-3", "max_iter=20"]
    )
    assert "300.0" not in text
    assert apply_settings('{"classification": {"gamma": 0.5}}', _image(), ["power=1"]) == (
        '{"classification": {"gamma": 0.5, "power": 1}}'
    )


def test_malformed_parameters_reach_the_server_as_they_were_written() -> None:
    """W3: the server names line and column; a client that complains first would tell less."""
    assert apply_settings('{"classification": ', _image(), ["max_iter=20"]) == '{"classification": '


def test_structs_come_back_with_whole_numbers() -> None:
    """A protobuf Struct turns 300 into 300.0; what is shown and sent again must be 300."""
    assert whole_numbers({"a": [300.0, 0.5], "b": {"c": 2.0, "d": True}}) == {
        "a": [300, 0.5],
        "b": {"c": 2, "d": True},
    }


def test_an_answer_is_json_whatever_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """`loupe verify` may find scores infinitely far apart; any parser must still read it."""
    measured = {"largestScoreDifference": math.inf, "rows": [{"iou": math.nan}, {"low": -math.inf}], "n": 0.5}
    Output(as_json=True).answer(measured, "")

    def refused(constant: str) -> object:
        pytest.fail(f"{constant} is no JSON")

    told = json.loads(capsys.readouterr().out, parse_constant=refused)
    assert told == {
        "largestScoreDifference": "Infinity",
        "rows": [{"iou": "NaN"}, {"low": "-Infinity"}],
        "n": 0.5,
    }
    message = comparison_pb2.CodeChanges(changes=comparison_pb2.Changes(p_value=math.inf))
    assert message_json(message)["changes"]["pValue"] == told["largestScoreDifference"]


def test_names_that_are_no_text_are_written_escaped(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """D7: bytes that are no UTF-8, or half a character from JSON, must not end the answer that names them."""
    names = ["\udcb2\udce2.png", "\ud800", "\u00a0\u202e中\x1b"]
    Output(as_json=True).answer({"files": names}, "")
    told = json.loads(capsysbinary.readouterr().out.decode("utf-8"))
    assert told == {"files": [r"\xb2\xe2.png", r"\ud800", "\u00a0\u202e中\x1b"]}
    Output(as_json=False).answer(None, table("FILE", rows=[(name,) for name in names]))
    shown = capsysbinary.readouterr().out.decode("utf-8")
    assert [line.rstrip() for line in shown.splitlines()[1:]] == [
        r"\xb2\xe2.png",
        r"\ud800",
        "\u00a0" + r"\u202e中\u001b",
    ]


def test_a_terminal_without_a_character_gets_it_escaped() -> None:
    """M6: the log of a failed task ends in Chinese, and Latin-1 terminals have none."""
    program = "from loupe import cli; cli.loupe = lambda: print('failed 失败'); cli.main()"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert told.stdout == b"failed \\u5931\\u8d25\n"


def test_what_breaks_a_row_is_escaped_in_names() -> None:
    """D7: a tab in a file's name would move the rest of its row."""
    assert visible("a\tb") == "a\\u0009b"


def test_e1_what_is_undefined_in_a_report_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    """E1: a code that no sample has would else read as one that is always wrong."""
    sure = report_pb2.Estimate(value=1, low=0.2, high=1, numerator=1, denominator=1)
    told = report_pb2.Report(
        overall=report_pb2.Overall(sample_count=1, correct_count=1, accuracy=sure, macro_recall=1),
        codes=[
            report_pb2.CodeResult(code="HERE", support=1, precision=sure, recall=sure, f1=1),
            report_pb2.CodeResult(code="ABSENT", precision=report_pb2.Estimate(denominator=3)),
        ],
    )
    Output(as_json=False).answer(None, report(told))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [
        "HERE",
        "1",
        "100.0",
        "%",
        "[20.0–100.0]",
        "100.0",
        "%",
        "[20.0–100.0]",
        "1.000",
        "0",
        "0",
    ] in lines
    assert ["ABSENT", "0", "–", "–", "–", "0", "0"] in lines
    assert ["macro", "precision", "–,", "recall", "100.0", "%,", "F1", "–"] in lines


def looks_at(**fields: float) -> model_pb2.NetworkLooks:
    """Looks at a network, the best of which is not the last."""
    known: dict[str, Any] = {
        "max_iteration": 400, "look_count": 20, "best_iteration": 300, "best_score": 0.972,
        "last_iteration": 400, "last_score": 0.951, "looks_since_best": 5,
    }  # fmt: skip
    return model_pb2.NetworkLooks(**known | fields)


def test_e4_task_and_report_say_of_which_look_the_weights_are(capsys: pytest.CaptureFixture[str]) -> None:
    """E4: both scores, the best with its iteration, and why a training ended early."""
    several = model_pb2.TrainingLooks(
        classification=looks_at(),
        segmentation=looks_at(best_iteration=320, last_iteration=320, last_score=0.972, look_count=16),
    )
    told = [
        "classifier: weights of iteration 300 of 400: validation accuracy 97.2 %",
        ", the best of 20 looks; last 95.1 %",
        "segmentation network: weights of iteration 320 of 400: validation IoU 97.2 %",
        ", the last and best of 16 looks",
        "; ended early after iteration 320: no better look among the last 5 (patience)",
    ]
    unjudged = model_pb2.NetworkLooks(max_iteration=400, look_count=1, best_iteration=400, last_iteration=400)
    nothing = ["weights of the last iteration, 400 of 400: nothing in the validation split to judge on"]
    equal = model_pb2.TrainingLooks(classification=looks_at(last_score=0.972))
    first = ["iteration 300 of 400", ", the first of the best of 20 looks; the last is as good"]
    cases = (
        (several, told),
        (equal, first),
        (model_pb2.TrainingLooks(classification=unjudged), nothing),
        (None, []),
    )
    for looks, expected in cases:
        for shown in (
            task_details(task_pb2.Task(training=task_pb2.TrainingSpec(), looks=looks), datetime.now(UTC)),
            report(report_pb2.Report(looks=looks)),
        ):
            Output(as_json=False).answer(None, shown)
            lines = " ".join(capsys.readouterr().out.split())
            assert [line for line in expected if line not in lines] == []
            assert ("weights of" in lines) == bool(expected)


def test_p8_what_was_judged_is_a_version_or_a_training_of_a_model() -> None:
    """Lists tell which model it is although it has no version, and the version once it has one."""
    version = "models/panel-adc/versions/v3.01"
    assert judged(task_pb2.PredictionSpec(model_version=version, model="panel-adc")) == "panel-adc@v3.01"
    training = bank_run_pb2.BankRun(training_task="tasks/01jx4k", model="panel-adc")
    assert judged(training) == "panel-adc, training 01jx4k"
    training.model_version = version
    assert judged(training) == "panel-adc@v3.01, training 01jx4k"
