"""Tests of trainings and versions with question banks as messages (P8)."""

from loupe.scheduler.v1 import bank_run_pb2, task_pb2

from services.scheduler.domain.bank_run import KeptBankRun
from services.scheduler.wire.values import timestamp


def bank_run(value: KeptBankRun) -> bank_run_pb2.BankRun:
    """What became of a run."""
    state = f"TASK_STATE_{value.task_state}" if value.task_state else "TASK_STATE_UNSPECIFIED"
    judged = value.run.judged
    if judged.startswith("tasks/"):
        model, version, training = value.model, value.model_version, judged
    else:
        model, version, training = judged.split("/")[1], judged, ""
    return bank_run_pb2.BankRun(
        question_bank=value.run.question_bank,
        model=model,
        model_version=version,
        training_task=training,
        time=timestamp(value.time),
        task=value.run.task,
        task_state=task_pb2.TaskState.Value(state),
        refusals=[
            bank_run_pb2.BankRun.Refusal(reason=one.reason, message=one.message, message_zh=one.message_zh)
            for one in value.run.refusals
        ],
    )
