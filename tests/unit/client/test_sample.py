"""The generated set: deterministic, grouped, with masks, and read back by the importer's own reader."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from loupe.folders import read_folder
from loupe.sample import DEFECTS, ORDINARY_CODES, SampleSet, write_sample


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    return write_sample(tmp_path_factory.mktemp("sample"), per_code=6, seed=7)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(made: SampleSet, tmp_path: Path) -> None:
    """A demo, a benchmark or a bug report that names a seed must mean the same images everywhere."""
    write_sample(tmp_path / "again", per_code=6, seed=7)
    write_sample(tmp_path / "other", per_code=6, seed=8)
    ours, other = _digests(made.directory), _digests(tmp_path / "other")
    assert _digests(tmp_path / "again") == ours
    assert ours.keys() == other.keys()
    images = [file for file in ours if file.endswith(".jpg")]
    assert all(ours[file] != other[file] for file in images)


def test_another_seeds_panels_are_other_panels(made: SampleSet, tmp_path: Path) -> None:
    """D3, P7: a bank of another seed shares no panel with a training, so no group's name either."""
    write_sample(tmp_path / "other", per_code=6, seed=8)
    groups = [
        {sample.group for sample in read_folder(folder).samples}
        for folder in (made.directory, tmp_path / "other")
    ]
    assert not groups[0] & groups[1]


def test_a_larger_set_begins_with_the_smaller_one(made: SampleSet, tmp_path: Path) -> None:
    """Growing the set adds panels and leaves those that are there, as a fab's data grow."""
    write_sample(tmp_path / "larger", per_code=12, seed=7)
    larger = _digests(tmp_path / "larger")
    ours = {file: digest for file, digest in _digests(made.directory).items() if "P000_1" in file}
    assert len(ours) == 2 * len(DEFECTS)
    assert ours.items() <= larger.items()


def test_the_importer_reads_the_whole_set(made: SampleSet) -> None:
    """What `loupe sample` writes, `loupe data import` takes whole, each photo in its panel's group."""
    listing = read_folder(made.directory)
    assert listing.left_out == ()
    assert listing.unmatched_group_rows == ()
    assert listing.ungrouped == 0
    assert listing.images_per_code == {code: made.images_per_code[code] for code in sorted(DEFECTS)}
    assert all(made.images_per_code[code] >= 6 for code in ORDINARY_CODES)
    assert len({sample.group for sample in listing.samples}) == made.panels
    assert sum(sample.mask is not None for sample in listing.samples) == made.masks


@pytest.mark.parametrize("per_code", [2, 3, 4, 15])
def test_every_code_has_two_panels_so_that_both_sides_of_a_split_see_it(
    per_code: int, tmp_path: Path
) -> None:
    """A code with one group would be missing from training or from validation, and is refused (D3, D9)."""
    made = write_sample(tmp_path / "made", per_code=per_code)
    groups: dict[str, set[str]] = {}
    for sample in read_folder(made.directory).samples:
        groups.setdefault(sample.code, set()).add(sample.group)
    assert all(len(of_code) >= 2 for of_code in groups.values())


def test_masks_fit_their_images_and_mark_a_part_of_them(made: SampleSet) -> None:
    """A mask of another size, or one that marks nothing or all, teaches a segmentation network nonsense."""
    for sample in read_folder(made.directory).samples:
        if sample.mask is None:
            continue
        image, mask = cv2.imread(str(sample.image)), cv2.imread(str(sample.mask), cv2.IMREAD_GRAYSCALE)
        assert image.shape[:2] == mask.shape
        assert set(np.unique(mask)) <= {0, 255}
        assert 0.0002 < (mask > 127).mean() < 0.6, sample.file


def test_photos_differ_in_size_and_brightness_and_a_few_are_nonconforming(made: SampleSet) -> None:
    """The set must exercise the resolution filter and not be learnable by brightness alone."""
    images = [cv2.imread(str(sample.image)) for sample in read_folder(made.directory).samples]
    conforming = [image for image in images if min(image.shape[:2]) >= 128]
    assert len(images) - len(conforming) == made.nonconforming > 0
    assert all(min(image.shape[:2]) < 16 for image in images if min(image.shape[:2]) < 128)
    assert max(max(image.shape[:2]) for image in images) <= 200
    means = [image.mean() for image in conforming]
    assert max(means) > 1.5 * min(means)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """Generated files must not mix with somebody's own."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        write_sample(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
