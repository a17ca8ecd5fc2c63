"""A child that speaks the protocol and misbehaves as its order says: real ones rarely do.

The behaviour is the entry `behaviour` of the order's certificate; `iterations` says how long it trains.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from services.kit.child_process import ParentLink

link = ParentLink.from_environ()
folder = Path(tempfile.mkdtemp(prefix="child-"))


def losses(first: int, count: int) -> None:
    values = [float(n) for n in range(first, first + count)]
    link.emit(
        {
            "event": "loss",
            "network": "classification",
            "first_iteration": first,
            "values": values,
            "learning_rate": 0.01,
            "images_per_s": 100.0,
        }
    )


def checkpoint(iteration: int) -> None:
    path = folder / f"checkpoint-{iteration}"
    path.write_bytes(b"checkpoint %d" % iteration)
    link.emit({"event": "checkpoint", "path": str(path), "iteration": iteration})


def finished() -> None:
    weights, split = folder / "weights", folder / "split"
    weights.write_bytes(b"weights")
    split.write_bytes(b"split")
    link.emit({"event": "finished", "weights_path": str(weights), "split_path": str(split), "metrics": {}})


def train(work: dict[str, Any]) -> None:  # noqa: C901 -- a list of behaviours
    options = work["certificate"]
    iterations = int(options.get("iterations", "100"))
    begin = work["resume"]["iteration"] if work["resume"] else 0
    link.emit({"event": "progress", "phase": "PREPROCESSING", "fraction": 1.0})
    link.emit(
        {
            "event": "stage",
            "name": "SPLIT",
            "state": "DONE",
            "duration_s": 0.5,
            "counts": {"train": 80, "validation": 20},
        }
    )
    sheet = folder / "contact-sheet"
    sheet.write_bytes(b"contact sheet")
    link.emit(
        {
            "event": "stage",
            "name": "AUGMENTATION",
            "state": "DONE",
            "duration_s": 0.5,
            "counts": {},
            "contact_sheet_path": str(sheet),
        }
    )
    link.emit({"event": "log", "network": "classification", "text": f"from {begin} in {os.getpid()}"})
    behaviour = options.get("behaviour", "train")
    if behaviour == "ignore-sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        losses(begin, 1)
        time.sleep(3600)
    if behaviour == "until-sigterm":
        done = [begin]

        def stop(*_: object) -> None:
            checkpoint(done[0])
            os._exit(143)

        signal.signal(signal.SIGTERM, stop)
        while True:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            losses(done[0], 5)
            done[0] += 5
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            time.sleep(0.02)
    if behaviour == "silent":
        time.sleep(3600)
    for first in range(begin, iterations, 50):
        losses(first, min(50, iterations - first))
        if behaviour == "checkpoint-and-die" and first == begin + 50:
            checkpoint(first + 50)
            losses(first + 50, 7)
            time.sleep(0.5)
            print("something is wrong", file=sys.stderr, flush=True)  # noqa: T201
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour == "gap":
            losses(first + 500, 1)
    if behaviour == "nonsense":
        link.emit({"event": "no such event"})
    if behaviour == "user-fault":
        link.emit(
            {
                "event": "failed",
                "code": "NAN_LOSS",
                "message": "the loss is not a number",
                "message_zh": "loss 不是有效数字",
                "user_fault": True,
                "retryable": False,
            }
        )
        return
    link.emit({"event": "progress", "phase": "TRAINING", "fraction": 1.0, "eta_s": 0.0})
    finished()


link.emit({"event": "ready"})
for order in link.orders():
    train(order["work"])
