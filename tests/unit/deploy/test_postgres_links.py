"""A data folder whose database is elsewhere, by a link."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.embedded.data_folder import DataFolder
from deploy.embedded.errors import ServerUnusable
from deploy.embedded.postgres import Postgres


def linked(root: Path, database: Path) -> Postgres:
    folder = DataFolder(root)
    folder.create()
    database.mkdir(exist_ok=True)
    if not (root / "postgres").is_symlink():
        (root / "postgres").symlink_to(database)
    return Postgres(folder.root / "postgres", port=1, credentials=folder.credentials())


def test_a_copy_whose_link_leads_to_a_database_in_use_is_refused_by_name(tmp_path: Path) -> None:
    """`cp -a` keeps the link: two stacks would work on one database, and end each other's server."""
    original, database = tmp_path / "original", tmp_path / "elsewhere"
    owner = linked(original, database)
    owner._find_place()
    copy = tmp_path / "copy"
    shutil.copytree(original, copy, symlinks=True)
    with pytest.raises(ServerUnusable, match=f"the stack in {original}"):
        linked(copy, database)._find_place()
    owner._find_place()
    # Moved, not copied: nobody else has the database.
    original.rename(tmp_path / "moved")
    linked(copy, database)._find_place()
    assert json.loads((copy / "credentials.json").read_text())["stack_id"]
