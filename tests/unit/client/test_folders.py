"""The reading of a folder for import (D1, D3): what is offered, what is left out and why."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loupe.folders import FolderListing, FolderUnreadable, ImportOptions, hold_out, read_folder


def _folder(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def _files(listing: FolderListing) -> list[str]:
    return [sample.file for sample in listing.samples]


def test_masks_go_with_their_images_in_both_layouts(tmp_path: Path) -> None:
    """D1: `a.mask.png`, and the common `a.png` beside `a.jpg`; a PNG alone is an image, not a mask."""
    _folder(tmp_path, "C1/a.jpg", "C1/a.mask.png", "C1/b.JPG", "C1/b.png", "C1/c.png", "C1/d.tiff")
    listing = read_folder(tmp_path)
    masks = {sample.file: sample.mask.name if sample.mask else None for sample in listing.samples}
    assert masks == {"C1/a.jpg": "a.mask.png", "C1/b.JPG": "b.png", "C1/c.png": None, "C1/d.tiff": None}
    assert [sample.mask_is_guess for sample in listing.samples] == [False, True, False, False]
    assert listing.left_out == ()


AMBIGUOUS, ALONE = "AMBIGUOUS_MASK", "MASK_WITHOUT_IMAGE"


@pytest.mark.parametrize(
    ("files", "samples", "left_out"),
    [
        ("a.png a_mask.png", {"a.png": "a_mask.png"}, {}),
        ("a.jpg a-MASK.bmp", {"a.jpg": "a-MASK.bmp"}, {}),
        ("a.jpg a.mask.tif", {"a.jpg": "a.mask.tif"}, {}),
        ("a_mask.png", {}, {"a_mask.png": ALONE}),
        ("a.jpg b_mask.jpg", {"a.jpg": None}, {"b_mask.jpg": ALONE}),
        ("a.jpg a.mask.png a_mask.png", {"a.jpg": "a.mask.png"}, {"a_mask.png": AMBIGUOUS}),
        ("a.jpg a_mask.bmp a_mask.png", {"a.jpg": None}, {"a_mask.bmp": AMBIGUOUS, "a_mask.png": AMBIGUOUS}),
        ("a.jpg a.tif a.png", {"a.jpg": None, "a.tif": None}, {"a.png": AMBIGUOUS}),
        ("a.jpg a.tif a.mask.png", {"a.jpg": None, "a.tif": None}, {"a.mask.png": AMBIGUOUS}),
        ("a.jpg a.PNG a.png", {"a.jpg": None}, {"a.PNG": AMBIGUOUS, "a.png": AMBIGUOUS}),
        ("a.PNG a.png", {"a.PNG": None, "a.png": None}, {}),
        ("a.jpg a_gt.png", {"a.jpg": "a_gt.png"}, {}),
        ("a.png a-GT.bmp", {"a.png": "a-GT.bmp"}, {}),
        ("a.jpg a_label.png", {"a.jpg": "a_label.png"}, {}),
        ("a.jpg a.ground_truth.tif", {"a.jpg": "a.ground_truth.tif"}, {}),
        ("a.jpg a_segmentation.png", {"a.jpg": "a_segmentation.png"}, {}),
        ("a.jpg a_mask.png a_gt.png", {"a.jpg": None}, {"a_gt.png": AMBIGUOUS, "a_mask.png": AMBIGUOUS}),
        ("a.jpg a.mask.png a_gt.png", {"a.jpg": "a.mask.png"}, {"a_gt.png": AMBIGUOUS}),
        ("b_gt.png c_label.jpg", {"b_gt.png": None, "c_label.jpg": None}, {}),
        ("a.bmp a.jpg", {"a.bmp": None, "a.jpg": None}, {}),
    ],
)  # fmt: skip
def test_what_looks_like_a_mask_is_a_mask_of_one_picture_or_is_named(
    tmp_path: Path, files: str, samples: dict[str, str | None], left_out: dict[str, str]
) -> None:
    """D5: a mask is never a sample without a word, nor is one of several pictures chosen for it."""
    _folder(tmp_path, *(f"C1/{name}" for name in files.split()))
    listing = read_folder(tmp_path)
    masks = {sample.image.name: sample.mask.name if sample.mask else None for sample in listing.samples}
    assert masks == samples
    assert {item.file.removeprefix("C1/"): item.reason for item in listing.left_out} == left_out


def test_pictures_of_a_folder_called_masks_are_told_with_doubt(tmp_path: Path) -> None:
    """D5: `masks/` became a code without a word; a defect may be called so, so nothing is guessed."""
    _folder(
        tmp_path,
        "C1/a.jpg",
        "C1/b.jpg",
        "C2/a.png",
        "masks/a.png",
        "masks/b_gt.png",
        "masks/c.png",
        "GT/a.png",
    )
    listing = read_folder(tmp_path)
    assert [(one.file, one.reason) for one in listing.remarks] == [
        ("GT/a.png", "PERHAPS_A_MASK"),
        ("masks/a.png", "PERHAPS_A_MASK"),
        ("masks/b_gt.png", "PERHAPS_A_MASK"),
    ]
    assert "name it b.mask.png" in listing.remarks[2].message
    meant = read_folder(tmp_path, ImportOptions(code_of_label={"masks": "MASKS", "GT": "GT"}))
    assert meant.remarks == ()


def test_an_explicit_mask_leaves_a_png_of_the_same_stem_an_image(tmp_path: Path) -> None:
    """Where `a.mask.png` says what the mask is, `a.png` cannot be one as well; whose it is, nothing says."""
    _folder(tmp_path, "C1/a.png", "C1/a.mask.png", "C1/a.jpg")
    listing = read_folder(tmp_path)
    assert _files(listing) == ["C1/a.jpg", "C1/a.png"]
    assert [(item.file, item.reason) for item in listing.left_out] == [("C1/a.mask.png", "AMBIGUOUS_MASK")]


def test_everything_left_out_is_named_with_its_reason(tmp_path: Path) -> None:
    """D1: the importer says what it could not take and why; silence would look like success."""
    _folder(
        tmp_path,
        "top.jpg", "README.md", ".DS_Store", "C1/a.jpg", "C1/notes.txt", "C1/deep/b.jpg", "C1/lost.mask.png",
        "C1/.hidden.jpg", "bad code/c.jpg",
    )  # fmt: skip
    listing = read_folder(tmp_path)
    assert _files(listing) == ["C1/a.jpg"]
    assert {item.file: item.reason for item in listing.left_out} == {
        "top.jpg": "NO_CODE",
        "README.md": "NOT_AN_IMAGE",
        ".DS_Store": "HIDDEN",
        "C1/notes.txt": "NOT_AN_IMAGE",
        "C1/deep/b.jpg": "NESTED",
        "C1/lost.mask.png": "MASK_WITHOUT_IMAGE",
        "C1/.hidden.jpg": "HIDDEN",
        "bad code/c.jpg": "BAD_CODE",
    }
    assert all(item.message for item in listing.left_out)


def test_links_do_not_double_files_and_lead_nowhere_else(tmp_path: Path) -> None:
    """D7: a link out of the folder would upload what nobody meant to give away."""
    outside = _folder(tmp_path / "outside", "C1/secret.jpg")
    folder = _folder(tmp_path / "data", "C1/a.jpg")
    (folder / "C1/again.jpg").symlink_to("a.jpg")
    (folder / "C1/secret.jpg").symlink_to(outside / "C1/secret.jpg")
    (folder / "C2").symlink_to("C1")
    (folder / "C3").symlink_to(outside / "C1")
    (folder / "C1/up").symlink_to("..")
    (tmp_path / "link").symlink_to(folder)
    for given in (folder, tmp_path / "link"):
        listing = read_folder(given)
        assert _files(listing) == ["C1/a.jpg", "C1/again.jpg"]
        assert {item.file: item.reason for item in listing.left_out} == {
            "C1/secret.jpg": "OUTSIDE_FOLDER",
            "C1/up": "LINK_TO_FOLDER",
            "C2": "LINK_TO_FOLDER",
            "C3": "OUTSIDE_FOLDER",
        }


def test_what_a_folder_no_longer_holds_or_lets_read_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7: files come and go while a folder is listed, and some belong to somebody else."""
    _folder(tmp_path, "C1/a.jpg", "C1/gone.jpg", "C2/b.jpg", "C3/c.jpg")
    lstat, iterdir = Path.lstat, Path.iterdir

    def lstat_of_what_is_there(path: Path) -> os.stat_result:
        if path.name == "gone.jpg":
            path.unlink()
        return lstat(path)

    def iterdir_of_what_may_be_read(path: Path) -> Iterator[Path]:
        if path.name == "C2":
            raise PermissionError(errno.EACCES, "Permission denied")
        if path.name == "C3":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return iterdir(path)

    monkeypatch.setattr(Path, "lstat", lstat_of_what_is_there)
    monkeypatch.setattr(Path, "iterdir", iterdir_of_what_may_be_read)
    listing = read_folder(tmp_path)
    assert _files(listing) == ["C1/a.jpg"]
    told = {item.file: item.reason for item in listing.left_out}
    assert told == {"C1/gone.jpg": "VANISHED", "C2": "UNREADABLE", "C3": "VANISHED"}


