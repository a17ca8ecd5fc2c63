"""The registry's decoder, confined as it is, for several files in one order: `python -m tests.fuzz.decoder`.

Waiting for each file's turn on a busy machine would take longer than decoding it.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from loupe.image_files import UnusableImage

from services.kit.confined_child import Answer
from services.registry.application.examining import examine
from services.vision.decoding import make_thumbnail, serve


def examine_all(order: Mapping[str, Any], pieces: Sequence[bytes]) -> Answer:
    """For each piece: what the registry's decoder answers, a thumbnail if it is taken, and the time."""
    return {"answers": [_examined(order, piece) for piece in pieces]}


def _examined(order: Mapping[str, Any], piece: bytes) -> Answer:
    began_s = time.process_time()
    answer: dict[str, Any]
    try:
        answer = {**examine(order, [piece]), **make_thumbnail(order, [piece])}
    except UnusableImage as unusable:
        answer = {"unusable": {"reason": unusable.reason, "message": unusable.message}}
    return {**answer, "cpu_s": time.process_time() - began_s}


if __name__ == "__main__":
    serve({"examine": examine_all})
