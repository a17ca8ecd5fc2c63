"""Writes the networks as ONNX, for machines that have another runtime.

Only the networks: that runtime must resize, normalise, cut windows and decide on special codes. Needs torch
and, from the extra `export`, onnxscript; for a worker's child or a process of its own.

    python -m services.evaluator.worker.packaging.onnx WEIGHTS FOLDER
"""

import sys
from pathlib import Path

import torch
from torch import nn

from services.evaluator.worker.packaging.faults import NotPackageable
from services.vision.weights import Weights, load_weights


def write_onnx(weights: Weights, folder: Path) -> list[Path]:
    """`classifier.onnx`, perhaps `segmenter.onnx`: input `images` (N, 3, H, W), output `logits`."""
    whole, segmented = weights.input_specification, weights.segmented_at
    networks: list[tuple[str, nn.Module, int, int]] = [
        ("classifier", weights.classifier(), whole.height, whole.width)
    ]
    if segmenter := weights.segmenter():
        networks.append(("segmenter", segmenter, segmented.height, segmented.width))
    written = []
    for name, network, height, width in networks:
        path = folder / f"{name}.onnx"
        try:
            program = torch.onnx.export(
                network,
                (torch.zeros(2, 3, height, width),),
                dynamo=True,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("images", min=1)},),
                verbose=False,
            )
        except ImportError as error:
            raise NotPackageable(
                f"ONNX needs onnxscript where the worker runs: pip install 'loupe[export]' ({error})"
            ) from error
        assert program is not None  # noqa: S101 - for the type checker
        program.save(str(path), external_data=False)
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write_onnx(load_weights(Path(sys.argv[1])), Path(sys.argv[2])):
        print(path)  # noqa: T201 - a command
