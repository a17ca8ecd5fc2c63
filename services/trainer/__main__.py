"""A trainer worker: `python -m services.trainer`."""

import os

from services.kit import lifecycle as kit
from services.kit import settings as kit_settings
from services.kit import telemetry
from services.trainer.handler import TrainerHandler
from services.trainer.settings import Settings
from services.worker.composition import start


async def main(process: kit.Process) -> None:
    """Read the settings and start working."""
    settings = kit_settings.load(Settings, os.environ)
    telemetry.configure("trainer", settings.log_level)
    handler = TrainerHandler(threads=settings.threads, checkpoint_interval_s=settings.checkpoint_interval_s)
    arguments = ("--processes", str(settings.processes))
    await start(process, settings, handler, "services.trainer.child", arguments=arguments)


if __name__ == "__main__":
    kit.run(main)
