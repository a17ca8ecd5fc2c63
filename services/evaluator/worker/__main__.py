"""An evaluator worker: `python -m services.evaluator.worker`."""

import os

from loupe import settings as loupe_settings
from loupe.rpc.channel import connect

from services.evaluator.worker.handler import EvaluatorHandler
from services.evaluator.worker.reporting import ReportSender
from services.evaluator.worker.settings import Settings
from services.kit import lifecycle as kit
from services.kit import telemetry
from services.service_tokens import EVALUATOR_WORKER
from services.worker.composition import start


async def main(process: kit.Process) -> None:
    """Read the settings and start working."""
    settings = loupe_settings.load(Settings, os.environ)
    telemetry.configure("evaluator-worker", settings.log_level)
    token = settings.tokens.own(EVALUATOR_WORKER)
    # Without the channel's retries: a stream of samples cannot be repeated from its middle.
    reports = await process.enter(
        connect(
            settings.evaluator_address,
            token,
            credentials=settings.tls.channel_credentials(),
            retries=False,
        )
    )
    handler = EvaluatorHandler(ReportSender(reports), threads=settings.threads)
    await start(process, settings, handler, "services.evaluator.worker.child", token=token)


if __name__ == "__main__":
    kit.run(main)
