"""Every fault of a worker's child is reported in English and Chinese (M6)."""

import errno
import os

import pytest
from google.protobuf import json_format
from safetensors import SafetensorError

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
        UserFault("NAN_LOSS", "the loss is not a number", "loss 不是有效数字"),
        InfrastructureFault("DEVICE_LOST", "the GPU failed", "GPU 故障"),
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
        UserFault("NAN_LOSS", "the loss is not a number")  # type: ignore[call-arg]
