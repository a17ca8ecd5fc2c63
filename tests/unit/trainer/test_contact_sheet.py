"""What a person sees of augmentation (M1, W10)."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from loupe.scheduler.v1 import task_pb2

from services.trainer.training.contact_sheet import MAX_WIDTH_PX, choose, columns, draw, to_jpeg
from services.trainer.training.session import run
from tests.support.training import CODES, RecordingChannel, defect, masked_data_set, train_order

ALL = frozenset({"colour", "scale", "flip", "random"})


def tiles(sheet, rows, shown):
    """Its tiles by row and column, found as what is left between lines of paper."""
    # Not quite white: a JPEG spills over.
    below, right = (sheet[:, 100:] < 235).any((1, 2)), (sheet[30:] < 235).any((0, 2))

    def runs(marked):
        edges = np.flatnonzero(np.diff(np.r_[False, marked, False].astype(int)))
        return [slice(*pair) for pair in edges.reshape(-1, 2)]

    downwards, across = runs(below)[-rows:], runs(right)[-shown:]
    return [[sheet[down, along] for along in across] for down in downwards]


@pytest.fixture
def images():
    random = np.random.default_rng(0)
    return [defect(code, random) for code in CODES]


def test_w10_each_augmentation_is_shown_alone_and_all_together():
    """Who ticks four boxes wants to know what each does; random ones need two draws to show that they are."""
    titles = [column.title for column in columns(ALL)]
    assert titles == [
        "original", "colour", "scale", "flip", "random", "random", "all together", "all together",
    ]  # fmt: skip
    assert columns(ALL)[-1].augmentations == ALL
    assert [column.title for column in columns(frozenset({"flip"}), "window")] == ["window", "flip"]


def test_w10_every_tile_differs_from_its_original(images):
    """A flip leaves every other image alone; a sheet that happens to show those says nothing."""
    shown = columns(ALL)
    sheet = draw(CODES, images, shown, seed=7)
    for original, *changed in tiles(sheet, len(images), len(shown)):
        for tile in changed:
            assert tile.shape == original.shape
            assert np.abs(tile.astype(int) - original).mean() > 1
        assert not np.array_equal(changed[3], changed[4]), "two draws of random"
        flipped = changed[2].astype(int)
        assert np.abs(flipped - original[:, ::-1]).mean() < 1


def test_a_sheet_is_a_function_of_samples_and_seed(images):
    """Its hash is its name: an attempt that is taken up elsewhere must not make another one."""
    sheets = [to_jpeg(draw(CODES, images, columns(ALL), seed)) for seed in (7, 7, 8)]
    assert sheets[0] == sheets[1] != sheets[2]


@pytest.mark.parametrize("shape", [(40, 40), (300, 300), (64, 512), (512, 64), (1, 3)])
@pytest.mark.parametrize("augmentations", [ALL, frozenset({"scale"})])
def test_a_sheet_is_bounded_whatever_the_images_are(shape, augmentations):
    """It travels to a browser, from images of any size."""
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (*shape, 3), np.uint8) for _ in range(6)]
    labels = ["A" * 60, "表面", *CODES, "B"]
    sheet = draw(labels, images, columns(augmentations), seed=0)
    assert sheet.shape[1] <= MAX_WIDTH_PX
    assert sheet.shape[0] <= 1000
    encoded = to_jpeg(sheet)
    assert len(encoded) < 2**20
    assert cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR).shape == sheet.shape


def test_samples_are_of_as_many_codes_as_there_is_room_for():
    """A code of thousands must not crowd out one of three."""
    classes = np.array([0] * 1000 + [1] * 3 + [2] * 50)
    chosen = choose(classes, seed=3)
    assert classes[chosen].tolist() == [0, 0, 1, 1, 2, 2]
    assert chosen == choose(classes, seed=3) != choose(classes, seed=4)
    many = np.arange(40) % 20
    assert len(set(many[choose(many, seed=3)].tolist())) == 6


def test_m1_the_augmentation_stage_names_its_contact_sheet(order, data_set, packs, tmp_path):
    """The monitor shows it; a training that changes nothing has nothing to show."""
    work = order(classification={"max_iter": 1}, augmentations=["flip", "colour"])
    channel = RecordingChannel()
    run(work, data_set.objects, packs, tmp_path / "work", channel)
    (report,) = (its for its in channel.of("stage") if its.contact_sheet_path)
    assert report.stage.name == task_pb2.STAGE_NAME_AUGMENTATION
    assert report.stage.state == task_pb2.STAGE_STATE_DONE
    sheet = cv2.imread(report.contact_sheet_path)[..., ::-1]
    assert len(tiles(sheet, 6, 5)[0]) == 5
    assert Path(report.contact_sheet_path).stat().st_size < 2**20

    work = order(classification={"max_iter": 1}, augmentations=[])
    channel = RecordingChannel()
    run(work, data_set.objects, packs, tmp_path / "work", channel)
    assert not any(its.contact_sheet_path for its in channel.of("stage"))


def test_a_training_through_windows_shows_windows(packs, tmp_path):
    """What is shown is what is trained on: a spot fills 3 % of a window, and 0.4 % of its image."""
    masked = masked_data_set(tmp_path / "objects")
    work = train_order(
        masked.manifest(), classification={"max_iter": 1}, input={"detail": 3}, augmentations=["flip"]
    )
    channel = RecordingChannel()
    run(work, masked.objects, packs, tmp_path / "work", channel)
    sheet = cv2.imread(channel.of("stage")[-1].contact_sheet_path)[..., ::-1]
    spots = [(row[0] > 180).all(-1).mean() for row in tiles(sheet, 6, 2)[:2]]
    assert min(spots) > 0.02
