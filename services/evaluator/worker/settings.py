"""Settings of an evaluator worker."""

from dataclasses import dataclass
from pathlib import Path

from loupe.settings import setting

from services.worker.settings import WorkerSettings


@dataclass(frozen=True, kw_only=True)
class Settings(WorkerSettings):
    """What an evaluator worker reads from the environment beside what every worker reads."""

    evaluator_address: str = setting("LOUPE_EVALUATOR_ADDRESS", doc="host:port of the evaluator")
    signing_key: Path | None = setting(  # noqa: RUF009 -- a field
        "LOUPE_SIGNING_KEY",
        default=None,
        doc="PEM file of the Ed25519 key that signs packages, a secret; empty: they are not signed",
    )

    def child_environ(self) -> dict[str, str]:
        """That of every worker, without the key: the worker signs what its child made."""
        environ = super().child_environ()
        environ.pop("LOUPE_SIGNING_KEY", None)
        return environ
