"""X5: whatever is wrong with a package or a call, the answer is a code and a sentence."""

import ctypes as c
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loupe.artifact import Artifact, ArtifactError
from loupe.artifact.binding import Buffers, Options, RawDescription, RawImage, RawPrediction, load

from services.evaluator.worker.packaging.container import pack
from services.evaluator.worker.packaging.package import archive
from tests.support import packages

pytestmark = pytest.mark.xdist_group("packaging")
REFUSED = {"CSOT_CORRUPT", "CSOT_BAD_CONFIG", "CSOT_MISMATCH", "CSOT_NEWER_FORMAT", "CSOT_NOT_FOUND"}


def refusal(files: dict[str, bytes], folder: Path) -> ArtifactError:
    """How a package with these files is refused."""
    with pytest.raises(ArtifactError) as caught:
        Artifact(packages.unpacked(files, folder)).close()
    assert caught.value.status in REFUSED
    assert len(caught.value.sentence) > 20
    return caught.value


def test_a_cut_file_is_refused(small: dict[str, bytes], tmp_path: Path) -> None:
    """A copy that broke off must not half work: at every structural place, and at others."""
    models, config = small["models.xbin"], small["config.yaml"]
    header = struct.unpack_from("<I", models, 12)[0]
    ends, at = [], 52
    for _ in packages.parts(models):
        at += 1 + models[at] + 48
        offset, size = struct.unpack_from("<QQ", models, at - 48)
        ends += [at, offset, offset + size]
    cuts = {0, 1, 7, 8, 11, 12, 15, 16, 47, 48, 52, header, len(models) - 1}
    cuts |= {end + off for end in ends for off in (-1, 0, 1)}
    for cut in sorted(cut for cut in cuts if cut < len(models)):
        refusal({**small, "models.xbin": models[:cut]}, tmp_path / "package")
    for cut in range(0, config.index(b"\n...") + 4, 7):
        refusal({**small, "config.yaml": config[:cut]}, tmp_path / "package")
    longer = refusal({**small, "models.xbin": models + b"\0"}, tmp_path / "package")
    assert longer.status == "CSOT_CORRUPT"


def test_a_flipped_bit_is_found(small: dict[str, bytes], tmp_path: Path) -> None:
    """Disks and copies flip bits; the digests see every one of them."""
    models = bytearray(small["models.xbin"])
    header = struct.unpack_from("<I", models, 12)[0]
    for at in [*range(0, header, 3), *range(header, len(models), 211)]:
        models[at] ^= 1 << at % 8
        refusal({**small, "models.xbin": bytes(models)}, tmp_path / "package")
        models[at] ^= 1 << at % 8


def test_a_newer_format_is_told_apart_from_a_damaged_one(small: dict[str, bytes], tmp_path: Path) -> None:
    """The remedy differs: take the package's own library, or copy the package again."""
    models = bytearray(small["models.xbin"])
    struct.pack_into("<I", models, 8, 2)
    newer = packages.with_models(small, bytes(models))
    assert refusal(newer, tmp_path / "package").status == "CSOT_NEWER_FORMAT"
    config = small["config.yaml"].replace(b"format_version: 1", b"format_version: 2")
    assert refusal({**small, "config.yaml": config}, tmp_path / "package").status == "CSOT_NEWER_FORMAT"


def test_swapped_parts_and_files_are_refused(small: dict[str, bytes], tmp_path: Path) -> None:
    """Parts that are whole by themselves but not of one model."""
    parts = packages.parts(small["models.xbin"])
    crossed = [("classifier.weights", "segmenter.weights"), ("classifier.graph", "segmenter.graph")]
    crossed.append(("special", "model"))
    for first, second in crossed:
        swapped = {**parts, first: parts[second], second: parts[first]}
        refused = refusal(packages.with_models(small, pack(swapped)), tmp_path / "package")
        assert refused.status == "CSOT_CORRUPT"
    for name in parts.keys() - {"special", "segmenter.graph"}:
        less = {key: value for key, value in parts.items() if key != name}
        refusal(packages.with_models(small, pack(less)), tmp_path / "package")
    other = packages.with_models(small, pack({**parts, "note": b"another package"}))
    mixed = {**small, "models.xbin": other["models.xbin"]}
    assert refusal(mixed, tmp_path / "package").status == "CSOT_MISMATCH"