@pytest.mark.parametrize("kind", ["dangling", "pipe", "broken csv", "long group", "control character"])
def test_groups_that_cannot_be_read_are_an_error_with_the_fact(tmp_path: Path, kind: str) -> None:
    """D3, D7: a table that is there and is not read must not be passed over, nor end in a traceback."""
    _folder(tmp_path, "C1/a.jpg")
    table = tmp_path / "groups.csv"
    match kind:
        case "dangling":
            table.symlink_to("nowhere.csv")
        case "pipe":
            os.mkfifo(table)
        case "broken csv":
            table.write_text(f'file,group\nC1/a.jpg,"{"x" * 200_000}"\n')
        case "long group":
            table.write_text(f"file,group\nC1/a.jpg,{'x' * 129}\n")
        case _:
            table.write_text("file,group\nC1/a.jpg,g\x07\n")
    with pytest.raises(FolderUnreadable, match="group"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    "table",
    [
        "file,group\nC1/a.jpg,g1\nC1/b.jpg,g1\nC2/c.jpg,g2\n",
        "file,class,exposure,tile_group,group_fold5\nC1/a.jpg,C1,1,g1,0\nC1/b.jpg,C1,1,g1,0\nC2/c.jpg,C2,1,g2,1\n",
        "Panel;Filename\ng1;C1\\a.jpg\ng1;C1\\b.jpg\ng2;C2\\c.jpg\n",
        "path\tlot\n./C1/a.jpg\tg1\nC1/b.jpg\tg1\nimages/C2/c.jpg\tg2\n",
        "\ufeffimage, panel_id\na, g1\nb, g1\nc.jpg, g2\n",
    ],
    ids=["plain", "magnetic tile", "semicolons and backslashes", "tabs and other roots", "stems and a BOM"],
)
def test_groups_are_read_from_tables_as_people_write_them(tmp_path: Path, table: str) -> None:
    """D3: the group key must be found in the shapes that spreadsheets and other tools write."""
    _folder(tmp_path, "C1/a.jpg", "C1/b.jpg", "C2/c.jpg")
    (tmp_path / "groups.csv").write_text(table, encoding="utf-8")
    listing = read_folder(tmp_path)
    assert {sample.file: sample.group for sample in listing.samples} == {
        "C1/a.jpg": "g1",
        "C1/b.jpg": "g1",
        "C2/c.jpg": "g2",
    }
    assert listing.unmatched_group_rows == ()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (b"file,fold\nC1/a.jpg,1\n", "no column for the group"),
        (b"id,group\nC1/a.jpg,1\n", "no column for the file"),
        (b"", "no column"),
        (b"file,group\nC1/a.jpg,g1\nC1/a.jpg,g2\n", "in group 'g2', above in 'g1'"),
        (b"file,group\nC1/a.jpg,\xff\n", "not UTF-8"),
    ],
)
def test_a_table_of_groups_that_cannot_be_used_is_an_error(tmp_path: Path, table: bytes, told: str) -> None:
    """D3: ignoring it would let photos of one part fall on both sides of the split, unnoticed."""
    _folder(tmp_path, "C1/a.jpg")
    (tmp_path / "groups.csv").write_bytes(table)
    with pytest.raises(FolderUnreadable, match=told):
        read_folder(tmp_path)


