"""What gRPC reads from the environment is set before its import, whatever else a process imports first."""

import subprocess
import sys

import pytest

_LOOKS = """
import importlib, os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "grpc":
            found = {one: os.environ.get(one) for one in ("GRPC_DNS_RESOLVER", "GRPC_ENABLE_FORK_SUPPORT")}
            sys.exit(str(found))

sys.meta_path.insert(0, Watch())
importlib.import_module(sys.argv[1])
"""


@pytest.mark.parametrize(
    "module",
    [
        "gateway.__main__",
        *(f"services.{name}.__main__" for name in ("registry", "scheduler", "evaluator", "trainer")),
        "services.evaluator.worker.__main__",
        "loupe.client",
    ],
)
def test_it_is_set_before_grpc_is_imported(module: str) -> None:
    """Later, gRPC takes one of a name's addresses, and its fork handlers crash what a busy process starts."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOKS, module], capture_output=True, text=True, check=False, env={}
    )
    assert done.stderr.strip() == "{'GRPC_DNS_RESOLVER': 'native', 'GRPC_ENABLE_FORK_SUPPORT': '0'}"
