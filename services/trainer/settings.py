"""Settings of a trainer worker."""

from dataclasses import dataclass

from loupe.settings import setting

from services.worker.settings import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Settings(WorkerSettings):
    """What a trainer worker reads from the environment beside what every worker reads."""

    checkpoint_interval_s: float = setting(
        "LOUPE_CHECKPOINT_INTERVAL_S",
        default=60.0,
        doc="How often a running training is kept; what a fault costs at most (T5)",
    )
    processes: int = setting(
        "LOUPE_TRAINER_PROCESSES",
        default=0,
        doc="Processes that train one network together; 0: one for every GPU that torch sees, else one",
    )
