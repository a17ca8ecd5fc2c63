"""The supervisor as a program: `python -m deploy.embedded --data-dir D` runs a stack in the foreground."""

import argparse
import json
import logging
import sys
import time
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.stack import StackStatus, up
from deploy.embedded.state import ProcessState


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded", description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, default=Path(".loupe"), help="folder of everything kept (.loupe)"
    )
    parser.add_argument("--trainers", type=int, help="training workers (as before; 1)")
    parser.add_argument("--evaluators", type=int, help="evaluation workers (as before; 1)")
    parser.add_argument(
        "--servers-only",
        action="store_true",
        help="only PostgreSQL, NATS and SeaweedFS, without Loupe's services",
    )
    return parser.parse_args()


def _say(**fields: object) -> None:
    sys.stdout.write(json.dumps({"time": round(time.time(), 3), **fields}) + "\n")
    sys.stdout.flush()


def _say_process(process: ProcessState) -> None:
    _say(
        process=process.name,
        state=process.state,
        pid=process.pid,
        address=process.address,
        restarts=process.restarts,
        detail=process.detail,
    )


def _say_ready(status: StackStatus) -> None:
    _say(stack=str(status.data_dir), state=status.state, addresses=status.addresses)


def main() -> int:
    """Run until SIGINT or SIGTERM; 1 if the stack cannot be started."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    arguments = _arguments()
    try:
        result = up(
            arguments.data_dir,
            trainers=arguments.trainers,
            evaluators=arguments.evaluators,
            services=not arguments.servers_only,
            on_event=_say_process,
            on_ready=_say_ready,
        )
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if result.already_running:
        _say(stack=str(result.status.data_dir), state="already running", addresses=result.status.addresses)
    return 0


if __name__ == "__main__":
    sys.exit(main())
