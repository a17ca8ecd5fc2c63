"""Every fault of a worker's child is reported in English and Chinese (M6)."""

import errno
import os
import re
from pathlib import Path

import pytest
from google.protobuf import json_format
from safetensors import SafetensorError

from services.failure_codes import REMEDIES, FailureCode
from services.vision.faults import BadOrder, Fault, InfrastructureFault, UnreadableRecord, UserFault
from services.worker.child_channel import as_fault, failed


@pytest.mark.parametrize(
    "fault",
    [
        as_fault(MemoryError()),
        as_fault(RuntimeError("CUDA error: an illegal memory access was encountered")),
        as_fault(ZeroDivisionError("division by zero")),
        BadOrder("the order lacks codes"),
        UnreadableRecord("line 3 of the split", "数据划分记录的第 3 行", ValueError("no side")),
        UserFault(FailureCode.NAN_LOSS, "the loss is not a number", "loss 不是有效数字"),
        InfrastructureFault(FailureCode.DEVICE_LOST, "the GPU failed", "GPU 故障"),
    ],
    ids=lambda fault: f"{type(fault).__name__} {fault.code}",
)
def test_a_fault_has_both_sentences_on_its_way_to_the_worker(fault: Fault) -> None:
    """A process engineer reads the cause of a failed training in her language, without a stack trace."""
    event = json_format.MessageToDict(failed(fault))
    failure = event["failed"]["failure"]
    assert failure["code"] == fault.code
    assert failure["message"].isascii()
    assert any("\u4e00" <= character <= "\u9fff" for character in failure["messageZh"])
    assert "Traceback" not in failure["message"] + failure["messageZh"]
    assert event["failed"].get("retryable", False) == isinstance(fault, InfrastructureFault)


def test_a_full_disk_is_no_fault_of_the_user() -> None:
    """T5: the training is taken up again, until there is room."""
    by_python = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    by_rust = SafetensorError(
        f"Error while serializing: I/O error: No space left on device (os error {errno.ENOSPC})"
    )
    for fault in map(as_fault, (by_python, by_rust)):
        assert (fault.code, fault.retryable) == ("DISK_FULL", True)
        assert fault.message_zh.startswith("工作进程所在磁盘已满")


def test_a_fault_without_a_chinese_sentence_cannot_be_made() -> None:
    """The second language is part of the signature, so that no new fault forgets it."""
    with pytest.raises(TypeError, match="message_zh"):
        UserFault(FailureCode.NAN_LOSS, "the loss is not a number")  # type: ignore[call-arg]


@pytest.mark.parametrize("code", FailureCode)
def test_every_code_has_a_remedy_in_both_languages(code: FailureCode) -> None:
    """Whoever reads a cause also reads what to do about it."""
    remedy = REMEDIES[code]
    assert remedy.english.isascii()
    assert any("\u4e00" <= character <= "\u9fff" for character in remedy.chinese)


def test_codes_come_from_the_list_alone() -> None:
    """A fault with a code that has no remedy cannot be made; mypy refuses texts, this finds casts."""
    made = re.compile(r"(?:Fault|BadWeights|DamagedObject|outcomes\.failed|Failure)\(\s*[\"']")
    product = (Path(__file__).parents[3] / "services").rglob("*.py")
    assert not [str(path) for path in product if made.search(path.read_text(encoding="utf-8"))]
