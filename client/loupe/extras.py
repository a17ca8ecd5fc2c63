"""Parts of the client that need more than `loupe-client` itself, and how to install what they need."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loupe.translation import sentence


@dataclass(frozen=True, slots=True)
class Extra:
    """What is installed on top, and what it is for."""

    requirement: str
    """As pip takes it."""
    packages: frozenset[str]
    """Top-level import packages that it brings."""
    purpose: str
    purpose_zh: str


IMPORT = Extra(
    "loupe-client[import]",
    frozenset({"PIL", "defusedxml", "numpy"}),
    *sentence("reading annotation files"),
)
SAMPLE = Extra("loupe-client[sample]", frozenset({"cv2", "numpy"}), *sentence("generating sample images"))
ARTIFACT = Extra(
    "loupe-client[artifact]",
    frozenset({"PIL", "cv2", "numpy"}),
    *sentence("predicting with a package"),
)
EVENTS = Extra("loupe-client[events]", frozenset({"nats"}), *sentence("following events"))
STACK = Extra(
    "loupe[embedded]",
    frozenset({"deploy", "services", "asyncpg", "minio", "grpc_health"}),
    *sentence("running the servers on this machine"),
)
COMPARISON = Extra(
    "loupe[train]",
    frozenset({"services", "torch"}),
    *sentence("comparing with the released version, a torch model,"),
)


class MissingExtra(ImportError):
    """An optional part is not installed; the sentences name the part and the command that installs it."""

    def __init__(self, extra: Extra, package: str) -> None:
        remedy = f"pip install '{extra.requirement}'"
        super().__init__(
            f"{extra.purpose} needs the Python package {package}, which is not installed here: {remedy}",
            name=package,
        )
        self.message_zh = f"{extra.purpose_zh}需要 Python 包 {package}，此机器未安装：请执行 {remedy}"


@contextmanager
def needs(extra: Extra) -> Iterator[None]:
    """MissingExtra where an import inside finds that a package of the extra is absent."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in extra.packages:
            raise
        raise MissingExtra(extra, package) from error
