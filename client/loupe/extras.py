"""Parts of the client that need more than `loupe-client` itself, and how to install what they need."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loupe.translation import Sentence, sentence


@dataclass(frozen=True, slots=True)
class Extra:
    """What is installed on top, and what it is for."""

    requirement: str
    """As pip takes it."""
    packages: frozenset[str]
    """Top-level import packages that it brings."""
    purpose: Callable[[], Sentence]
    """Read when an extra is missing: the command line starts without the catalogue."""


IMPORT = Extra(
    "loupe-client[import]",
    frozenset({"PIL", "defusedxml", "numpy"}),
    lambda: sentence("reading annotation files"),
)
SAMPLE = Extra(
    "loupe-client[sample]", frozenset({"cv2", "numpy"}), lambda: sentence("generating sample images")
)
ARTIFACT = Extra(
    "loupe-client[artifact]",
    frozenset({"PIL", "cv2", "numpy"}),
    lambda: sentence("predicting with a package"),
)
SIGNATURES = Extra(
    "loupe-client[signatures]",
    frozenset({"cryptography"}),
    lambda: sentence("checking the signature of a package"),
)
EVENTS = Extra("loupe-client[events]", frozenset({"nats"}), lambda: sentence("following events"))
STACK = Extra(
    "loupe[embedded]",
    frozenset({"deploy", "services", "asyncpg", "minio", "grpc_health"}),
    lambda: sentence("running the servers on this machine"),
)
COMPARISON = Extra(
    "loupe[train]",
    frozenset({"services", "torch"}),
    lambda: sentence("comparing with the released version, a torch model,"),
)


class MissingExtra(ImportError):
    """An optional part is not installed; the sentences name the part and the command that installs it."""

    def __init__(self, extra: Extra, package: str) -> None:
        remedy = f"pip install '{extra.requirement}'"
        message, self.message_zh = sentence(
            "{purpose} needs the Python package {package}, which is not installed here: {remedy}",
            purpose=extra.purpose(),
            package=package,
            remedy=remedy,
        )
        super().__init__(message, name=package)


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
