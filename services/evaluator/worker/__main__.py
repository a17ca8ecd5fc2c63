"""An evaluator worker: `python -m services.evaluator.worker`."""

import os

from services.evaluator.worker.handler import EvaluatorHandler
from services.evaluator.worker.reporting import ReportSender
from services.evaluator.worker.settings import Settings
from services.kit import lifecycle as kit
from services.kit import settings as kit_settings
from services.kit import telemetry
from services.kit.grpc_client import connect
from services.worker.composition import start


async def main(process: kit.Process) -> None:
    """Read the settings and start working."""
    settings = kit_settings.load(Settings, os.environ)
    telemetry.configure("evaluator-worker", settings.log_level)
    # Without the channel's retries: a stream of samples cannot be repeated from its middle.
    reports = await process.enter(
        connect(
            settings.evaluator_address,
            lambda: settings.service_token,
            credentials=settings.tls.channel_credentials(),
            retries=False,
        )
    )
    handler = EvaluatorHandler(ReportSender(reports), threads=settings.threads)
    await start(process, settings, handler, "services.evaluator.worker.child")


if __name__ == "__main__":
    kit.run(main)
