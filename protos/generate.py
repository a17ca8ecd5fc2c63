"""Generate the Python code of the contracts into `protos/gen`, or check that it is fresh.

Beside the code it writes `loupe/contracts.binpb`, a FileDescriptorSet of our contracts with their comments,
which the generated code leaves out; the gateway describes its routes with them.

python protos/generate.py            writes protos/gen
python protos/generate.py --check    exits 1 and names what differs
"""

import filecmp
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent


def generate(target: Path) -> None:
    """Write messages, stubs and type stubs of every contract under `target`."""
    sources = sorted(str(path.relative_to(HERE)) for path in (HERE / "loupe").rglob("*.proto"))
    well_known = str(resources.files("grpc_tools") / "_proto")
    (target / "loupe").mkdir(parents=True, exist_ok=True)
    # By path: a venv that is not activated has its programs beside its interpreter and not on PATH.
    programs = Path(sys.executable).parent
    arguments = [
        "protoc", f"-I{HERE}", f"-I{HERE / 'third_party'}", f"-I{well_known}",
        *(f"--plugin={programs / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
        f"--python_out={target}", f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}", f"--mypy_grpc_out=quiet:{target}",
        f"--descriptor_set_out={target / 'loupe' / 'contracts.binpb'}", "--include_source_info",
        *sources,
    ]  # fmt: skip
    if protoc.main(arguments) != 0:
        raise SystemExit("protos/generate.py: protoc failed")
    for stub in target.rglob("*_pb2_grpc.py*"):
        # A contract without a service still gets these two; nobody imports them.
        if (
            not (
                HERE
                / stub.relative_to(target).parent
                / stub.name.replace("_pb2_grpc.pyi", ".proto").replace("_pb2_grpc.py", ".proto")
            )
            .read_text(encoding="utf-8")
            .count("\nservice ")
        ):
            stub.unlink()


def differences(fresh: Path, committed: Path) -> list[str]:
    """Relative paths that are in one tree only or differ between the two."""
    trees = [
        {str(path.relative_to(root)) for path in root.rglob("*") if path.suffix in {".py", ".pyi", ".binpb"}}
        for root in (fresh, committed)
    ]
    return sorted(
        name
        for name in trees[0] | trees[1]
        if name not in trees[0]
        or name not in trees[1]
        or not filecmp.cmp(fresh / name, committed / name, shallow=False)
    )


def main() -> None:
    """Generate, or check with `--check`."""
    committed = HERE / "gen"
    if sys.argv[1:] != ["--check"]:
        shutil.rmtree(committed, ignore_errors=True)
        generate(committed)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        stale = differences(Path(folder), committed)
    if stale:
        raise SystemExit("protos/gen is stale; run `make protos`: " + ", ".join(stale))


if __name__ == "__main__":
    main()
