"""The shape that ARCHITECTURE.md describes is the shape of the code."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from client.update_translations import product_modules

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "module",
    [
        "services.registry.__main__",
        "services.scheduler.__main__",
        "services.evaluator.__main__",
        "services.evaluator.worker.__main__",
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


@pytest.mark.parametrize(
    "module",
    [
        *("services.registry", "services.scheduler", "services.evaluator", "services.evaluator.worker"),
        *("services.trainer", "gateway", "deploy.embedded"),
    ],
)
def test_the_fork_handlers_of_grpc_are_off_before_it_is_imported(module: str) -> None:
    """With them, of the children that a busy server starts every tenth crashes before its first line.

    `loupe up` hands the variable on to what it starts; a process that is started otherwise has only itself.
    """
    program = f"""
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "grpc":
            sys.exit(os.environ.get("GRPC_ENABLE_FORK_SUPPORT") != "0")

sys.meta_path.insert(0, Watch())
import {module}.__main__
sys.exit("it does not import grpc")
"""
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_ENABLE_FORK_SUPPORT"}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=_ROOT, env=environment)


def test_the_command_line_starts_without_its_heavy_libraries() -> None:
    """`loupe --help` answers at once: what is heavy is loaded by the commands that need it."""
    program = (
        "import sys, loupe.cli;"
        "heavy = {'grpc', 'numpy', 'cv2', 'polib', 'rich'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=_ROOT)


def test_no_http_client_that_follows_the_environments_proxy() -> None:
    """`http_proxy` is there for pip; our servers and the object store are called directly.

    urllib3 and http.client take no settings from the environment.
    """
    follow = ("requests", "httpx", "aiohttp", "urllib.request")
    found = {
        f"{path}:{node.lineno}"
        for path, source in product_modules()
        for node in ast.walk(ast.parse(source))
        for name in _imported(node)
        if name.startswith(tuple(f"{module}." for module in follow))
    }
    assert found == set()


def test_only_the_kit_makes_channels() -> None:
    """A channel made elsewhere has none of our options: it asks a proxy, and does not find a dead server."""
    makers = {
        path
        for path, source in product_modules()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in {"insecure_channel", "secure_channel"}
    }
    assert makers == {"client/loupe/rpc/channel.py"}


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import():
            return [f"{alias.name}." for alias in node.names]
        case ast.ImportFrom():
            return [f"{node.module or ''}.{alias.name}." for alias in node.names]
        case _:
            return []
