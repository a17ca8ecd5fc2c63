"""Settings of an evaluator worker."""

from dataclasses import dataclass

from loupe.settings import setting

from services.worker.settings import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Settings(WorkerSettings):
    """What an evaluator worker reads from the environment beside what every worker reads."""

    evaluator_address: str = setting("LOUPE_EVALUATOR_ADDRESS", doc="host:port of the evaluator")
