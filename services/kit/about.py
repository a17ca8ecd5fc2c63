"""The version of this software."""

from importlib.metadata import PackageNotFoundError, version


def version_of(distribution: str) -> str:
    """The version of an installed distribution; empty if there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


VERSION = version_of("loupe")
"""Of this software."""
