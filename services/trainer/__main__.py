"""A trainer worker: `python -m services.trainer`."""

import os

from loupe import settings as loupe_settings

from services.kit import lifecycle as kit
from services.kit import machine, telemetry
from services.service_tokens import TRAINER
from services.trainer.handler import TrainerHandler
from services.trainer.settings import Settings
from services.worker.composition import start


async def main(process: kit.Process) -> None:
    """Read the settings and start working."""
    settings = loupe_settings.load(Settings, os.environ)
    telemetry.configure("trainer", settings.log_level)
    handler = TrainerHandler(threads=settings.threads, checkpoint_interval_s=settings.checkpoint_interval_s)
    arguments = ("--processes", str(settings.processes))
    group = (settings.processes or machine.gpus()) > 1
    token = settings.tokens.own(TRAINER)
    await start(
        process,
        settings,
        handler,
        "services.trainer.child",
        kind="trainer",
        token=token,
        arguments=arguments,
        group=group,
    )


if __name__ == "__main__":
    kit.run(main)
