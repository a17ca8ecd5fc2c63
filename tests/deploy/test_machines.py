"""Containers by Compose, units of systemd and the image, as far as can be checked without running them."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import PROCESS_OF_MODULE
from tests.support.repository import ROOT

COMPOSE = ROOT / "deploy/compose"
SYSTEMD = ROOT / "deploy/systemd"
IMAGE = ROOT / "deploy/image"
UNIT = SYSTEMD / "loupe@.service"


def _services() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    services: dict[str, dict[str, Any]] = document["services"]
    return services


def _ours() -> dict[str, dict[str, Any]]:
    return {name: one for name, one in _services().items() if one.get("command", [""])[0] == "python"}


def test_every_variable_of_compose_is_a_setting_of_its_process(settings_of: Mapping[str, set[str]]) -> None:
    """A variable that the process does not read is set in vain."""
    # A follower is on another machine than its leader.
    assert len(_ours()) == len(PROCESS_OF_MODULE) - 1
    for name, service in _ours().items():
        ours = {variable for variable in service["environment"] if variable.startswith("LOUPE_")}
        known = settings_of[PROCESS_OF_MODULE[service["command"][2]]]
        assert ours <= known, (name, ours - known)


def test_compose_runs_two_of_each_server_on_a_read_only_root() -> None:
    """The loss of one container is then the loss of none; what breaks into one finds nothing to write on."""
    for name, service in _ours().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        if name in {"registry", "scheduler", "evaluator", "gateway"}:
            assert service["deploy"]["replicas"] == 2, name


def test_compose_gives_files_that_it_declares() -> None:
    """A secret that is not declared, or that no container gets where its setting points, ends the start."""
    document = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    for name, service in _services().items():
        given = [one if isinstance(one, dict) else {"source": one} for one in service.get("secrets", [])]
        assert {one["source"] for one in given} <= set(document["secrets"]), name
        places = {one.get("target", f"/run/secrets/{one['source']}") for one in given}
        environment = service.get("environment", {})
        wanted = {value for value in environment.values() if str(value).startswith("/run/secrets/")}
        assert wanted <= places, (name, wanted - places)
    for config in document["configs"].values():
        assert config["file"].startswith("secrets/") or (COMPOSE / config["file"]).is_file()


@pytest.mark.parametrize("named", [True, False])
def test_compose_takes_its_file(named: bool) -> None:  # noqa: FBT001 -- a case
    """An interpolation or an anchor that is wrong is found before it is needed; PUBLIC_HOST must be set."""
    program = Path(sysconfig.get_path("scripts")) / "podman-compose"
    if not program.exists():
        pytest.skip("podman-compose is not here: `make check-deploy` installs it")
    environment = {"PATH": os.defpath, **({"PUBLIC_HOST": "loupe.fab.example.com"} if named else {})}
    done = subprocess.run(
        [program, "--file", COMPOSE / "compose.yaml", "config"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode == 0) == named, done.stderr
    if named:
        services = yaml.safe_load(done.stdout)["services"]
        assert set(services) == set(_services())
        registry = services["registry"]["environment"]
        assert registry["LOUPE_S3_ENDPOINT"] == "loupe.fab.example.com:8333"
    else:
        assert "PUBLIC_HOST" in done.stderr


def test_nats_reads_the_configuration_of_compose(tmp_path: Path) -> None:
    """A configuration that the server refuses is found before it is needed."""
    server = Path(sysconfig.get_path("scripts")) / "nats-server"
    if not server.exists():
        pytest.skip("the extra `embedded` is not installed: there is no nats-server")
    configuration = tmp_path / "etc/nats/nats.conf"
    configuration.parent.mkdir(parents=True)
    shutil.copy(COMPOSE / "nats.conf", configuration)
    users = tmp_path / "run/secrets/nats-users.conf"
    users.parent.mkdir(parents=True)
    users.write_text("authorization { users: [{user: loupe, password: secret}] }\n")
    done = subprocess.run(
        [server, "--config", configuration, "-t"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _variables(name: str) -> dict[str, str]:
    lines = (SYSTEMD / f"{name}.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_of_a_unit_is_a_setting_of_its_process(settings_of: Mapping[str, set[str]]) -> None:
    """A variable that the process does not read is set in vain; one that it needs is there."""
    modules = {}
    for path in SYSTEMD.glob("*.env"):
        given = _variables(path.stem)
        modules[path.stem] = given.pop("MODULE")
        # Read where packages are built.
        known = settings_of[PROCESS_OF_MODULE[modules[path.stem]]] | {"LOUPE_NATIVE_CACHE"}
        assert set(given) <= known, (path.stem, set(given) - known)
    assert sorted(modules.values()) == sorted(PROCESS_OF_MODULE)


def test_the_library_of_packages_is_where_the_unit_may_look() -> None:
    """Its usual place is in the home, which the unit lets no process see: no package was made."""
    assert "ProtectHome=yes" in UNIT.read_text(encoding="utf-8").splitlines()
    assert not _variables("evaluator-worker")["LOUPE_NATIVE_CACHE"].startswith(("/home", "/root", "~"))


@pytest.mark.parametrize("unit", sorted(SYSTEMD.glob("*.service")), ids=lambda unit: unit.name)
def test_a_child_that_wants_too_much_memory_does_not_stop_its_unit(unit: Path) -> None:
    """By default systemd stops a service of which the kernel killed one process."""
    assert "OOMPolicy=continue" in unit.read_text(encoding="utf-8").splitlines()


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """A directive that systemd does not know is ignored with a line in the journal."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "loupe@registry.service"
    text = UNIT.read_text(encoding="utf-8")
    assert text.count("/opt/loupe/.venv/bin/python") == 1
    unit.write_text(text.replace("/opt/loupe/.venv/bin/python", sys.executable), encoding="utf-8")
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if unit.name in line]


def test_the_image_leaves_out_what_is_in_the_lock() -> None:
    """A name that the lock does not have would leave nothing out, and 240 MB of servers in every image."""
    locked = set(
        re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements/run.lock").read_text("utf-8"), re.MULTILINE)
    )
    left_out = re.findall(r"skip = /\^\(([^)]*)\)==/", (IMAGE / "Containerfile").read_text(encoding="utf-8"))
    assert len(left_out) == 2
    for names in left_out:
        assert set(names.split("|")) <= locked


def test_hadolint_takes_the_containerfile() -> None:
    """What it refuses breaks builds elsewhere."""
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not here: `make check-deploy` installs it")
    done = subprocess.run(
        [hadolint, "--no-color", IMAGE / "Containerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
