"""`loupe service-tokens`."""

import json
from pathlib import Path

from click.testing import CliRunner, Result
from loupe.cli import loupe

from services.service_tokens import ROLES


def run(*arguments: object) -> Result:
    return CliRunner(env={"LC_ALL": "C.UTF-8"}).invoke(loupe, ["service-tokens", *map(str, arguments)])


def answer(*arguments: object) -> dict[str, object]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_an_operator_creates_rotates_and_retires(tmp_path: Path) -> None:
    """A1: by the three commands that the documents name; none of them prints a secret."""
    folder = tmp_path / "tokens"
    assert answer("create", "--folder", folder)["created"] == list(ROLES)
    assert answer("create", "--folder", folder)["created"] == []
    assert answer("rotate", "--folder", folder) == {"folder": str(folder)}
    for words, said in ((("rotate",), "retire those first"), (("retire",), "under way")):
        refused = run(*words, "--folder", folder)
        assert refused.exit_code != 0
        assert said in refused.stderr
    assert answer("retire", "--now", "--folder", folder)["retired"] == list(ROLES)
    done = run("retire", "--folder", folder)
    assert "has no former tokens" in done.stdout
    secrets = [path.read_text().strip() for path in folder.glob("*.token")]
    assert len(secrets) == len(ROLES)
    assert not any(secret in done.output for secret in secrets)


def test_without_a_folder_it_is_the_embedded_stacks(tmp_path: Path) -> None:
    """As `loupe up` and `loupe down` find it."""
    created = answer("create", "--data-dir", tmp_path / "data")
    assert created["folder"] == str(tmp_path / "data" / "service-tokens")
