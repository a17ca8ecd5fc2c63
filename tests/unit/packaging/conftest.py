import pytest

from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.package import build_package
from tests.support import packages

NAME = PackageName("panel-surface", "v3.01")


@pytest.fixture(scope="session")
def small() -> dict[str, bytes]:
    """The files of a package with everything a package may have."""
    weights = packages.weights(
        detail=2, windows=True, special=2.25, segmenter="Tiny", least_px={"RARE": 30.5, "ODD": 8.5}
    )
    return packages.files(build_package(weights, NAME))