def damaged_graphs(graph: bytes) -> Iterator[bytes]:
    """Every number of a graph replaced by what breaks rules, one at a time."""
    for at in range(0, len(graph) - 3, 4):
        for value in (0, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF):
            changed = bytearray(graph)
            struct.pack_into("<I", changed, at, value)
            if changed != graph:
                yield bytes(changed)
    yield graph + b"\0\0\0\0"


@pytest.mark.parametrize("name", ["classifier", "segmenter"])
def test_a_graph_that_lies_is_refused_or_runs(name: str, small: dict[str, bytes], tmp_path: Path) -> None:
    """Digests only tell that nobody changed a file by accident: every bound is checked all the same.

    Some changes are another graph that is as good: that one must predict without harm.
    """
    parts = packages.parts(small["models.xbin"])
    outcomes = set()
    for graph in damaged_graphs(parts[f"{name}.graph"]):
        changed = packages.with_models(small, pack({**parts, f"{name}.graph": graph}))
        folder = packages.unpacked(changed, tmp_path / "package")
        try:
            with Artifact(folder) as artifact:
                artifact.predict(np.zeros((40, 40), np.uint8))
            outcomes.add("ran")
        except ArtifactError as error:
            outcomes.add(error.status)
    assert outcomes <= {"ran", "CSOT_CORRUPT", "CSOT_OUT_OF_MEMORY"}
    assert "CSOT_CORRUPT" in outcomes


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("  confidence: 0.0", "  confidence: 2", "from 0 to 1"),
        ("  confidence: 0.0", "  confidence: 0,5", "a number"),
        ("  confidence: 0.0", "  confidence: nan", "a number"),
        ("  confidence: 0.0", "  confidence:", "a number"),
        ("  confidence: 0.0", "  confidnce: 0.1", "not an entry"),
        ("  confidence: 0.0", "  confidence: 0.1\n  confidence: 0.2", "twice"),
        ("  confidence: 0.0", "\tconfidence: 0.1", "tab"),
        ("  confidence: 0.0", "    confidence: 0.1", "two spaces"),
        ("  confidence: 0.0", "  # confidence: 0.1", "lacks thresholds: confidence"),
        ("  classifier_caution: 0.3", "", "lacks thresholds: classifier_caution"),
        ("filter_resolution: false", "filter_resolution: maybe", "true or false"),
        ("filter_resolution: false", 'filter_resolution: "false', "closing quote"),
        ("  RARE: 30.5", "  RARE: -1", "from 0"),
        ("  RARE: 30.5", "  NOBODY: 3", "names NOBODY"),
        ("sha256:", "sha256: 1", "not an entry"),
        ("model:\n", "madel:\n", "not an entry"),
    ],
)
def test_a_bad_entry_is_named_with_its_line(
    before: str, after: str, sentence: str, small: dict[str, bytes], tmp_path: Path
) -> None:
    """config.yaml is edited by hand, on a machine without us."""
    config = small["config.yaml"].decode()
    assert before in config
    files = {**small, "config.yaml": config.replace(before, after, 1).encode()}
    error = refusal(files, tmp_path / "package")
    assert error.status == "CSOT_BAD_CONFIG"
    assert sentence in error.sentence


def test_a_missing_file_is_named(small: dict[str, bytes], tmp_path: Path) -> None:
    """And a zip that is none, or has more or less than a package."""
    for name in ("models.xbin", "config.yaml", "libCsotArtifact.so"):
        folder = packages.unpacked(small, tmp_path / name)
        (folder / name).unlink()
        with pytest.raises(ArtifactError, match=name) as caught:
            Artifact(folder)
        assert caught.value.status == "CSOT_NOT_FOUND"
    package = tmp_path / "package.zip"
    for content in (b"", b"PK", archive({**small, "more": b""}), archive({"config.yaml": b""})):
        package.write_bytes(content)
        with pytest.raises(ArtifactError, match="CSOT_CORRUPT"):
            Artifact(package)
    with pytest.raises(ArtifactError, match="CSOT_NOT_FOUND"):
        Artifact(tmp_path / "nowhere.zip")


