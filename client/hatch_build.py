"""Adds files outside of this folder to what is built from it: the generated contracts and the licence."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_CONTRACTS = "contracts/loupe"
"""Their folder in a source distribution."""


class OutsideFiles(BuildHookInterface):  # type: ignore[type-arg]
    """For wheels and source distributions: an editable install reads files where they are."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name each file or folder, and its place in what is built."""
        if version == "editable":
            return
        root = Path(self.root)
        in_wheel = self.target_name == "wheel"
        licences = f"loupe_client-{self.metadata.version}.dist-info/licenses/" if in_wheel else ""
        outside = {
            root.parent / "protos/gen/loupe": "loupe" if in_wheel else _CONTRACTS,
            root.parent / "LICENSE": f"{licences}LICENSE",
            root.parent / "NOTICE": f"{licences}NOTICE",
        }
        if (root / _CONTRACTS).is_dir():  # an unpacked source distribution: the licence is found by itself
            outside = {root / _CONTRACTS: "loupe"}
        build_data["force_include"].update({str(path): target for path, target in outside.items()})
