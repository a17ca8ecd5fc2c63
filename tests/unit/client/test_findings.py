"""The table of what the wizard finds (rule W)."""

from typing import Any

import pytest
from loupe.findings import findings_table, refuses
from loupe.scheduler.v1 import task_pb2, task_service_pb2
from rich.console import Console

Finding = task_service_pb2.ValidateTaskResponse.Finding

# What the server fills in, and what is there to mend another field.
_NO_QUESTION = {
    "snapshots", "model_params", "training_params", "target_major", "acknowledge_missing_training_paths",
}  # fmt: skip
ACKNOWLEDGE = "acknowledge_missing_training_paths"


def finding(field: str, reason: str = "", text: str = "", text_zh: str = "", **more: Any) -> Finding:  # noqa: ANN401 -- of a message
    return Finding(field=field, reason=reason, message=text, message_zh=text_zh, **more)


FOUND = [
    finding("data_paths", "SAMPLES_OF_UNLISTED_CODES", "3 left out", "排除 3 个", warning=True),
    finding(ACKNOWLEDGE, "UNACKNOWLEDGED_MISSING_TRAINING_PATHS", "2 missing", "缺少 2 个",
            warning=True, acknowledge_with=ACKNOWLEDGE),
    finding("model_params.code_list[5]", "DUPLICATE_CODE", "A twice", "A 重复"),
]  # fmt: skip


def shown(findings: list[Finding]) -> list[str]:
    console = Console(width=220, no_color=True)
    with console.capture() as captured:
        console.print(findings_table(findings))
    return captured.get().splitlines()


def test_w_faults_come_first_and_each_names_the_option_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engineer mends the command line from the table, without looking fields up."""
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    head, first, second, last = shown(FOUND)
    assert head.split() == ["FIELD", "WHAT", "IS", "WRONG", "REMEDY"]
    assert "to acknowledge" in first
    assert "--acknowledge-missing-paths" in first
    assert second.split()[:2] == ["error", "model_params.code_list[5]"]
    assert "A twice [DUPLICATE_CODE]" in second
    assert second.rstrip().endswith("--model-params FILE")
    assert last.startswith("warning")
    assert [refuses(one) for one in FOUND] == [False, True, True]


def test_w_the_table_is_there_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    text = "\n".join(shown(FOUND))
    assert "处理办法" in text
    assert "A 重复" in text
    assert "--model-params 文件" in text


@pytest.mark.parametrize("field", [
    field.name for field in task_pb2.TrainingSpec.DESCRIPTOR.fields if field.name not in _NO_QUESTION
])  # fmt: skip
def test_w_every_question_of_the_wizard_has_its_option(field: str) -> None:
    """A new question must not come without a way to answer it on the command line."""
    (_, row) = shown(
        [Finding(field=field.removesuffix("_json") + ".train_fraction" * (field == "preprocessing"))]
    )
    assert "--" in row
