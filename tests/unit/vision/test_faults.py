"""Every fault of a worker's process is told in English and Chinese (M6)."""

import json

import pytest

from services.vision.channel import as_fault
from services.vision.faults import BadOrder, Fault, InfrastructureFault, UnreadableRecord, UserFault


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
    event = json.loads(json.dumps(fault.to_json()))
    assert event["message"].isascii()
    assert any("\u4e00" <= character <= "\u9fff" for character in event["message_zh"])
    assert "Traceback" not in event["message"] + event["message_zh"]


def test_a_fault_without_a_chinese_sentence_cannot_be_made() -> None:
    """The second language is part of the signature, so that no new fault forgets it."""
    with pytest.raises(TypeError, match="message_zh"):
        UserFault("NAN_LOSS", "the loss is not a number")  # type: ignore[call-arg]
