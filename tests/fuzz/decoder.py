"""A decoder as of registry and evaluator, for several files in one order: `python -m tests.fuzz.decoder`.

Waiting for each file's turn on a busy machine would take longer than decoding it.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from loupe.image_files import UnusableImage

from services.evaluator.application.drawing import MaskMeaning, draw_overlay, overlay_order
from services.kit.confined_child import Answer
from services.registry.application.examining import examine
from services.vision.decoding import make_thumbnail, serve

_MEANINGS = {"black_and_white": MaskMeaning((), "TPFIP"), "indexed": MaskMeaning(("TPFIP", "TTFBS"))}


def examine_all(_order: Mapping[str, Any], pieces: Sequence[bytes]) -> Answer:
    """For each piece: what the registry answers, what is drawn of it if it is taken, and the time it took."""
    return {"answers": [_examined(piece) for piece in pieces]}


def _examined(piece: bytes) -> Answer:
    began_s = time.process_time()
    answer: dict[str, Any]
    try:
        answer = dict(examine({"is_mask": True}, [piece]))
    except UnusableImage as unusable:
        answer = {"unusable": {"reason": unusable.reason, "message": unusable.message}}
    else:
        try:
            answer |= make_thumbnail({}, [piece])
            for meaning, mask in _MEANINGS.items():
                if answer["mask"][meaning] is None:
                    draw_overlay(overlay_order(mask, mask), [piece] * 3)
        except UnusableImage as unusable:
            answer["contradiction"] = unusable.message
    return {**answer, "cpu_s": time.process_time() - began_s}


if __name__ == "__main__":
    serve({"examine": examine_all})