def test_rows_without_a_file_and_files_without_a_row_are_counted(tmp_path: Path) -> None:
    """A table that fits only in part is used and its gaps are told."""
    _folder(tmp_path, "C1/a.jpg", "C1/b.jpg")
    (tmp_path / "groups.csv").write_text("file,group\nC1/a.jpg,g1\nC1/gone.jpg,g1\n")
    listing = read_folder(tmp_path)
    assert listing.ungrouped == 1
    assert listing.unmatched_group_rows == ("C1/gone.jpg",)


def test_a_folder_that_is_none_says_so(tmp_path: Path) -> None:
    """The commonest slip is a wrong path."""
    with pytest.raises(FolderUnreadable, match="does not exist"):
        read_folder(tmp_path / "nowhere")


def _grouped(root: Path, groups_per_code: dict[str, int], photos: int) -> FolderListing:
    lines = ["file,group"]
    for code, groups in groups_per_code.items():
        for group in range(groups):
            for photo in range(photos):
                _folder(root, f"{code}/{group}_{photo}.jpg")
                lines.append(f"{code}/{group}_{photo}.jpg,{code}-{group}")
    (root / "groups.csv").write_text("\n".join(lines))
    return read_folder(root)


def test_a_question_bank_shares_no_group_with_training_and_has_every_code(tmp_path: Path) -> None:
    """D3: a bank that shows parts seen in training proves nothing; a code that lacks there is not tested."""
    listing = _grouped(tmp_path, {"A": 20, "B": 7, "C": 2}, photos=3)
    training, bank = hold_out(listing, 0.15)
    assert {s.group for s in training.samples}.isdisjoint({s.group for s in bank.samples})
    assert sorted(_files(training) + _files(bank)) == _files(listing)
    assert bank.images_per_code["A"] == 9
    assert set(training.images_per_code) == {"A", "B", "C"}
    assert hold_out(listing, 0.15) == (training, bank)


