"""Adds the generated contracts, which lie outside of this folder, to what is built from it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_IN_SOURCE_DISTRIBUTION = "contracts/loupe"


class ContractsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own configuration type
    """Not for an editable install: that reads the contracts where they are generated."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the contracts' folder and its place in the wheel or the source distribution."""
        if version == "editable":
            return
        generated = Path(self.root).parent / "protos" / "gen" / "loupe"
        if not generated.is_dir():
            generated = Path(self.root) / _IN_SOURCE_DISTRIBUTION
        target = "loupe" if self.target_name == "wheel" else _IN_SOURCE_DISTRIBUTION
        build_data["force_include"][str(generated)] = target
