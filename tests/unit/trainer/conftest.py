"""A small data set, and orders over it."""

import pytest

from services.vision.pack import PackCache
from tests.support.training import small_data_set, train_order


@pytest.fixture
def data_set(tmp_path):
    return small_data_set(tmp_path / "objects")


@pytest.fixture
def packs(tmp_path):
    return PackCache(tmp_path / "packs")


@pytest.fixture
def order(data_set):
    """The work of a train order over the data set, with changes."""
    return lambda **changes: train_order(data_set.manifest(), **changes)
