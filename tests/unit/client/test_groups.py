"""groups.csv as people and spreadsheets write it: found and used, or refused by name (D3)."""

import re
from pathlib import Path

import pytest
from loupe.folders import FolderUnreadable, ImportOptions, read_folder

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"


def folder(root: Path, *files: str) -> Path:
    """A folder with these pictures; nothing reads them here."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"a picture")
    return root


def groups(root: Path, options: ImportOptions | None = None) -> dict[str, str]:
    return {sample.file: sample.group for sample in read_folder(root, options).samples}


@pytest.mark.parametrize(
    ("case", "group"),
    [("36-groups-gbk", "面板1"), ("37-groups-other-case", "P1"), ("38-groups-in-code-folder", "P1")],
)
def test_tables_that_went_unread_are_used(case: str, group: str) -> None:
    """Without a word, or as an error that named no remedy."""
    if not CASES.is_dir():
        pytest.skip("the cases are not beside this checkout")
    listing = read_folder(CASES / case)
    assert [sample.group for sample in listing.samples] == [group, group]
    assert listing.left_out == ()
    assert len(listing.used) == listing.found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", ["", "sep=;\n", '"sep=;"\n', "SEP=;;\n"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, encoding: str, end: str, first: str) -> None:
    """Excel writes GBK in China, CR on old Macs, and a line that names the separator."""
    folder(tmp_path, "A/划痕.png", "B/b.png")
    text = f"{first}file;group;note\nA/划痕.png;面板1;x\nB/b.png;面板2;\n"
    (tmp_path / "groups.csv").write_bytes(text.replace("\n", end).encode(encoding))
    assert groups(tmp_path) == {"A/划痕.png": "面板1", "B/b.png": "面板2"}


@pytest.mark.parametrize(
    "name", ["Groups.CSV", "GROUPS.csv", "A/groups.csv", "A/Groups.csv", "A/deep/groups.csv"]
)
def test_a_table_of_any_case_beside_the_pictures_is_used(tmp_path: Path, name: str) -> None:
    """Windows and macOS do not tell the case of names apart; people put a table where the pictures are."""
    folder(tmp_path, "A/a.png", "A/b.png", name)
    (tmp_path / name).write_text("file,group\na.png,g\nb.png,g\n")
    listing = read_folder(tmp_path)
    assert {sample.group for sample in listing.samples} == {"g"}
    assert name in listing.used
    assert listing.left_out == ()


def test_names_in_a_code_s_table_are_those_beside_it_first(tmp_path: Path) -> None:
    """The same name lies under two codes, and a table in one of them means that one."""
    folder(tmp_path, "A/a.png", "B/a.png")
    (tmp_path / "B/groups.csv").write_text("file,group\na.png,g\nA/a.png,h\n")
    assert groups(tmp_path) == {"A/a.png": "h", "B/a.png": "g"}


@pytest.mark.parametrize("names", [("A/groups.csv", "B/groups.csv"), ("groups.csv", "Groups.CSV")])
def test_two_tables_are_refused_by_name(tmp_path: Path, names: tuple[str, str]) -> None:
    """Group 1 of one table may be group 1 of the other, or not."""
    folder(tmp_path, "A/a.png", "B/b.png")
    for name in names:
        (tmp_path / name).write_text("file,group\na.png,1\n")
    if len({path for path in tmp_path.rglob("*") if path.name.lower() == "groups.csv"}) < 2:
        pytest.skip("the file system does not tell the case of names apart")
    with pytest.raises(FolderUnreadable, match=r"is there 2 times .*make one groups\.csv"):
        read_folder(tmp_path)


def test_tables_that_are_not_used_are_named(tmp_path: Path) -> None:
    """That of the folder itself comes first, and --group-by before any."""
    folder(tmp_path, "A/a1.png", "A/a2.png")
    (tmp_path / "groups.csv").write_text("file,group\nA/a1.png,g\nA/a2.png,g\n")
    (tmp_path / "A/groups.csv").write_text("file,group\na1.png,h\n")
    listing = read_folder(tmp_path)
    assert {sample.group for sample in listing.samples} == {"g"}
    assert [(item.file, item.reason) for item in listing.left_out] == [("A/groups.csv", "GROUPS_NOT_USED")]
    listing = read_folder(tmp_path, ImportOptions(group_by=re.compile("a[0-9]")))
    assert [item.reason for item in listing.left_out] == ["GROUPS_NOT_USED"] * 2


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            "file,group\nA/a.png,g\nx.png,h\n",
            r"line 3: x\.png is not there, and may be any of 2 pictures \(A/x\.png, B/x\.png\)",
        ),
        ("file,group,Group\nA/a.png,g,h\n", r"2 columns for the group \('group', 'Group'\)"),
        ("file,File,group\nA/a.png,b.png,h\n", "2 columns for the file"),
        ('file,group\n"A/a.png,g\nA/b.png,g\n', "close every quote"),
        ('file,group\n"A/a.png,g\nA/b.png",g\n', "line 2: a quoted field goes on"),
        ('file,group,note\nA/a.png,g,"x\nA/b.png,g,\nA/c.png,g,y"\n', "line 2: a quoted field goes on"),
        ("sep=;\nfile;group\nA/a.png;g\na;b.png;g\n", "line 4 has 3 fields, and its header 2"),
    ],
)
def test_a_table_that_may_lose_rows_is_refused_with_the_line(tmp_path: Path, table: str, told: str) -> None:
    """Each lost rows without a word: their pictures fell on both sides of a split."""
    folder(tmp_path, "A/a.png", "A/b.png", "A/x.png", "B/x.png")
    (tmp_path / "groups.csv").write_text(table)
    with pytest.raises(FolderUnreadable, match=told):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("A/A.PNG", "A/a.png"),
        ("a/x.png", "A/X.PNG"),
        ("X", "A/x.png"),
        ("scans/A/x.PNG", "A/X.png"),
        ("A/u\u0308.png", "A/\u00fc.png"),
    ],
)
def test_names_in_capitals_or_composed_otherwise_are_found(tmp_path: Path, written: str, there: str) -> None:
    """Windows and macOS take them for one name; the table was not used, and nothing said so."""
    folder(tmp_path, there, "B/other.png")
    (tmp_path / "groups.csv").write_text(f"file,group\n{written},g\n")
    assert groups(tmp_path)[there] == "g"


def test_the_written_case_comes_first_and_several_are_refused(tmp_path: Path) -> None:
    """Linux tells them apart, so that a table may name each of the two."""
    folder(tmp_path, "A/a.png", "A/A.png")
    (tmp_path / "groups.csv").write_text("file,group\nA/a.png,g\nA/A.png,h\n")
    assert groups(tmp_path) == {"A/a.png": "g", "A/A.png": "h"}
    (tmp_path / "groups.csv").write_text("file,group\na/A.PNG,g\n")
    with pytest.raises(FolderUnreadable, match="may be any of 2 pictures"):
        read_folder(tmp_path)


def test_a_name_with_its_folder_is_not_the_namesake_of_another_one(tmp_path: Path) -> None:
    """D5: of a file in other capitals and one of the same name elsewhere, the folder decides."""
    folder(tmp_path, "A/x.png", "B/X.png")
    (tmp_path / "groups.csv").write_text("file,group\nA/X.png,g\n")
    assert groups(tmp_path) == {"A/x.png": "g", "B/X.png": ""}


def test_a_group_is_one_in_any_composition(tmp_path: Path) -> None:
    """D3: one panel must not be two because one of two programs is of a Mac."""
    folder(tmp_path, "A/a.png", "A/b.png")
    table = "file,group\na.png,Pr\u00fcfling\nb.png,\u3000Pru\u0308fling \n"
    (tmp_path / "groups.csv").write_text(table, encoding="utf-8")
    assert set(groups(tmp_path).values()) == {"Pr\u00fcfling"}


def test_an_empty_column_hides_no_full_one(tmp_path: Path) -> None:
    """An export may have the column `group` and fill only `panel`."""
    folder(tmp_path, "A/a.png", "A/b.png")
    (tmp_path / "groups.csv").write_text("file,group,panel\na.png,,P1\nb.png, ,P1\n")
    listing = read_folder(tmp_path)
    assert ({sample.group for sample in listing.samples}, listing.group_column) == ({"P1"}, "panel")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("file,group\na.png,\nb.png,\n", "has nothing in its column 'group'; fill it in"),
        ("file,group\nA/9.png,g\n", "names none of the files of the folder: its line 2 has 'A/9.png'"),
    ],
)
def test_a_table_that_says_nothing_is_refused(tmp_path: Path, table: str, told: str) -> None:
    """D7: imported without its groups, pictures of one part would train and judge."""
    folder(tmp_path, "A/a.png", "A/b.png")
    (tmp_path / "groups.csv").write_text(table)
    with pytest.raises(FolderUnreadable, match=re.escape(told)):
        read_folder(tmp_path)
