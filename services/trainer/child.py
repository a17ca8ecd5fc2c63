"""The warm child of a trainer worker: imports torch once, then carries out one train order after another.

    python -m services.trainer.child

Orders are JSON lines on stdin; events are JSON lines on the descriptor LOUPE_EVENT_FD (default 1); stdout and stderr are
a log. The child ends with 0 when stdin closes, 143 after SIGTERM, and is killed with its parent. Settings: the
LOUPE_S3_* of the deployment, LOUPE_CACHE_DIR (packs and work folders), LOUPE_PACK_CACHE_BYTES (default 8 GiB).
LOUPE_OBJECTS_DIR, where set, names a folder to read objects from instead of S3.

Order
    {"order": "train", "work": {
        "task", "attempt", "job"               names, for the folder and the log
        "manifests": [sha256, …]               objects manifests/<sha256>.jsonl; samples are objects samples/<sha256>
        "codes": [code, …], "num_of_classes"   code_list in order; codes from num_of_classes on are special (W3)
        "network": "ResNet18"
        "input_specification": {"width", "height"[, "channels": 3, "mean": [3], "std": [3], "resolution": {
            "width"?, "height"?, "tolerance": 0.1, "min_side_px": 32, "max_aspect_ratio": 8}]}
        "training_parameters": {"classification": {"base_lr", "batch_size", "max_iter", "weight_decay", "momentum",
            "lr_policy", "power", "gamma"}, …}     other levels are ignored (W9)
        "preprocessing": {"train_fraction", "filter_resolution", "augmentations": [colour | scale | flip | random]}
        "seed": int
        "resume": {"checkpoint_key": "checkpoints/<sha256>.safetensors", "iteration"} | null
        "warm_start_weights_key": "weights/<sha256>.safetensors" | null
        "prior_split_key": "splits/<sha256>.jsonl" | null     the parent's split: keeps every old side (D3)
        "certificate": {…}                     any JSON: image version, snapshots, …; goes into the weights' lineage
        "checkpoint_interval_s": 60 | null, "threads": int | null, "class_balance": float | null}}

Events, in this order where it matters
    ready        {pid}                                    once, when orders are welcome
    stage        {name: RESOLUTION_FILTER | SPLIT | AUGMENTATION, state: RUNNING | DONE, duration_s, counts: {…}}
                 RESOLUTION_FILTER: samples, usable, nonconforming, reasons {reason: n}; it includes the decoding
                 SPLIT: train, validation, per_code {side: {code: n}}, moved_to_validation
                 AUGMENTATION: augmentations, draws, epochs
    nonconforming {samples: [{manifest, name, sha256, code, reason, message}, …]}     at most 200 an event
                 reasons: RESOLUTION_TOO_LOW, ASPECT_RATIO, RESOLUTION_OFF_NOMINAL, and those of vision.images.Reason
    progress     {phase: PREPROCESSING | TRAINING, fraction[, eta_s, eta_low_s, eta_high_s]}      about every 0.5 s
    log          {network: "classification", text}
    loss         {network, first_iteration, values: [float], learning_rate, images_per_s}
                 consecutive; at most 100 ms of iterations an event; a resumed training begins at resume's iteration
    validation   {network, iteration, accuracy}           accuracy after so many iterations
    checkpoint   {path, iteration}                        every loss below iteration was sent before; the file is now
                 the worker's, to upload and to delete; `resume.iteration` of the next grant is this iteration
    finished     {weights_path, split_path, metrics: {validation_accuracy | null, iterations, images_per_s, duration_s}}
                 the worker uploads split_path as splits/<sha256>.jsonl and weights_path as weights/<sha256>.safetensors
    failed       {code, message, user_fault, retryable}   ends the order, not the child (except DEVICE_LOST)
                 user faults: BAD_ORDER, BAD_DATA, NAN_LOSS, OUT_OF_MEMORY, WEIGHTS_*
                 infrastructure: OBJECT_UNAVAILABLE, OBJECT_CORRUPT, CACHE_UNUSABLE, CHECKPOINT_UNUSABLE, DEVICE_LOST
                 neither: INTERNAL (a defect of this program; not retryable)

SIGTERM between orders ends the child at once; during training it ends after the running iteration, with a checkpoint
event; during preprocessing without one. There is no stop order: a worker that does not want a result kills the child.

Split file, JSON lines: {manifest, name, sha256, code, group, side: train | validation} for every usable sample, and
{manifest, name, sha256, code, reason, message, side: set_aside} for every other.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2

from services.trainer.training.session import run
from services.vision.channel import Channel
from services.vision.pack import PackCache
from services.vision.sources import objects_from_environment


def main() -> int:
    """Serves orders until stdin closes."""
    channel = Channel()
    cv2.setNumThreads(1)  # the pack decodes in threads of its own
    cache_dir = Path(os.environ.get("LOUPE_CACHE_DIR") or tempfile.gettempdir()) / "loupe-trainer"
    objects = objects_from_environment()
    packs = PackCache(cache_dir.parent / "packs", max_bytes=int(os.environ.get("LOUPE_PACK_CACHE_BYTES", 8 * 2**30)))

    def train(work: dict[str, Any]) -> None:
        folder = cache_dir / f"attempt-{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)  # the last order's files were uploaded before this one came
        run(work, objects, packs, folder, channel)

    return channel.serve({"train": train})


if __name__ == "__main__":
    sys.exit(main())
