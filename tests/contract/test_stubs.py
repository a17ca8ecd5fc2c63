"""Stubs of the contracts in other languages: machines of a fab speak C#, Java and C++ (I1)."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor

_PROTOS = Path(__file__).resolve().parents[2] / "protos"
_SOURCES = sorted(str(path.relative_to(_PROTOS)) for path in (_PROTOS / "loupe").rglob("*.proto"))


def _descriptor(source: str) -> FileDescriptor:
    module = source.removesuffix(".proto").replace("/", ".")
    return importlib.import_module(f"{module}_pb2").DESCRIPTOR


def _messages(found: Descriptor) -> Iterator[Descriptor]:
    yield found
    for nested in found.nested_types:
        yield from _messages(nested)


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders java, csharp and cpp, generated as an integrator does it."""
    folder = tmp_path_factory.mktemp("stubs")
    languages = ("java", "csharp", "cpp")
    for language in languages:
        (folder / language).mkdir()
    arguments = [
        str(Path(sys.executable).parent / "protoc"),
        *(
            f"-I{path}"
            for path in (_PROTOS, _PROTOS / "third_party", resources.files("grpc_tools") / "_proto")
        ),
        *(f"--{language}_out={folder / language}" for language in languages),
        "--csharp_opt=base_namespace=",
        *_SOURCES,
    ]
    subprocess.run(arguments, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("source", _SOURCES)
def test_i1_every_contract_names_its_packages(source: str) -> None:
    """Without these options a moved file would change the names of everybody's generated classes."""
    found = _descriptor(source)
    options = found.GetOptions()
    _, service, version = found.package.split(".")
    assert options.csharp_namespace == f"Loupe.{service.capitalize()}.{version.upper()}"
    assert options.java_package == found.package
    assert options.java_outer_classname == f"{_camel(Path(source).stem)}Proto"
    assert options.java_multiple_files
    assert options.go_package == f"loupe/{service}/{version};{service}{version}"


@pytest.mark.parametrize("source", _SOURCES)
def test_i1_stubs_are_in_the_namespaces_that_the_contract_names(stubs: Path, source: str) -> None:
    """Where the documents say that the classes are, they are."""
    found = _descriptor(source)
    options = found.GetOptions()
    name = Path(source).stem
    outer = stubs / "java" / options.java_package.replace(".", "/") / f"{options.java_outer_classname}.java"
    assert f"package {options.java_package};" in outer.read_text()
    csharp = stubs / "csharp" / options.csharp_namespace.replace(".", "/") / f"{_camel(name)}.cs"
    assert f"namespace {options.csharp_namespace} {{" in csharp.read_text()
    header = (stubs / "cpp" / source).with_suffix(".pb.h").read_text()
    assert all(f"namespace {part} {{" in header for part in found.package.split("."))


@pytest.mark.parametrize("source", _SOURCES)
def test_i1_java_accessors_have_the_fields_names(stubs: Path, source: str) -> None:
    """Java appends the field's number where two accessors clash, as of a list `x` and a field `x_count`."""
    found = _descriptor(source)
    folder = stubs / "java" / found.GetOptions().java_package.replace(".", "/")
    for top in found.message_types_by_name.values():
        made = set(re.findall(r"\bget\w+", (folder / f"{top.name}.java").read_text()))
        fields = [field for message in _messages(top) for field in message.fields]
        assert {f"get{_camel(field.name)}{field.number}" for field in fields} & made == set()
