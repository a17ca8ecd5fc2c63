"""X1, X2, X4: what a package is made of, and that it opens from C and from Python."""

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from loupe.artifact import Artifact, ArtifactError
from torch import Tensor

from services.evaluator.worker.packaging.faults import NotPackageable
from services.evaluator.worker.packaging.formats import make_package
from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.native_library import HEADER
from services.evaluator.worker.packaging.package import archive, build_package
from services.vision.networks import CLASSIFIERS
from tests.support import packages
from tests.support.bare_root import build_example, can_change_root, classify_in_bare_root

pytestmark = pytest.mark.xdist_group("packaging")
NAME = PackageName("panel-surface", "v3.01")


def test_a_package_has_three_entries_and_one_content(tmp_path: Path) -> None:
    """X1: whoever exports a version again gets the bytes whose hash the registry knows."""
    first, second = (build_package(packages.weights(special=2.25), NAME) for _ in range(2))
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    package = tmp_path / "package.zip"
    package.write_bytes(first)
    with zipfile.ZipFile(package) as zipped:
        assert zipped.testzip() is None
        assert sorted(zipped.namelist()) == ["config.yaml", "libCsotArtifact.so", "models.xbin"]


def test_config_names_what_the_package_is(small: dict[str, bytes]) -> None:
    """X2: a person reads in config.yaml what a package is, and sha256sum confirms its files."""
    config = small["config.yaml"].decode()
    for name in ("models.xbin", "libCsotArtifact.so"):
        assert f"  {name}: {hashlib.sha256(small[name]).hexdigest()}" in config
    for line in (
        '  name: "panel-surface"',
        '  version: "v3.01"',
        '  - code: "ODD"\n    special: true',
        '  - code: "CLEAN"\n    special: false',
        "  classifier_caution: 0.3",
        "  segmentation_caution: 0.05",
        "  special_distance: 2.25",
        "  RARE: 30.5",
        '  normalisation: "fixed"',
        '  "seed": 7',
    ):
        assert line in config


def test_the_library_shows_its_interface_and_nothing_else(small: dict[str, bytes], tmp_path: Path) -> None:
    """X3: an inspection program has C++ of its own; two copies of a symbol would be mixed up.

    And the library may ask for no other than libc, libm and libpthread.
    """
    folder = packages.unpacked(small, tmp_path / "package")
    header = HEADER.read_text()
    declared = set(re.findall(r"^CSOT_API .*?(csot_\w+)\(", header, re.MULTILINE))
    symbols = subprocess.run(
        [shutil.which("nm") or "nm", "-D", "--defined-only", folder / "libCsotArtifact.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {line.split()[-1] for line in symbols.splitlines()} == declared
    dynamic = subprocess.run(
        [shutil.which("readelf") or "readelf", "-d", folder / "libCsotArtifact.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    needed = re.findall(r"NEEDED.*\[(lib\w+|ld-linux[\w-]*)", dynamic)
    assert set(needed) <= {"libc", "libm", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"}


def test_three_lines_of_python(small: dict[str, bytes], tmp_path: Path) -> None:
    """X4: a zip as it was downloaded, a path or pixels; the package says what it is."""
    package = tmp_path / "package.zip"
    package.write_bytes(archive(small))
    path = packages.pictures(tmp_path, 2)[1]
    with Artifact(package) as artifact:
        its = artifact.description
        assert (its.model, its.version, its.codes) == ("panel-surface", "v3.01", packages.CODES)
        assert (its.num_of_classes, its.input_size, its.detail, its.mask_size) == (3, (16, 16), 2, (32, 32))
        prediction = artifact.predict(path)
        assert prediction.scores[prediction.code or ""] == prediction.confidence
        assert sum(prediction.scores.values()) == pytest.approx(1)
        rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for same in (rgb, np.pad(rgb, ((0, 0), (0, 9), (0, 0)))[:, : rgb.shape[1]]):
            assert artifact.predict(same).scores == prediction.scores
        with pytest.raises(ValueError, match="uint8"):
            artifact.predict(rgb.astype(np.float32))  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match="closed"):
        artifact.predict(rgb)


def test_the_wrapper_loads_no_torch(small: dict[str, bytes], tmp_path: Path) -> None:
    """An inspection machine with Python has numpy and a decoder, and half a gigabyte less."""
    folder = packages.unpacked(small, tmp_path / "package")
    program = (
        "import sys, numpy; from loupe.artifact import Artifact; "
        f"Artifact({str(folder)!r}).predict(numpy.zeros((40, 40), numpy.uint8)); "
        "assert not {'torch', 'grpc'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_c_example_runs_where_nothing_else_is(small: dict[str, bytes], tmp_path: Path) -> None:
    """X3, X4: built with one command; then a root with the program, the three files and the C library."""
    packages.unpacked(small, tmp_path / "package")
    program = build_example(tmp_path)
    image = tmp_path / "image.ppm"
    pixels = cv2.imread(str(packages.pictures(tmp_path, 2)[1]))
    cv2.imwrite(str(image), pixels)
    with Artifact(tmp_path / "package") as artifact:
        its = artifact.predict(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    expected = ["image.ppm", its.code, f"{its.confidence:.6f}"]
    done = subprocess.run(
        [program, "package", "image.ppm"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[:3] == expected
    if not can_change_root():
        pytest.skip("changing the root needs root, or user namespaces")
    (line,) = classify_in_bare_root(tmp_path, [image])
    assert line[:3] == expected


def test_config_turns_the_filter_and_the_thresholds(small: dict[str, bytes], tmp_path: Path) -> None:
    """What an operator changes in config.yaml counts, and nothing else must be done for it."""
    narrow = np.full((20, 300), 90, np.uint8)
    folder = packages.unpacked(small, tmp_path / "package")
    with Artifact(folder) as artifact:
        judged = artifact.predict(narrow)
        assert judged.resolution == "RESOLUTION_TOO_LOW"
        assert judged.code
        assert not judged.to_human
    config = small["config.yaml"].decode()
    changed = config.replace("filter_resolution: false", "filter_resolution: true")
    (folder / "config.yaml").write_text(changed.replace("confidence: 0.0", "confidence: 1.0"))
    with Artifact(folder) as artifact:
        assert artifact.predict(narrow).code is None
        assert artifact.predict(np.full((40, 40), 90, np.uint8)).to_human


class Sigmoid(packages.TinyClassifier):
    """Ends in an operation that packages do not know."""

    def forward(self, images_NCHW: Tensor) -> Tensor:
        return super().forward(images_NCHW).sigmoid()


def test_what_cannot_be_packaged_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new architecture with an operation that the library lacks fails at export, not on the machine."""
    monkeypatch.setitem(CLASSIFIERS, "Sigmoid", Sigmoid)
    with pytest.raises(NotPackageable, match=r"aten\.sigmoid"):
        build_package(packages.weights(classifier="Sigmoid"), NAME)
    with pytest.raises(NotPackageable, match="not a text"):
        build_package(packages.weights(), PackageName("two\nlines", "v3.01"))


def test_a_format_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ONNX needs an extra; whoever exports must read which, and not a traceback of torch."""
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(NotPackageable, match=r"loupe\[export\]"):
        make_package(packages.weights(), NAME, "ONNX", tmp_path)
    with pytest.raises(NotPackageable, match="TFLITE is no format"):
        make_package(packages.weights(), NAME, "TFLITE", tmp_path)
    assert not list(tmp_path.iterdir()), "nothing half made stays"