def test_a_code_keeps_two_groups_in_training(tmp_path: Path) -> None:
    """One to train and one to validate with (D9): a code must not be emptied to test it."""
    groups = {"A": 20, "LONE": 1, "PAIR": 2, "TRIO": 3}
    training, bank = hold_out(_grouped(tmp_path, groups, photos=1), 0.5)
    assert training.images_per_code | {"A": 0} == {"A": 0, "LONE": 1, "PAIR": 2, "TRIO": 2}
    assert bank.images_per_code | {"A": 0} == {"A": 0, "TRIO": 1}


def test_names_do_not_depend_on_the_locale(tmp_path: Path) -> None:
    """D5: the same folder has the same names from every terminal; they are what its bytes say in UTF-8."""
    (tmp_path / "A").mkdir()
    for name in ("缺陷.png", "缺陷.mask.png"):
        (tmp_path / "A" / name).write_bytes(b"x")
    program = (
        "import json, sys, pathlib; from loupe.folders import read_folder;"
        "listing = read_folder(pathlib.Path(sys.argv[1]));"
        "print(json.dumps([[s.file, s.origin, s.mask is not None] for s in listing.samples]))"
    )
    other = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, **other},
        capture_output=True,
        check=True,
    )
    assert json.loads(told.stdout) == [["A/缺陷.png", "A/缺陷.png", True]]
