"""A trainer worker whose child is `tests.support.taken_over`; all else is the real one's."""

import os

from loupe import settings as loupe_settings

from services.kit import lifecycle, telemetry
from services.service_tokens import TRAINER
from services.trainer.handler import TrainerHandler
from services.trainer.settings import Settings
from services.worker.composition import start

TARGETS = "LOUPE_TEST_TARGETS"
"""What the child is to try, as JSON: only the test knows the addresses."""


async def main(process: lifecycle.Process) -> None:
    """As services.trainer."""
    settings = loupe_settings.load(Settings, os.environ)
    telemetry.configure("trainer", settings.log_level)
    handler = TrainerHandler(threads=settings.threads, checkpoint_interval_s=settings.checkpoint_interval_s)
    token, arguments = settings.tokens.own(TRAINER), (os.environ[TARGETS],)
    await start(
        process,
        settings,
        handler,
        "tests.support.taken_over",
        kind="trainer",
        token=token,
        arguments=arguments,
    )


if __name__ == "__main__":
    lifecycle.run(main)
