"""Builds the images as a fab without a registry does: as root by buildah, from a base that debootstrap makes.

What the build needs of this machine's configuration (mirrors, authorities, folders of wheels) goes into the
base, as `docs/operating/containers.md` says.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.repository import ROOT

CACHE = ROOT / ".cache/images"
PROGRAMS = ("buildah", "podman", "runc", "debootstrap")
IMAGE = ROOT / "deploy/image"
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_BASE = "localhost/debian:bookworm"
_WHEELS = re.compile(r"(?:file://)?(/[^\s']+)")


def missing() -> str:
    """Why images cannot be built here; empty: they can."""
    if os.geteuid() != 0:
        return "images are built by root"
    away = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"{', '.join(away)} is not here (Debian packages)" if away else ""


def call(program: str, *arguments: str | Path, timeout_s: float = 1800) -> str:
    """What buildah or podman says, with images of the tests' own."""
    storage = ["--root", CACHE / "storage", "--runroot", CACHE / "run", "--storage-driver", "overlay"]
    return _run([program, *storage, *arguments], timeout_s)


def _run(command: Sequence[str | Path], timeout_s: float) -> str:
    CACHE.mkdir(parents=True, exist_ok=True)
    # Not in the work tree: podman leaves a file where it ran when a container's memory is used up.
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=CACHE)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def build(target: str) -> str:
    """The name of the image, which is built where something has changed."""
    _make_base()
    name = f"localhost/loupe-{target}:test"
    folders = [f"--volume={folder}:{folder}:ro" for folder in _folders_of_wheels()]
    call(
        "buildah",
        *("build", "--runtime", "runc", "--isolation", "oci", "--network", "host", "--layers", *folders),
        *("--ignorefile", IMAGE / "Containerfile.dockerignore", "--file", IMAGE / "Containerfile"),
        *("--build-arg", f"BASE={_BASE}", "--target", target, "--tag", name, ROOT),
    )
    return name


def _make_base() -> None:
    """Once: a Debian 12, with this machine's configuration of pip and npm."""
    root = CACHE / "base"
    if call("podman", "images", "--quiet", _BASE).strip():
        return
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    _run(["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root], 900)
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    shutil.copy(_AUTHORITIES, root / str(_AUTHORITIES).lstrip("/"))
    (root / "etc/pip.conf").write_text(_pip_configuration())
    (root / "root/.npmrc").write_text(f"cafile={_AUTHORITIES}\n")
    archive = CACHE / "base.tar"
    _run(["tar", "--create", "--directory", root, "--file", archive, "."], 300)
    call("podman", "import", archive, _BASE)
    archive.unlink()
    shutil.rmtree(root)


def _settings_of_pip() -> dict[str, str]:
    """Of this machine, as a file has them: the environment's and the files'."""
    listed = _run([ROOT / ".venv/bin/pip", "config", "list"], 60)
    found = (line.split("=", 1) for line in listed.splitlines() if line.startswith(("global.", ":env:.")))
    wanted = {"cert", "constraint", "extra-index-url", "find-links", "index-url"}
    settings = {name.rpartition(".")[2]: value.strip("'") for name, value in found}
    return {name: value for name, value in settings.items() if name in wanted}


def _pip_configuration() -> str:
    settings = _settings_of_pip()
    constraint = settings.get("constraint")
    if constraint:
        copied = CACHE / "base/etc/pip-constraints.txt"
        shutil.copy(constraint, copied)
        settings["constraint"] = "/etc/pip-constraints.txt"
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items()), ""])


def _folders_of_wheels() -> list[str]:
    """Local folders that pip's configuration names, which the build sees at the same place."""
    settings = _settings_of_pip()
    named = _WHEELS.findall(f"{settings.get('find-links', '')} {settings.get('extra-index-url', '')}")
    # The pages of an index name files beside it.
    return [folder.removesuffix("/simple") for folder in named if Path(folder).is_dir()]
