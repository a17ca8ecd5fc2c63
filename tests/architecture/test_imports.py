"""The shape that ARCHITECTURE.md describes is the shape of the code."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "module",
    [
        "services.registry.__main__",
        "services.scheduler.__main__",
        "services.evaluator.__main__",
        "services.evaluator.worker",
        "services.trainer.__main__",
        "gateway.__main__",
        "loupe.cli",
    ],
)
def test_invariant_7_no_server_or_worker_loads_torch(module: str) -> None:
    """A crash of torch must end a child only, and servers install without it (invariant 7)."""
    program = (
        f"import sys, {module}; sys.exit(bool({{'torch', 'torchvision', 'safetensors'}} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=_ROOT)


def test_the_command_line_starts_without_its_heavy_libraries() -> None:
    """`loupe --help` answers at once: grpc, numpy and cv2 are loaded by the commands that need them."""
    program = (
        "import sys, loupe.cli;"
        "sys.exit(', '.join(sorted({'grpc', 'numpy', 'cv2', 'rich'} & set(sys.modules))) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=_ROOT)
