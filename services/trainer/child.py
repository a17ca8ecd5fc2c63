"""The warm child of a trainer worker: imports torch once, then executes one train order after another.

    python -m services.trainer.child [--processes N]
    torchrun [--nnodes …] --nproc-per-node N -m services.trainer.child < orders

Orders are JSON lines of `loupe.worker.v1.Order` on stdin; events are JSON lines of `loupe.worker.v1.Event`
on the descriptor in LOUPE_EVENT_FD, or on stdout where torchrun started the processes and named none.
Otherwise stdout and stderr are a log. The settings are those of vision.sources.ChildSettings. Objects come
from the worker, over the descriptors in LOUPE_OBJECT_FDS; where torchrun started the processes, from the
store of kit.object_store.ObjectStoreSettings.

With several processes (0, the default: one for each GPU that torch sees) this process starts the others, or
torchrun started all of them; rank 0 reads the orders. On several hosts each has such a child, and its place
in LOUPE_PLACE; those that follow get the orders from the one that leads.

The child exits with 0 when stdin closes and with 143 after SIGTERM. SIGTERM between orders ends it at once;
during training, after the current iteration and with a checkpoint event; during preprocessing, without one.
No order stops a training: a worker that does not want a result kills the child.
"""

import argparse
import os
import shutil
import sys

import cv2
from loupe.worker.v1 import event_pb2, order_pb2

from services.kit.child_process import EVENT_FD, ParentLink
from services.trainer.place import Place
from services.trainer.ranks import NullChannel, RankGroup, follow
from services.trainer.training.processes import Group, count_of, join
from services.trainer.training.session import run
from services.vision.faults import Fault
from services.vision.sources import from_environment
from services.worker.child_channel import Channel, failed


def main(arguments: list[str]) -> int:
    """Executes orders until stdin closes."""
    parser = argparse.ArgumentParser(description="The warm child of a trainer worker.")
    parser.add_argument("--processes", type=int, default=0, help="that train together; 0: one for each GPU")
    processes: int = parser.parse_args(arguments).processes
    cv2.setNumThreads(1)  # the pack decodes in threads of its own
    rank, place = os.environ.get("RANK"), Place.from_environ()
    count = count_of(place.processes or processes) if rank is None else 1
    objects, packs, scratch = from_environment(count)
    folder = scratch / f"training-{os.getpid()}"

    def follow_order(order: order_pb2.Order, group: Group) -> None:
        run(order, objects, packs, folder, NullChannel(), group)

    if rank not in {None, "0"}:
        try:
            return follow(join(os.environ), follow_order)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    channel = Channel(ParentLink.from_environ() if rank is None or EVENT_FD in os.environ else ParentLink(1))

    def end(fault: Fault, at_work: bool) -> None:  # noqa: FBT001 - OnLoss
        if at_work or place.node:
            channel.emit(failed(fault))
        sys.stderr.write(f"{fault.message}\n")
        sys.stderr.flush()
        os._exit(1)  # the main thread may wait for ever for the lost process

    ranks = RankGroup.start(count, end, place) if rank is None else RankGroup(join(os.environ))

    def train(order: order_pb2.Order) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # the last order's files are uploaded
        with ranks.training(order) as group:
            if group.size > 1:
                channel.retire()
            run(order, objects, packs, folder, channel, group)

    try:
        if place.node:
            channel.emit(event_pb2.Event(ready=event_pb2.Ready()))
            return follow(ranks.orders, follow_order)
        code = channel.serve({"train": train})
        ranks.dismiss()
        return code
    finally:
        ranks.abandon()
        if not channel.stopping:  # a checkpoint must outlive the process that wrote it
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
