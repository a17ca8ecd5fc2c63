"""A trainer worker: `python -m services.trainer`."""

import os

from loupe import settings as loupe_settings
from loupe.worker.v1 import meeting_pb2

from services.kit import lifecycle as kit
from services.kit import machine, telemetry
from services.kit.about import VERSION, version_of
from services.service_tokens import TRAINER
from services.trainer.handler import CHILD, TrainerHandler
from services.trainer.meeting import Meeting
from services.trainer.settings import Settings
from services.worker.composition import start


async def main(process: kit.Process) -> None:
    """Read the settings and start working."""
    settings = loupe_settings.load(Settings, os.environ)
    telemetry.configure("trainer", settings.log_level)
    handler = TrainerHandler(threads=settings.threads, checkpoint_interval_s=settings.checkpoint_interval_s)
    arguments = ("--processes", str(settings.processes))
    group = settings.nodes > 1 or (settings.processes or machine.gpus()) > 1
    token = settings.tokens.own(TRAINER)
    meeting = None
    if settings.nodes > 1:
        processes = settings.processes or max(1, settings.own_gpus)
        own = meeting_pb2.Enlistment(
            host=settings.name, version=VERSION, torch_version=version_of("torch"), gpus=settings.own_gpus
        )
        meeting = await process.enter(Meeting(settings.meeting, processes=processes, own=own))
    await start(
        process,
        settings,
        handler,
        CHILD,
        kind="trainer",
        token=token,
        arguments=arguments,
        group=group,
        hosts=meeting,
    )


if __name__ == "__main__":
    kit.run(main)
