"""A follower, `python -m services.trainer.follow`: trains along with the trainer that leads, on another host.

It asks no scheduler for jobs and calls no service: the leader holds the lease and reports. It reads the
objects of the leader's orders for its child, which is confined as a trainer's.
"""

import os

from loupe import settings as loupe_settings
from loupe.rpc.tls import TlsSettings
from loupe.worker.v1 import meeting_pb2

from services.kit import lifecycle as kit
from services.kit import telemetry
from services.kit.about import VERSION, version_of
from services.kit.object_store import ObjectStore
from services.kit.operations import Operations
from services.trainer.following import Following
from services.trainer.handler import CHILD
from services.trainer.settings import FollowerSettings
from services.worker.composition import confined_child
from services.worker.gpus import watch_gpus
from services.worker.object_share import CONNECTIONS, ObjectShare


async def main(process: kit.Process) -> None:
    """Read the settings and follow."""
    settings = loupe_settings.load(FollowerSettings, os.environ)
    telemetry.configure("follower", settings.log_level)
    operations = await process.enter(Operations(settings.operations, "follower", TlsSettings()))
    operations.watch_folder("cache", settings.cache_dir)
    watch_gpus(operations)
    share = ObjectShare(await process.enter(ObjectStore(settings.objects, threads=CONNECTIONS)))
    own = meeting_pb2.Enlistment(
        host=settings.name, version=VERSION, torch_version=version_of("torch"), gpus=settings.own_gpus
    )
    following = Following(settings, own, share)
    child = confined_child(settings, [CHILD], share, group=True, hosts=following)
    operations.readiness.require("leader", following.require)
    process.background("child", child.run)
    process.background("losses", lambda: following.relay(child))
    process.on_stop(following.leave)
    await operations.readiness.begin()


if __name__ == "__main__":
    kit.run(main)
