"""The processes that train one network together, as torchrun starts them.

Each runs the same program on the same order. A batch is cut into as many parts as there are processes, of as
equal size as can be; gradients, losses and the statistics of batch norm are those of the whole batch, so the
loss curve does not depend on how many there are, up to rounding.

The environment's contract is torchrun's: RANK, WORLD_SIZE, LOCAL_RANK, GROUP_RANK, MASTER_ADDR, MASTER_PORT.
"""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
import torch.distributed as dist
from loupe.translation import sentence
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store, rendezvous  # type: ignore[attr-defined] # not in its stubs
from torch.nn.parallel import DistributedDataParallel

from services.failure_codes import FailureCode
from services.trainer.training.batch_norm import synchronise
from services.vision.faults import InfrastructureFault

PATIENCE_S = 300.0
"""How long a process waits for another that lives: half of what a worker waits for a silent child."""
_LOOK_S = 0.5
_UNTIL_KILLED = timedelta(days=365)
"""Where a wait has no bound of its own: whoever waits dies with the one it waits for."""


def _prepared(node: int) -> str:
    """The key that a machine sets when it has packed."""
    return f"prepared/{node}"


@dataclass(frozen=True)
class Group:
    """One process and its place among those of the training; alone, if nothing is said."""

    device: torch.device
    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    """How many of them share this machine."""
    node: int = 0
    store: Store | None = None
    """Where the processes of one order leave word for each other."""

    @property
    def leads(self) -> bool:
        """Whether this process tells events and keeps results; the others only compute."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """Which of `count` things are this process's: at most one more than any other's."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def shared(self, own_sums: Tensor, count: int) -> Tensor:
        """Sums over a batch of `count`, from each process's sums over its part, for a loss that is no mean.

        Its gradient reaches this process's part alone, as large as the loop takes the gradient of a mean.
        """
        if self.size == 1:
            return own_sums
        part = self.part(count)
        own = own_sums.detach()
        sums: Tensor = self.total(own.clone()) + (own_sums - own) * (count / (part.stop - part.start))
        return sums

    def joined(self, part: Tensor, count: int) -> Tensor:
        """All `count` rows, of which each process holds its `part`."""
        if self.size == 1:
            return part
        # Adding zeros changes nothing, and every backend can: parts differ in size.
        whole = torch.zeros(count, *part.shape[1:], dtype=part.dtype, device=self.device)
        whole[self.part(count)] = part.to(self.device)
        return self.total(whole).to(part.device)

    def replicate(self, network: nn.Module) -> nn.Module:
        """What to call in training instead of the network: its gradients are the means over all processes."""
        if self.size == 1:
            return network
        synchronise(network, self.device)
        with warnings.catch_warnings():
            # Newer torch has another name for broadcast_buffers, which older torch does not know.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(
                network,
                device_ids=[self.device] if self.device.type == "cuda" else None,
                broadcast_buffers=False,  # running means are equal as they are
                gradient_as_bucket_view=True,
            )

    @contextlib.contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process of each machine before the others, who find what it has packed."""
        if self.store is None:
            yield
            return
        prepared = _prepared(self.node)
        if self.local_rank:
            self.store.wait([prepared], _UNTIL_KILLED)
        yield
        if not self.local_rank:
            self.store.set(prepared, "1")

    def wait_for_hosts(self, meanwhile: Callable[[], None]) -> None:
        """Returns when each machine has packed; calls `meanwhile` twice a second.

        One that has to decode all images takes longer than the others have patience at their first batch.
        """
        hosts = self.size // self.local_size
        if self.store is None or hosts == 1:
            return
        while not self.store.check([_prepared(node) for node in range(hosts)]):
            meanwhile()
            time.sleep(_LOOK_S)


@dataclass(frozen=True)
class Orders:
    """How the orders come from the leading process to the others."""

    group: Group
    store: Store

    def tell(self, number: int, order: str) -> Group:
        """The group that carries out order `number`. An empty one sends the others home."""
        self.store.set(f"order/{number}", order)
        return self._group_of(number)

    def hear(self, number: int) -> tuple[str, Group]:
        """The order, whenever it comes, and the group that carries it out."""
        self.store.wait([f"order/{number}"], _UNTIL_KILLED)
        return self.store.get(f"order/{number}").decode(), self._group_of(number)

    def _group_of(self, number: int) -> Group:
        return replace(self.group, store=PrefixStore(f"order/{number}", self.store))


def alone() -> Group:
    """This process and no other, on the first GPU if there is one."""
    return Group(device_of(0))


def device_of(local_rank: int) -> torch.device:
    """Of one process of a machine: the GPUs in turn, or the CPU for all."""
    return torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")


def count_of(wanted: int) -> int:
    """How many processes to train with here: as wished, and 0 wishes one for each GPU.

    Raises ValueError where there are GPUs, but fewer.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus and wanted > gpus:
        raise ValueError(f"{wanted} processes are wanted, but torch sees {gpus} GPUs: a process takes one")
    return wanted or max(1, gpus)


def join(environ: Mapping[str, str], store: Store | None = None, patience_s: float = PATIENCE_S) -> Orders:
    """Meets the others; returns when all are there. `store` if this process holds it, else at MASTER_ADDR."""
    patience = timedelta(seconds=patience_s)
    if store is None:
        store, _, _ = next(rendezvous("env://", timeout=patience))
    local_rank = int(environ["LOCAL_RANK"])
    device = device_of(local_rank)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    group = Group(
        device,
        rank=int(environ["RANK"]),
        size=int(environ["WORLD_SIZE"]),
        local_rank=local_rank,
        local_size=int(environ["LOCAL_WORLD_SIZE"]),
        node=int(environ.get("GROUP_RANK", 0)),
    )
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=PrefixStore("group", store),
        rank=group.rank,
        world_size=group.size,
        timeout=patience,
        device_id=device if device.type == "cuda" else None,
    )
    return Orders(group, PrefixStore("orders", store))


def as_process_lost(error: Exception) -> InfrastructureFault | None:
    """PROCESS_LOST if the error means that another process is gone; None if it is this process's own."""
    text = f"{error}"
    if isinstance(error, dist.DistError) or "gloo" in text or "NCCL" in text:
        return InfrastructureFault(
            FailureCode.PROCESS_LOST,
            *sentence("another process of this training no longer answers: {error}", error=text[:300]),
        )
    return None
