"""The warm child of a trainer worker: imports torch once, then carries out one train order after another.

    python -m services.trainer.child [--processes N]
    torchrun [--nnodes …] --nproc-per-node N -m services.trainer.child < orders

With several processes (0, the default: one for each GPU that torch sees) this one starts the others, or
torchrun started all: then rank 0 reads the orders, and events go to stdout where nobody named a descriptor.

Orders are JSON lines on stdin, events JSON lines on LOUPE_EVENT_FD (kit.child_process); stdout and stderr are
a log. The child ends with 0 when stdin closes and with 143 after SIGTERM. Its settings are those of
vision.sources.ChildSettings and kit.object_store.ObjectStoreSettings.

Order: {"order": "train", "work": {…}}, where work has

    task, attempt, job         names, for whoever reads the log
    manifests                  [sha256, …]: objects manifests/<sha256>.jsonl; samples are samples/<sha256>
    codes, num_of_classes      code_list in its order; codes from num_of_classes on are special (W3)
    network                    "ResNet18"
    input_specification        {width, height[, channels: 3, mean: [3], std: [3],
                               normalisation: fixed or per_image, resolution: {width, height,
                               tolerance: 0.1, min_side_px: 32, max_aspect_ratio: 8} or null,
                               detail: 1]}
    training_parameters        {"classification": {base_lr, batch_size, max_iter, weight_decay, momentum,
                               lr_policy, power, gamma}, "segmentation": {the same}}; the latter is ignored
                               where no segmentation network is trained (W9)
    train_segmentation         whether one is, after the classifier (W11); optional, false
    preprocessing              {train_fraction, filter_resolution, augmentations: [colour|scale|flip|random]}
    seed                       int
    resume                     {checkpoint_key: "checkpoints/<sha256>.safetensors"} or null; the file knows
                               which network it is of, and holds those that were complete
    warm_start_weights_key     "weights/<sha256>.safetensors" or null (W13)
    prior_split_key            "splits/<sha256>.jsonl" or null: the parent's split; keeps every old side (D3)
    certificate                any JSON (image version, snapshots, …): goes into the lineage of the weights
    checkpoint_interval_s      optional, 60; threads: optional, all cores; class_balance: optional

Events, each {"event": <name>, …}

    ready          once, when orders are welcome
    stage          name: RESOLUTION_FILTER, SPLIT or AUGMENTATION; state: RUNNING or DONE; duration_s; counts
                     RESOLUTION_FILTER: samples, usable, nonconforming, reasons {reason: n}; decoding included
                     SPLIT: train, validation, per_code {side: {code: n}}, moved_to_validation
                     AUGMENTATION: augmentations, draws, epochs; beside them, if it changes anything,
                     contact_sheet_path: a JPEG of some samples before and after. It is now the worker's, to
                     upload as contact-sheets/<sha256>.jpg and to delete
    nonconforming  samples: [{manifest, name, sha256, code, reason, message}, …], at most 200 an event;
                   reason: RESOLUTION_TOO_LOW, ASPECT_RATIO, RESOLUTION_OFF_NOMINAL or one of
                   vision.images.Reason
    progress       phase: PREPROCESSING or TRAINING; fraction; when TRAINING also network, and over all
                   networks eta_s, eta_low_s, eta_high_s
    log            network: classification or segmentation; text (one line)
    loss           network, first_iteration, values [float], learning_rate, images_per_s. Consecutive; at most
                   100 ms of iterations an event; a resumed training begins at its checkpoint's iteration
    validation     network, iteration (how many were done), accuracy; of segmentation: IoU of any defect
    checkpoint     network, path, iteration (the first not contained). All losses
                   before it were told before. The file is now the worker's, to upload and to delete
    finished       weights_path, split_path, metrics {validation_accuracy and validation_iou or null,
                   iterations, images_per_s, duration_s}. The worker uploads weights/<sha256>.safetensors and
                   splits/<sha256>.jsonl; both paths are gone at the next order
    failed         code, message, message_zh, user_fault, retryable. Ends the order; the child goes on, except
                   after DEVICE_LOST and if it trained with others. User faults: BAD_ORDER, BAD_DATA,
                   CODE_ON_ONE_SIDE, NAN_LOSS, OUT_OF_MEMORY, WEIGHTS_*. Infrastructure, retryable:
                   OBJECT_UNAVAILABLE, OBJECT_CORRUPT, CACHE_UNUSABLE, CHECKPOINT_UNUSABLE, DEVICE_LOST,
                   PROCESS_LOST. Neither: INTERNAL, a defect of this program

SIGTERM between orders ends the child at once; during training, after the running iteration and with a
checkpoint event; during preprocessing, without one. There is no order to stop: a worker that does not want a
result kills the child. Between the first event and the last of an order there is none of another.

The split file has a JSON line {manifest, name, sha256, code, group, side: train or validation} for every
usable sample, and {manifest, name, sha256, code, reason, message, side: set_aside} for every other.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import cv2

from services.kit.child_process import EVENT_FD, ParentLink
from services.trainer.ranks import Leader, Silence, follow
from services.trainer.training.processes import Group, count_of, join
from services.trainer.training.session import run
from services.vision.channel import Channel
from services.vision.faults import Fault
from services.vision.sources import from_environment


def main(arguments: list[str]) -> int:
    """Serves orders until stdin closes."""
    parser = argparse.ArgumentParser(description="The warm child of a trainer worker.")
    parser.add_argument("--processes", type=int, default=0, help="that train together; 0: one for each GPU")
    processes: int = parser.parse_args(arguments).processes
    cv2.setNumThreads(1)  # the pack decodes in threads of its own
    objects, packs, scratch = from_environment()
    folder = scratch / f"training-{os.getpid()}"
    rank = os.environ.get("RANK")

    def follow_order(work: Mapping[str, Any], group: Group) -> None:
        run(work, objects, packs, folder, Silence(), group)

    if rank not in {None, "0"}:
        try:
            return follow(join(os.environ), follow_order)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    channel = Channel(ParentLink.from_environ() if rank is None or EVENT_FD in os.environ else ParentLink(1))

    def end(fault: Fault, at_work: bool) -> None:  # noqa: FBT001 - OnLoss
        if at_work:
            channel.emit("failed", **fault.to_json())
        sys.stderr.write(f"{fault.message}\n")
        sys.stderr.flush()
        os._exit(1)  # the main thread may wait for ever for what the lost one should have sent

    leader = Leader.start(count_of(processes), end) if rank is None else Leader(join(os.environ))

    def train(work: dict[str, Any]) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # the last order's files were uploaded before this one came
        with leader.training(work) as group:
            if group.size > 1:
                channel.retire()
            run(work, objects, packs, folder, channel, group)

    try:
        code = channel.serve({"train": train})
        leader.dismiss()
        return code
    finally:
        leader.abandon()
        if not channel.stopping:  # a checkpoint must outlive the process that wrote it
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
