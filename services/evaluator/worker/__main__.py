"""An evaluator worker: `python -m services.evaluator.worker`."""

import logging
import os
from pathlib import Path

from loupe import settings as loupe_settings
from loupe.rpc.channel import connect
from loupe.signatures import BadKey, read_private_key

from services.evaluator.worker.handler import EvaluatorHandler
from services.evaluator.worker.packaging.signing import Signer
from services.evaluator.worker.reporting import ReportSender
from services.evaluator.worker.settings import Settings
from services.kit import lifecycle as kit
from services.kit import telemetry
from services.service_tokens import EVALUATOR_WORKER
from services.worker.composition import start

_log = logging.getLogger(__name__)


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
    signer = _signer(settings.signing_key)
    handler = EvaluatorHandler(ReportSender(reports), threads=settings.threads, signer=signer)
    await start(
        process,
        settings,
        handler,
        "services.evaluator.worker.child",
        kind="evaluator-worker",
        token=token,
    )


def _signer(path: Path | None) -> Signer | None:
    """What signs packages; SettingsError where the key cannot be used."""
    if path is None:
        _log.warning("packages are not signed: LOUPE_SIGNING_KEY is not set")
        return None
    try:
        signer = Signer(read_private_key(path))
    except (BadKey, OSError) as error:
        raise loupe_settings.SettingsError((f"LOUPE_SIGNING_KEY: {error}",)) from error
    _log.info("packages are signed with the key %s", signer.fingerprint)
    return signer


if __name__ == "__main__":
    kit.run(main)