def test_every_misuse_of_the_interface_has_its_sentence(small: dict[str, bytes], tmp_path: Path) -> None:
    """A null pointer, a zero batch, a stride too short: told, not crashed on."""
    folder = packages.unpacked(small, tmp_path / "package")
    library = load(folder / "libCsotArtifact.so")
    handle, name = c.c_void_p(), str(folder).encode()

    def told(status: int, *words: str) -> None:
        sentence = library.csot_last_error().decode()
        assert library.csot_status_name(status) == b"CSOT_INVALID_ARGUMENT", sentence
        for word in words:
            assert word in sentence

    told(library.csot_open(None, None, c.byref(handle)), "folder is null")
    told(library.csot_open(name, None, None), "artifact is null")
    told(library.csot_open(name, c.byref(Options(0, 1, 0)), c.byref(handle)), "struct_size")
    told(library.csot_open(name, c.byref(Options(12, 5000, 0)), c.byref(handle)), "5000 threads")
    assert not handle
    # A program that was built before max_memory_mib was there: what follows its structure is none.
    assert library.csot_open(name, c.byref(Options(12, 1, 0, 1)), c.byref(handle)) == 0
    library.csot_close(handle)
    assert library.csot_open(name, None, c.byref(handle)) == 0

    pixels = np.zeros((40, 50, 3), np.uint8)
    prediction = (RawPrediction * 1)()

    def predict(count: int = 1, buffers: Buffers | None = None, **changes: int | None) -> int:
        its = {"pixels": pixels.ctypes.data, "width": 50, "height": 40, "stride": 0, "format": 2} | changes
        image = RawImage(**its)
        return library.csot_predict(
            handle, c.byref(image), count, prediction, c.byref(buffers) if buffers else None
        )

    assert predict() == 0
    told(library.csot_predict(None, None, 1, prediction, None), "artifact is null")
    told(library.csot_predict(handle, None, 1, prediction, None), "images is null")
    image = RawImage(pixels.ctypes.data, 50, 40, 0, 2)
    told(library.csot_predict(handle, c.byref(image), 1, None, None), "predictions is null")
    told(predict(count=0), "batch of 0")
    told(predict(count=2**31), "batch of")
    told(predict(pixels=None), "images[0].pixels")
    told(predict(width=0), "0 × 40")
    told(predict(height=0), "50 × 0")
    told(predict(width=2**31, height=2**31), "px")
    told(predict(stride=149), "stride is 149")
    told(predict(stride=2**63), "no memory")
    told(predict(format=7), "format is 7")
    size = c.sizeof(Buffers)
    floats = np.zeros(4, np.float32).ctypes.data
    told(predict(buffers=Buffers(size, floats, 4, None, 0)), "room for 4 floats; 5")
    told(predict(buffers=Buffers(size, None, 0, floats, 16)), "room for 16 bytes; 1024")
    told(predict(buffers=Buffers(1, None, 0, None, 0)), "struct_size")
    told(library.csot_describe(handle, None), "description is null")
    told(library.csot_describe(handle, c.byref(RawDescription(2))), "struct_size")
    told(library.csot_code(handle, 5, None, None), "no code 5")
    told(library.csot_code(None, 0, None, None), "artifact is null")
    told(library.csot_check_image(handle, 0, 9), "no pixels")
    assert library.csot_status_name(library.csot_check_image(handle, 300, 33)) == b"CSOT_NONCONFORMING"
    assert "300 × 33" in library.csot_last_error().decode()
    assert library.csot_status_name(99) == b"unknown status"
    library.csot_close(handle)
    library.csot_close(None)
