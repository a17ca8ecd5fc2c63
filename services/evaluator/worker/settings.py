"""Settings of an evaluator worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loupe.settings import setting

from services.evaluator.worker.packaging import native_library
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

    @property
    def child_reads(self) -> Mapping[str, Path]:
        """The folder of the library that packages get; this process builds it."""
        return {"LOUPE_NATIVE_CACHE": native_library.cache_folder()}
