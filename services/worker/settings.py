"""Settings that every worker has."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loupe.rpc.tls import TlsSettings
from loupe.scheduler.v1 import job_pb2, job_service_pb2
from loupe.settings import setting

from services.kit import machine
from services.kit.about import VERSION, version_of
from services.kit.child_confinement import Policy
from services.kit.limits import CallLimits
from services.kit.object_store import ObjectStoreSettings
from services.kit.operations import OperationsSettings
from services.service_tokens import ServiceTokenSettings

_CHILD_VARIABLES = frozenset(
    {"PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "CC", "CXX", "LOUPE_OBJECTS_DIR"}
)
_CHILD_PREFIXES = (
    *("LC_", "OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "OPENBLAS_", "ATEN_", "TORCH_", "PYTORCH_"),
    *("CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "GLOO_", "HIP_", "HSA_", "ROCR_"),
)
"""Settings of libraries that compute."""


@dataclass(frozen=True, kw_only=True)
class ChildHostSettings:
    """Settings of a process that keeps a child, for jobs of its own or of another host."""

    worker: str = setting("LOUPE_WORKER", default="", doc="This worker's name; empty: host and process id")
    gpus: int | None = setting(
        "LOUPE_GPUS",
        default=None,
        doc="How many GPUs this worker has for its jobs; empty: all of the machine's",
    )
    cache_dir: Path = setting("LOUPE_CACHE_DIR", doc="Packs and files of running jobs")  # noqa: RUF009 -- a field
    cache_bytes: int = setting(
        "LOUPE_CACHE_BYTES", default=8_589_934_592, doc="How large the packs in the cache may grow together"
    )
    torch_threads: int = setting(
        "LOUPE_TORCH_THREADS", default=0, doc="Threads of torch on the CPU; 0: one for every core"
    )
    log_level: str = setting("LOUPE_LOG_LEVEL", default="INFO", doc="DEBUG, INFO, WARNING or ERROR")
    objects: ObjectStoreSettings = field()
    operations: OperationsSettings = field()

    @property
    def name(self) -> str:
        """The worker's name, never empty."""
        return self.worker or f"{socket.gethostname()}-{os.getpid()}"

    @property
    def threads(self) -> int:
        """Threads of torch: results are reproducible for a given number."""
        return self.torch_threads or machine.cpus()

    @property
    def own_gpus(self) -> int:
        """How many GPUs it has."""
        return machine.gpus() if self.gpus is None else self.gpus

    @property
    def child_reads(self) -> Mapping[str, Path]:
        """Folders that the child reads beside its own, by the variables that tell it of them."""
        return {}

    def child_environ(self) -> dict[str, str]:
        """The environment of the child: of this process's what libraries read, and no secret."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in _CHILD_VARIABLES or name.startswith(_CHILD_PREFIXES)
        }
        return {
            # OpenMP threads spin while they wait. With the default, a step takes three times as long on
            # shared cores; without spinning, idle cores train a third slower.
            "GOMP_SPINCOUNT": "20000",
            **kept,
            **{name: str(path) for name, path in self.child_reads.items()},
            "PYTHONPATH": os.pathsep.join(_import_path()),
            "LOUPE_CACHE_DIR": str(self.cache_dir.absolute()),
            "LOUPE_PACK_CACHE_BYTES": str(self.cache_bytes),
            "OMP_NUM_THREADS": str(self.threads),
        }

    def child_policy(self, folder: Path, *, group: bool) -> Policy:
        """What a child with that folder may reach; `group`: it trains with others of this machine."""
        packs, jobs = self.cache_dir / "packs", self.cache_dir / "workers" / self.name
        for made in (packs, jobs):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        return Policy(
            reads=(
                *(*_import_path(), sys.prefix, sys.base_prefix),
                *(path for path in libraries if path),
                *map(str, self.child_reads.values()),
            ),
            writes=tuple(str(path.absolute()) for path in (folder, packs, jobs)),
            hidden=str(self.cache_dir.absolute()),
            group=group,
        )


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(ChildHostSettings):
    """Settings of a worker process."""

    compute_resource: str = setting(
        "LOUPE_COMPUTE_RESOURCE", default="cpu", doc="The compute resource that this worker stands for (W7)"
    )
    cpus: int | None = setting(
        "LOUPE_CPUS", default=None, doc="How many processor cores it has; empty: all that it may run on"
    )
    memory_bytes: int | None = setting(
        "LOUPE_MEMORY_BYTES",
        default=None,
        doc="How much memory it has; empty: the machine's, or its container's",
    )
    listen: str = setting(
        "LOUPE_LISTEN", default="127.0.0.1:0", doc="host:port for WorkerService; port 0: any"
    )
    scheduler_address: str = setting("LOUPE_SCHEDULER_ADDRESS", doc="host:port of the scheduler")
    registry_address: str = setting("LOUPE_REGISTRY_ADDRESS", doc="host:port of the registry")
    max_unreported_bytes: int = setting(
        "LOUPE_MAX_UNREPORTED_BYTES",
        default=8 * 2**20,
        doc="How much is kept while the scheduler is away, before the child has to wait",
    )
    max_idle_s: float = setting(
        "LOUPE_MAX_IDLE_S",
        default=0.0,
        doc="A worker that had no job for so long ends, for who starts workers as jobs wait; 0: it stays",
    )
    tokens: ServiceTokenSettings = field()
    tls: TlsSettings = field()
    calls: CallLimits = field()

    def __post_init__(self) -> None:
        if not self.max_idle_s >= 0:
            raise ValueError("LOUPE_MAX_IDLE_S must be 0 or more")

    @property
    def nodes(self) -> int:
        """On how many hosts it does its jobs."""
        return 1

    def announcement(self) -> job_service_pb2.AcquireJobRequest:
        """What this worker is and has, on all its hosts, for its requests; without `kinds` and `wait`."""
        memory_bytes = machine.memory_bytes() if self.memory_bytes is None else self.memory_bytes
        return job_service_pb2.AcquireJobRequest(
            worker=f"workers/{self.name}",
            compute_resources=[f"computeResources/{self.compute_resource}"],
            capacity=job_pb2.Amounts(
                gpus=self.nodes * self.own_gpus,
                cpus=self.nodes * (machine.cpus() if self.cpus is None else self.cpus),
                memory_bytes=self.nodes * memory_bytes,
            ),
            version=VERSION,
            # The child's, which is the same Python; this process does not import it.
            torch_version=version_of("torch"),
            device=machine.gpu_models() if self.own_gpus else machine.cpu_model(),
        )


def _import_path() -> list[str]:
    """Where modules come from, without the working folder: that of the stack holds its secrets."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    here = str(Path.cwd())
    return [str(Path(path).absolute()) for path in sys.path if path and (path != here or path in given)]
